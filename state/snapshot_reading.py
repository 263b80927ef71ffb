"""Reads a posted snapshot: flexible about names and shapes, never silent about what it leaves out.

The older senders use several names for the same thing, so each is looked for in turn. What cannot be taken is listed
as a Drop; only what makes the whole snapshot meaningless (its date, its time, its size) is an error.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final

from state.kpi_values import parse_value
from state.snapshot import EXTREME_NUMBERS, SIDES, Drop, Extreme, Kpi, Point, Snapshot, TradeRef, zulu
from state.snapshot_values import (
    MAX_NAME,
    Localise,
    as_object,
    fail,
    first,
    first_list,
    first_text,
    note_unknown,
    objects,
    read_day,
    read_instant,
    text_of,
)
from state.values import number, plain

MAX_KPIS: Final = 1_000
MAX_POINTS: Final = 50_000
MAX_ITEMS: Final = 20_000
MAX_VALUE: Final = 1_000
MAX_RANK: Final = 1_000_000

_TOP: Final = frozenset(
    {"date", "updated_at", "headline", "summary", "rows", "kpis", "overlay", "source", "allow_empty"}
)
_ROW: Final = frozenset({"kpi", "name", "label", "value", "val", "text"})
_POINT: Final = frozenset({"t", "time", "ts", "v", "value", "src"})
_OVERLAY: Final = frozenset({"seriesByKpi", "series", "extremes", "portfolioAssets", "assets"})
_EXTREMES: Final = frozenset({"byKpi", "legacyKpi", "source"})
_ASSET: Final = frozenset({"trade_id", "tradeId", "id", "symbol", "contract_name", "contractName", "contract"})

#: a point, its instant and its place in the list that was sent
_Placed = tuple[datetime, int, Point]


def normalise(body: Mapping[str, Any], *, now: datetime, localise: Localise) -> Snapshot:
    """The snapshot that a posted object means.

    `now` (aware) is its time when it tells none; `localise` gives a point's time without offset its zone. Raises
    Invalid: no real date, a time that is none, text that is no text, or more than the limits of this module.
    """
    drops: list[Drop] = []
    day, updated_at = _head(body, now)
    overlay = as_object(body.get("overlay"), "overlay", drops)
    note_unknown(body, _TOP, "", drops)
    note_unknown(overlay, _OVERLAY, "overlay.", drops)
    extremes = as_object(overlay.get("extremes"), "overlay.extremes", drops)
    note_unknown(extremes, _EXTREMES, "overlay.extremes.", drops)
    return Snapshot(
        date=day,
        updated_at=updated_at,
        headline=_text_field(body, "headline", 1_000) or f"Haiphen metrics for {day}",
        summary=_text_field(body, "summary", 20_000),
        source=_text_field(body, "source", 200),
        allow_empty=_flag(body),
        kpis=_kpis(body, drops),
        points=_points(overlay, localise, drops),
        extremes=_extremes(as_object(extremes.get("byKpi"), "overlay.extremes.byKpi", drops), localise, drops),
        assets=_assets(overlay, drops),
        overlay_extras={name: plain(extremes[name]) for name in ("legacyKpi", "source") if extremes.get(name)},
        dropped=tuple(drops),
    )


def _head(body: Mapping[str, Any], now: datetime) -> tuple[date, datetime]:
    day = read_day(body.get("date"))
    if day is None:
        raise fail("date", "must be a calendar date such as 2026-02-11")
    if body.get("updated_at") is None:
        return day, now.astimezone(UTC)
    updated_at = read_instant(body["updated_at"])
    if updated_at is None:
        raise fail("updated_at", "must be a time with its offset, such as 2026-02-11T14:00:00.000Z")
    return day, updated_at


def _flag(body: Mapping[str, Any]) -> bool:
    value = body.get("allow_empty")
    if value is None or isinstance(value, bool):
        return bool(value)
    raise fail("allow_empty", "must be true or false")


def _text_field(body: Mapping[str, Any], name: str, limit: int) -> str:
    value = body.get(name)
    text = text_of(value)
    if value is not None and text is None:
        raise fail(name, "must be a text")
    if len(text or "") > limit:
        raise fail(name, f"has more than {limit} characters")
    return text or ""


def _name(name: str, path: str, drops: list[Drop]) -> str | None:
    """A KPI's name that can be one, or None."""
    if not name:
        drops.append(Drop(path, "no KPI name"))
    elif len(name) > MAX_NAME:
        drops.append(Drop(path, f"the KPI name has more than {MAX_NAME} characters"))
    else:
        return name
    return None


