"""Reading any posted snapshot: nothing raises but the errors it promises, and nothing disappears unsaid."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import Invalid
from state.newyork import NEW_YORK
from state.snapshot import Head, Snapshot, Verdict, as_sent, judge, stamp, zulu
from state.snapshot_reading import normalise
from state.snapshot_values import localiser, read_day, read_instant

NOW = datetime(2026, 2, 11, 21, 0, tzinfo=UTC)
LOCALISE = localiser(NEW_YORK)

LEAVES = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.decimals() | st.just(float("nan"))
    | st.sampled_from(["2026-02-11T10:00:00Z", "2026-02-11", "$5", "1.5"])
)  # fmt: skip
NAMES = st.sampled_from(
    ["kpi", "name", "value", "val", "t", "ts", "v", "src", "hi", "lo", "byKpi", "trade_id", "id", "symbol", "contract",
     "rank", "metric_raw", "mid_ts", "A", "B", ""]
)  # fmt: skip
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=20
)


def read(body: dict[str, Any]) -> Snapshot:
    return normalise({"date": "2026-02-11", **body}, now=NOW, localise=LOCALISE)


@given(
    st.dictionaries(
        st.sampled_from(["rows", "kpis", "overlay", "updated_at", "headline", "source", "allow_empty"]), ANYTHING
    ),
    ANYTHING,
    ANYTHING,
    ANYTHING,
)
def test_anything_is_read_or_refused_in_words(body: dict[str, Any], series: Any, extremes: Any, assets: Any) -> None:
    overlay = {"seriesByKpi": series, "extremes": {"byKpi": extremes}, "assets": assets}
    try:
        snapshot = read({"overlay": overlay, **body})
    except Invalid as error:
        assert error.details[0].field in ("updated_at", "headline", "source", "allow_empty")
        return
    assert len({kpi.kpi for kpi in snapshot.kpis}) == len(snapshot.kpis)
    assert len({(point.kpi, point.t) for point in snapshot.points}) == len(snapshot.points)
    assert len({(asset.trade_id, asset.contract_name) for asset in snapshot.assets}) == len(snapshot.assets)
    assert all(isinstance(point.v, Decimal) and point.v.is_finite() for point in snapshot.points)


@given(st.lists(st.tuples(st.sampled_from("ABC "), LEAVES), max_size=8))
def test_every_row_is_kept_or_listed(rows: list[tuple[str, Any]]) -> None:
    snapshot = read({"rows": [{"kpi": name, "value": value} for name, value in rows]})
    lost = [drop for drop in snapshot.dropped if drop.path.count(".") == 0]
    assert len(snapshot.kpis) + len(lost) == len(rows)


@given(st.lists(st.tuples(LEAVES, LEAVES), max_size=8))
def test_every_point_is_kept_or_listed(points: list[tuple[Any, Any]]) -> None:
    listed = [{"t": t, "v": v} for t, v in points]
    snapshot = read({"overlay": {"series": {"A": listed}}})
    assert len(snapshot.points) + len(snapshot.dropped) == len(points)


@given(
    st.dictionaries(
        st.integers(0, 10**13).map(lambda microseconds: NOW + timedelta(microseconds=microseconds)),
        st.decimals(-(10**9), 10**9, places=6),
        min_size=1,
        max_size=20,
    ),
    st.integers(-14 * 60, 14 * 60),
)
def test_points_stand_in_order_of_time_whatever_their_zone(told: dict[datetime, Decimal], minutes: int) -> None:
    offset = timedelta(minutes=minutes)
    wall = [(instant + offset, value) for instant, value in told.items()]
    sign, size = ("-" if minutes < 0 else "+"), abs(minutes)
    suffix = f"{sign}{size // 60:02d}:{size % 60:02d}"
    points = [{"t": at.replace(tzinfo=None).isoformat() + suffix, "v": value} for at, value in wall]
    snapshot = read({"overlay": {"series": {"A": points}}})
    assert [(point.t, point.v) for point in snapshot.points] == [(zulu(at), told[at]) for at in sorted(told)]


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("2026-02-11T10:00:00Z", "2026-02-11T10:00:00Z"),
        ("2026-02-11 10:00:00.5+01:00", "2026-02-11T09:00:00.500000Z"),
        ("2026-02-11T10:00:00", "2026-02-11T15:00:00Z"),
        ("2026-07-01", "2026-07-01T04:00:00Z"),
        (1_770_000_000, "2026-02-02T02:40:00Z"),
        (1_770_000_000_500, "2026-02-02T02:40:00.500000Z"),
        (Decimal("1770000000.25"), "2026-02-02T02:40:00.250000Z"),
        ("1770000000", None),
        ("20260211T100000Z", None),
        ("2026-W07-3", None),
        ("2026-02-30T10:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("1969-12-31T23:59:59Z", None),
        ("\u0662026-02-11", None),
        (True, None),
        (12, None),
        ({}, None),
    ],
)
def test_instants(written: Any, read_as: str | None) -> None:
    instant = read_instant(written, LOCALISE)
    assert (zulu(instant) if instant else None) == read_as


def test_one_instant_in_many_spellings_is_one_point() -> None:
    spellings = ["2026-02-12T00:00:00Z", "2026-02-12T000000.0Z", "2026-02-12 00:00:00Z", "2026-02-11T24:00:00Z",
                 "2026-02-12T00:00:00.000Z", "2026-02-12T01:00:00+01:00", 1_770_854_400]  # fmt: skip
    snapshot = read({"overlay": {"series": {"A": [{"t": spelling, "v": 1} for spelling in spellings]}}})
    assert [point.t for point in snapshot.points] == ["2026-02-12T00:00:00Z"]
    assert len(snapshot.dropped) == len(spellings) - 1


def test_days() -> None:
    assert read_day("2024-02-29") == date(2024, 2, 29)
    assert [read_day(day) for day in ("2026-02-29", "2026-2-1", "2026-02-11T00:00", None, 5)] == [None] * 5


def test_ids_come_back_as_they_were_sent() -> None:
    sent = [101, "101x", "0101", Decimal("5.0"), -3]
    snapshot = read({"overlay": {"assets": [{"id": value} for value in sent]}})
    found = [as_sent(asset) for asset in snapshot.assets]
    assert found == sent
    assert [str(value) for value in found] == ["101", "101x", "0101", "5.0", "-3"]


def test_times_as_the_contract_shows_them() -> None:
    assert stamp(datetime(2026, 2, 11, 14, tzinfo=UTC)) == "2026-02-11T14:00:00.000Z"
    assert stamp(datetime(2026, 2, 11, 14, 0, 0, 1, tzinfo=UTC)) == "2026-02-11T14:00:00.000001Z"


@given(st.booleans(), st.booleans(), st.booleans(), st.sampled_from([-1, 0, 1]), st.booleans())
def test_what_may_take_the_place_of_what(was_empty: bool, is_empty: bool, allow: bool, later: int, same: bool) -> None:
    stored = Head(3, NOW, was_empty, "digest")
    verdict = judge(
        stored,
        updated_at=NOW + timedelta(seconds=later),
        is_empty=is_empty,
        digest="digest" if same else "other",
        allow_empty=allow,
    )
    if same:
        assert verdict is Verdict.SAME
    elif later < 0:
        assert verdict is Verdict.OLDER
    else:
        assert verdict is (Verdict.EMPTY if is_empty and not was_empty and not allow else Verdict.STORE)
    assert judge(None, updated_at=NOW, is_empty=True, digest="", allow_empty=False) is Verdict.STORE
