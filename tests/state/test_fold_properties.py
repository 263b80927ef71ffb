"""What must hold for every set of events, plausible or nasty."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state import jsontext
from state.anomalies import ANOMALIES
from state.event import SignalEvent
from state.lifecycle import OPEN_STATUSES, STATUSES
from state.statistics import outcome_of, summarise
from state.trade import Trade, as_of, fold, known_at
from state.vocabulary import CANCELLED, ENTRY, EVENT_NAMES, EVENT_TYPES, FINAL_EXITS
from tests.state.builders import OPENING

Draw = Callable[[st.SearchStrategy[Any]], Any]

ZONES = (UTC, ZoneInfo("America/New_York"))
NIGHT = datetime(2025, 11, 2, 5, 58, tzinfo=UTC)
NAMES = st.sampled_from((*EVENT_TYPES, *EVENT_TYPES, *sorted(EVENT_NAMES), "exit_sl", "MFE_UPDATE_BATCH", "junk"))
JSON_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**70), 10**70)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from(("", "NaN", "na", "1,234.5", "Bullish", "SELL", "12.5", "-1", "\x00", "\ud800"))
    | st.text(max_size=8)
)
JSON = st.recursive(
    JSON_LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PRICES = st.sampled_from([Decimal(text) for text in ("90", "95", "100", "100.00", "105", "110", "120", "0.00001234")])
MULTIPLES = st.sampled_from([Decimal(text) for text in ("0", "0.5", "1", "1.0", "2.95", "-0.4", "-1", "0.4", "7")])
SPELT = st.sampled_from((lambda value: value, str, lambda value: value))
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "direction": st.sampled_from(("Bullish", "Bearish", "LONG", "short")),
    "bias": st.sampled_from(("Bullish", "Bearish", "neutral")),
    "symbol": st.sampled_from(("NQ1!", "CME_MINI:NQ1!", "ES1!")),
    "strategy_id": st.sampled_from(("a", "b")),
    "strategy_name": st.sampled_from(("A", "B")),
    "timeframe": st.sampled_from(("1", "5")),
    "session": st.sampled_from(("NY AM", "ny_pm", "elsewhere")),
    "exit_reason": st.sampled_from(("STOP_LOSS", "be_stop_loss_hit")),
    **dict.fromkeys(("entry_price", "stop_loss", "exit_price", "risk_distance"), PRICES),
    **dict.fromkeys(("mfe", "be_mfe", "no_be_mfe", "mae", "final_mfe"), MULTIPLES),
    "targets": st.dictionaries(st.sampled_from(("tp1_price", "tp2_price", "target_1r", "x")), PRICES | JSON),
}
TELEMETRY_ONLY: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("mfe_R", "mae_R", "be_mfe_R", "no_be_mfe_R", "final_mfe_R", "mae_global_R"), MULTIPLES),
    **dict.fromkeys(("price", "sl_price", "resolution_price"), PRICES),
    "event_type": NAMES,
    "trade_id": st.just("T1"),
    "schema_version": st.sampled_from(("1.0.0", "1.2.0")),
    "event_timestamp": st.just("2025-11-20T14:30:00Z"),
    "exit_timestamp": st.none(),
    "setup": JSON,
    "market_state": st.dictionaries(st.text(max_size=5), JSON, max_size=3),
    "target_Rs": JSON,
}


@st.composite
def telemetry(draw: Draw) -> Any:
    """A telemetry body: good, garbled or junk; root or wrapped."""
    known = {**FIELDS, **TELEMETRY_ONLY}
    names = draw(st.lists(st.sampled_from(sorted(known)), max_size=10, unique=True))
    body = {name: draw(JSON if draw(st.integers(0, 9)) == 0 else known[name]) for name in names}
    body = {name: draw(SPELT)(value) if isinstance(value, Decimal) else value for name, value in body.items()}
    if "targets" in body and isinstance(body["targets"], dict):
        body["targets"]["target_Rs"] = draw(JSON)
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(JSON)
    return {"message": "", "attributes": body} if kind < 4 else body


@st.composite
def signal_events(draw: Draw) -> SignalEvent:
    """One event, its time within minutes of the others' (ties are likely) or in the night that repeats an hour."""
    names = draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=8, unique=True))
    start = draw(st.sampled_from((OPENING, NIGHT)))
    happened = start + timedelta(minutes=draw(st.integers(0, 6)))
    received = happened + timedelta(minutes=draw(st.sampled_from((0, 0, 1, 60, -5))))
    return SignalEvent(
        trade_id="T1",
        event_type=draw(NAMES),
        payload_version="direct",
        event_timestamp=happened.astimezone(draw(st.sampled_from(ZONES))),
        event_time_source="iso",
        received_at=received.astimezone(draw(st.sampled_from(ZONES))),
        event_key=f"key-{draw(st.integers(0, 30))}",
        telemetry=draw(st.none() | telemetry()),
        **{name: draw(FIELDS[name]) for name in names},
    )


EVENTS = st.lists(signal_events(), max_size=9)
quick = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def same(one: Trade, other: Trade) -> bool:
    """Equal, and written the same: 1.0 and 1.00 are equal as numbers only."""
    return one == other and repr(one) == repr(other) and one.as_dict() == other.as_dict()