def _kpis(body: Mapping[str, Any], drops: list[Drop]) -> tuple[Kpi, ...]:
    path, listed = first_list(body, ("rows", "kpis"), "", drops)
    if len(listed) > MAX_KPIS:
        raise fail(path, f"has more than {MAX_KPIS} KPIs", "TOO_MANY")
    kept: dict[str, tuple[str, str]] = {}
    for here, row in objects(listed, path, drops):
        name = _name(first_text(row, "kpi", "name", "label"), here, drops)
        if name is None:
            continue
        note_unknown(row, _ROW, f"{here}.", drops)
        told = first(row, "value", "val", "text")
        text = text_of(told)
        if told is not None and text is None:
            drops.append(Drop(f"{here}.value", "neither text nor a finite number"))
        elif len(text or "") > MAX_VALUE:
            drops.append(Drop(f"{here}.value", f"has more than {MAX_VALUE} characters"))
            text = None
        earlier = kept.pop(name, None)
        if earlier is not None:
            drops.append(Drop(earlier[0], "duplicate KPI: a later row wins"))
        kept[name] = here, text or ""
    return tuple(
        Kpi(name, text, *parse_value(text), order) for order, (name, (_, text)) in enumerate(kept.items(), start=1)
    )


def _points(overlay: Mapping[str, Any], localise: Localise, drops: list[Drop]) -> tuple[Point, ...]:
    path = "overlay.seriesByKpi"
    series = as_object(overlay.get("seriesByKpi"), path, drops)
    other = as_object(overlay.get("series"), "overlay.series", drops)
    if other and series:
        drops.append(Drop("overlay.series", f"{path} is read instead"))
    elif other:
        path, series = "overlay.series", other
    if sum(len(listed) for listed in series.values() if isinstance(listed, list)) > MAX_POINTS:
        raise fail(path, f"holds more than {MAX_POINTS} points", "TOO_MANY_POINTS")
    kept: dict[str, dict[str, _Placed]] = {}
    for key, listed in series.items():
        here = f"{path}.{key[:MAX_NAME]}"
        name = _name(key.strip(), here, drops)
        if name is None:
            continue
        if not isinstance(listed, list):
            drops.append(Drop(here, "not a list"))
            continue
        _series(name, listed, here, localise, kept.setdefault(name, {}), drops)
    return tuple(point for placed in kept.values() for _, _, point in sorted(placed.values(), key=itemgetter(0)))


def _series(
    name: str, listed: list[Any], path: str, localise: Localise, kept: dict[str, _Placed], drops: list[Drop]
) -> None:
    """Adds one KPI's points to `kept`, by their instant's text: the one loop here that is written for speed."""
    for index, item in enumerate(listed):
        if not isinstance(item, dict):
            drops.append(Drop(f"{path}[{index}]", "not an object"))
            continue
        told = item.get("t")
        instant = read_instant(told if told is not None else first(item, "time", "ts"), localise)
        value = item.get("v")
        value = number(value if value is not None else item.get("value"))
        if instant is None or value is None:
            drops.append(Drop(f"{path}[{index}]", "no time" if instant is None else "no finite value"))
            continue
        if not item.keys() <= _POINT:
            note_unknown(item, _POINT, f"{path}[{index}].", drops)
        text = told if isinstance(told, str) and _is_written_as_ours(told) else zulu(instant)
        if text in kept:
            drops.append(Drop(f"{path}[{kept[text][1]}]", "duplicate timestamp: a later point wins"))
        src = item.get("src")
        if src is not None:
            src = _source(src, f"{path}[{index}]", drops)
        kept[text] = instant, index, Point(name, text, value, src)


def _is_written_as_ours(text: str) -> bool:
    """Whether the text of a valid instant is just what `zulu` writes of it, which is the common case."""
    return len(text) == 20 and text[10::3] == "T::Z" and text[11:13] != "24"


def _source(src: Any, path: str, drops: list[Drop]) -> str | None:
    text = text_of(src)
    if text is None or len(text) > MAX_NAME:
        drops.append(Drop(f"{path}.src", f"not a text of at most {MAX_NAME} characters"))
        return None
    return text or None


