"""The snapshot that the rows of the four views make, as it is posted. Pure: rows in, plain values out."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any

from state.snapshot import EXTREME_NUMBERS, SIDES, stamp, zulu
from state.snapshot_values import Localise


class Dropped(dict[str, int]):
    """How many values were left out, by reason."""

    def count(self, reason: str) -> None:
        """One more."""
        self[reason] = self.get(reason, 0) + 1


def assemble(
    rows: Mapping[str, Iterable[Any]], *, day: date, updated_at: datetime, localise: Localise
) -> tuple[dict[str, Any], Dropped]:
    """(the snapshot to post, what was left out) of rows with the contract's columns.

    NULL stays null. A NaN or infinite number is left out and counted, and so is an item whose side is neither hi nor
    lo. `localise` gives times without an offset their zone.
    """
    dropped = Dropped()
    payload = {
        "date": day.isoformat(),
        "updated_at": stamp(updated_at),
        "headline": f"Haiphen metrics for {day}",
        "summary": "",
        "rows": [{"kpi": row.kpi_name, "value": _value(row.display_value)} for row in rows["kpis"]],
        "overlay": {
            "seriesByKpi": _series(rows["series"], localise, dropped),
            "extremes": {"byKpi": _extremes(rows["extremes"], localise, dropped)},
            "portfolioAssets": [
                {"trade_id": row.trade_id, "symbol": row.symbol, "contract_name": row.contract_name}
                for row in rows["portfolio"]
            ],
        },
        "source": "trades-sync",
    }
    return payload, dropped


def _is_nan(value: Any) -> bool:
    if isinstance(value, Decimal):
        return not value.is_finite()
    return isinstance(value, float) and not isfinite(value)


def _value(value: Any) -> Any:
    """A column's value for JSON: a float as the decimal it is written as, a number that is none as null."""
    if _is_nan(value):
        return None
    return Decimal(repr(value)) if isinstance(value, float) else value


def _time(value: Any, localise: Localise) -> Any:
    if not isinstance(value, datetime):
        return value
    return zulu(value if value.tzinfo is not None else localise(value))


def _series(rows: Iterable[Any], localise: Localise, dropped: Dropped) -> dict[str, list[dict[str, Any]]]:
    series: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if _is_nan(row.value):
            dropped.count("series_nan")
            continue
        point = {"t": _time(row.ts, localise), "v": _value(row.value)}
        if row.source:
            point["src"] = row.source
        series.setdefault(str(row.kpi_name), []).append(point)
    return series


def _extremes(rows: Iterable[Any], localise: Localise, dropped: Dropped) -> dict[str, dict[str, list[dict[str, Any]]]]:
    by_kpi: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        side = str(row.side).strip().lower()
        if side not in SIDES:
            dropped.count("extremes_side")
            continue
        item = {name: getattr(row, name) for name in ("rank", "trade_id", "symbol", "contract_name")}
        for name in EXTREME_NUMBERS:
            value = getattr(row, name)
            if _is_nan(value):
                dropped.count("extremes_nan")
            item[name] = _value(value)
        item["mid_ts"] = _time(row.mid_ts, localise)
        by_kpi.setdefault(str(row.kpi_name), {side: [] for side in SIDES})[side].append(item)
    return by_kpi