@quick
@given(EVENTS, st.randoms(use_true_random=False), st.integers(0, 9))
def test_order_and_repetition_do_not_matter(events: list[SignalEvent], chance: Any, extra: int) -> None:
    shuffled = [*events, *chance.choices(events, k=extra)] if events else []
    chance.shuffle(shuffled)
    assert same(fold(shuffled), fold(events))


@quick
@given(EVENTS, st.integers(0, 9), st.booleans())
def test_folding_a_part_and_then_the_rest_equals_folding_all(
    events: list[SignalEvent], cut: int, overlapping: bool
) -> None:
    rest = events if overlapping else events[cut:]
    whole = fold(events)
    assert same(fold(rest, onto=fold(events[:cut])), whole)
    assert same(fold(events[:cut], onto=fold(rest)), whole)
    step: Trade | None = None
    for event in events:
        step = fold([event], onto=step)
    assert step is None or same(step, whole)


@quick
@given(EVENTS)
def test_every_trade_is_whole_and_writable(events: list[SignalEvent]) -> None:
    found = fold(events)
    assert found.status in STATUSES
    assert set(found.anomalies) <= set(ANOMALIES)
    assert list(found.anomalies) == sorted(set(found.anomalies))
    assert found.event_count == len(found.events) == len({event.event_key for event in events})
    assert (found.exit_time is not None) is (found.status == "COMPLETED")
    assert found.status not in OPEN_STATUSES or found.entry_time is not None
    assert found.duration_seconds is None or found.duration_seconds >= 0
    assert found.risk_distance is None or found.risk_distance > 0
    assert found.status == "COMPLETED" or (found.realized_r is None and found.final_mfe is None)
    assert found.max_mfe is None or all(
        told <= found.max_mfe for told in (found.current_mfe, found.be_mfe, found.no_be_mfe) if told is not None
    )
    assert jsontext.stored(jsontext.dump(found.as_dict(), ascii_only=True))["trade_id"] == found.trade_id
    numbers = summarise([outcome_of(found)])
    assert numbers["total_signals"] == found.event_count


@quick
@given(EVENTS)
def test_nothing_reopens_a_finished_trade(events: list[SignalEvent]) -> None:
    instants = sorted({event.event_timestamp.astimezone(UTC) for event in fold(events).events})
    finished = ""
    for instant in instants:
        status = fold(as_of(fold(events).events, instant)).status
        assert not finished or status == finished
        finished = status if status in ("COMPLETED", "CANCELLED") else ""


@quick
@given(
    EVENTS, signal_events(), st.sampled_from(("MFE_UPDATE", "BE_TRIGGERED", "EXIT_PARTIAL", "CANCELLED", "EXIT_MANUAL"))
)
def test_what_comes_after_an_exit_changes_nothing_but_the_count(
    events: list[SignalEvent], late: SignalEvent, kind: str
) -> None:
    done = fold([*events, finish(events)])
    after = replace(
        late,
        event_type=kind,
        event_key="late",
        telemetry=None,
        event_timestamp=max(event.event_timestamp.astimezone(UTC) for event in done.events) + timedelta(seconds=1),
    )
    more = fold([after], onto=done)
    ignored = {"event_count", "last_event_time", "anomalies"}
    assert {name: value for name, value in more.as_dict().items() if name not in ignored} == {
        name: value for name, value in done.as_dict().items() if name not in ignored
    }
    assert more.event_count == done.event_count + 1


def finish(events: Sequence[SignalEvent]) -> SignalEvent:
    """A manual exit after everything else."""
    last = max((event.event_timestamp.astimezone(UTC) for event in events), default=OPENING)
    return SignalEvent(
        trade_id="T1",
        event_type="EXIT_MANUAL",
        payload_version="direct",
        event_timestamp=last + timedelta(seconds=1),
        event_time_source="iso",
        received_at=last,
        event_key="finish",
    )


@quick
@given(EVENTS)
def test_the_callers_decimal_context_does_not_matter(events: list[SignalEvent]) -> None:
    expected = fold(events)
    with localcontext() as context:
        context.prec = 1
        assert same(fold(events), expected)


@quick
@given(EVENTS, st.integers(-10, 80))
def test_looking_back_keeps_what_was_there(events: list[SignalEvent], minutes: int) -> None:
    instant = OPENING + timedelta(minutes=minutes)
    for look_back, field in ((as_of, "event_timestamp"), (known_at, "received_at")):
        kept = look_back(events, instant)
        assert all(getattr(event, field).astimezone(UTC) <= instant for event in kept)
        assert all(event in kept or getattr(event, field).astimezone(UTC) > instant for event in events)


def test_every_order_of_a_small_replay_gives_the_same_trade() -> None:
    """Four events within milliseconds, as a chart that reloads its history sends them."""
    kinds = (ENTRY, "MFE_UPDATE", "BE_TRIGGERED", "EXIT_BREAK_EVEN")
    events = [
        SignalEvent(
            trade_id="T1",
            event_type=kind,
            payload_version="direct",
            event_timestamp=OPENING + timedelta(milliseconds=place),
            event_time_source="epoch",
            received_at=OPENING + timedelta(milliseconds=9 - place),
            event_key=kind,
        )
        for place, kind in enumerate(kinds)
    ]
    trades = [fold(order) for order in itertools.permutations(events)]
    assert all(same(found, trades[0]) for found in trades)
    assert trades[0].status == "COMPLETED"
    assert not {CANCELLED, *FINAL_EXITS} & set(kinds[:3])