def _extremes(by_kpi: Mapping[str, Any], localise: Localise, drops: list[Drop]) -> tuple[Extreme, ...]:
    found: list[Extreme] = []
    for key, sides in by_kpi.items():
        path = f"overlay.extremes.byKpi.{key[:MAX_NAME]}"
        name = _name(key.strip(), path, drops)
        if name is None:
            continue
        lists = as_object(sides, path, drops)
        note_unknown(lists, frozenset(SIDES), f"{path}.", drops)
        for side in SIDES:
            listed = lists.get(side)
            if isinstance(listed, list):
                found += _side(name, side, listed, f"{path}.{side}", localise, drops)
            elif listed is not None:
                drops.append(Drop(f"{path}.{side}", "not a list"))
    if len(found) > MAX_ITEMS:
        raise fail("overlay.extremes", f"holds more than {MAX_ITEMS} items", "TOO_MANY")
    return tuple(found)


def _side(
    name: str, side: str, listed: list[Any], path: str, localise: Localise, drops: list[Drop]
) -> Iterator[Extreme]:
    position = 0
    for here, item in objects(listed, path, drops):
        trade = _trade(item, here, drops)
        if trade.trade_id is None and trade.symbol is None and trade.contract_name is None:
            drops.append(Drop(here, "names no trade, symbol or contract"))
            continue
        position += 1
        yield Extreme(
            kpi=name,
            side=side,
            rank=_rank(item.get("rank"), position, here, drops),
            position=position,
            trade=trade,
            numbers=tuple(_number(item, field, here, drops) for field in EXTREME_NUMBERS),
            mid_ts=_mid_ts(item.get("mid_ts"), here, localise, drops),
            item=plain(item),
        )


def _rank(told: Any, position: int, path: str, drops: list[Drop]) -> int:
    rank = number(told)
    if rank is not None and rank == int(rank) and 1 <= rank <= MAX_RANK:
        return int(rank)
    if told is not None:
        drops.append(Drop(f"{path}.rank", "not a whole number from 1: its position is taken"))
    return position


def _number(item: Mapping[str, Any], field: str, path: str, drops: list[Drop]) -> Decimal | None:
    told = item.get(field)
    if told is None:
        return None
    found = number(told)
    if found is None:
        drops.append(Drop(f"{path}.{field}", "not a finite number"))
    return found


def _mid_ts(told: Any, path: str, localise: Localise, drops: list[Drop]) -> str | None:
    if told is None:
        return None
    instant = read_instant(told, localise)
    if instant is None:
        drops.append(Drop(f"{path}.mid_ts", "not a time"))
        return None
    return zulu(instant)


def _trade(item: Mapping[str, Any], path: str, drops: list[Drop]) -> TradeRef:
    told = first(item, "trade_id", "tradeId", "id")
    trade_id = text_of(told) or None
    contract = first_text(item, "contract_name", "contractName", "contract")
    symbol = text_of(item.get("symbol"))
    for field, text in (("trade_id", trade_id), ("symbol", symbol), ("contract_name", contract)):
        if len(text or "") > MAX_NAME:
            drops.append(Drop(f"{path}.{field}", f"cut after {MAX_NAME} characters"))
    return TradeRef(
        trade_id=(trade_id or "")[:MAX_NAME] or None,
        is_number=trade_id is not None and not isinstance(told, str),
        symbol=(symbol or "")[:MAX_NAME] or None,
        contract_name=contract[:MAX_NAME] or None,
    )


def _assets(overlay: Mapping[str, Any], drops: list[Drop]) -> tuple[TradeRef, ...]:
    path, listed = first_list(overlay, ("portfolioAssets", "assets"), "overlay.", drops)
    if len(listed) > MAX_ITEMS:
        raise fail(path, f"holds more than {MAX_ITEMS} assets", "TOO_MANY")
    kept: dict[tuple[str, str | None], tuple[str, TradeRef]] = {}
    for here, item in objects(listed, path, drops):
        trade = _trade(item, here, drops)
        if trade.trade_id is None:
            drops.append(Drop(here, "no trade id"))
            continue
        note_unknown(item, _ASSET, f"{here}.", drops)
        earlier = kept.pop((trade.trade_id, trade.contract_name), None)
        if earlier is not None:
            drops.append(Drop(earlier[0], "duplicate asset: a later one wins"))
        kept[trade.trade_id, trade.contract_name] = here, trade
    return tuple(trade for _, trade in kept.values())
