"""Trades out of position alerts: by hand, and by their laws."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import position
from state.continuity import Gap
from state.event import SignalEvent
from state.position import Checkpoint, PositionTrade, fold_stream, opened_at, stream_id, stream_name, stream_of
from tests.state.builders import at, event

STREAM = "pos~S:NQ1!:CME:5"


def derive(events: Sequence[SignalEvent]) -> Any:
    """Trades and gaps, their numbers free to be compared with whole ones."""
    return position.derive(events)


def holding(size: int | str | None) -> dict[str, Any] | None:
    """A signed size as the canonical position tells it."""
    if size is None:
        return None
    number = Decimal(size)
    side = "flat" if number == 0 else "long" if number > 0 else "short"
    return {"market_position": side, "market_position_size": abs(number)}


def alert(
    minute: float, before: Any, after: Any, price: Any = None, *, key: str | None = None, **told: Any
) -> SignalEvent:
    """One alert that tells the position before and after it, as signed sizes."""
    position = {
        "action": told.pop("action", None),
        "quantity": told.pop("quantity", None),
        "price": None if price is None else Decimal(price),
        "before": holding(before),
        "after": holding(after),
        **told,
    }
    name = key or f"{minute}:{before}:{after}:{price}"
    return event("POSITION", minute, trade_id=STREAM, key=name, position=position, symbol="NQ1!")


def acted(minute: float, action: str, price: Any = None, quantity: Any = None, side: str | None = None) -> SignalEvent:
    """One alert that tells what was done, and perhaps the side that came of it."""
    made = alert(minute, None, None, price, key=f"{minute}{action}{price}", action=action)
    after = {"market_position": side} if side else None
    size = None if quantity is None else Decimal(quantity)
    position = {**(made.position or {}), "quantity": size, "after": after}
    return event("POSITION", minute, trade_id=STREAM, key=made.event_key, position=position)


def shown(trade: PositionTrade) -> dict[str, Any]:
    names = ("side", "status", "quantity", "max_quantity", "avg_entry_price", "avg_exit_price", "realized_points")
    return {name: getattr(trade, name) for name in names}


def test_adds_and_partial_exits_by_hand() -> None:
    # 1 at 100, 1 at 110: average 105. Out 1 at 120 (+15), out 1 at 90 (-15).
    (trade,), gaps = derive(
        [alert(0, 0, 1, 100), alert(1, 1, 2, 110), alert(2, 2, 1, 120), alert(3, 1, 0, 90, order_id="Close")]
    )
    assert shown(trade) == {
        "side": "LONG", "status": "COMPLETED", "quantity": 0, "max_quantity": 2,
        "avg_entry_price": 105, "avg_exit_price": 105, "realized_points": 0,
    }  # fmt: skip
    assert trade.trade_id == f"{STREAM}@20251120T143000Z"
    (partial,) = trade.partial_exits
    assert (partial["price"], partial["quantity"], partial["realized_points"]) == (120, 1, 15)
    assert (trade.event_count, trade.duration_seconds, trade.exit_reason, gaps) == (4, 180, "FLAT", [])


def test_a_running_trade_shows_what_its_exits_brought() -> None:
    (trade,), _ = derive([alert(0, 0, -3, 100), alert(1, -3, -1, 90)])
    assert shown(trade) == {
        "side": "SHORT", "status": "ACTIVE", "quantity": 1, "max_quantity": 3,
        "avg_entry_price": 100, "avg_exit_price": 90, "realized_points": 20,
    }  # fmt: skip
    assert (trade.exit_price, trade.exit_time) == (None, None)


def test_a_reversal_closes_one_and_opens_the_next() -> None:
    (long, short), gaps = derive([alert(0, 0, 1, 100), alert(1, 1, -2, 103), alert(2, -2, 0, 101)])
    assert (long.realized_points, long.exit_reason, short.realized_points, short.max_quantity) == (3, "REVERSED", 4, 2)
    assert (long.exit_time, short.entry_time) == (at(1), at(1))
    assert (long.event_count + short.event_count, gaps) == (3, [])


def test_thirds_are_exact_until_the_last_division() -> None:
    (trade,), _ = derive([alert(0, 0, 1, "0.1"), alert(1, 1, 3, "0.2"), alert(2, 3, 2, "0.3"), alert(3, 2, 0, "0.3")])
    assert trade.avg_entry_price == Decimal("0.1666666666666666666666666667")
    assert trade.realized_points == Decimal("0.4")


def test_risk_and_r_where_the_opening_tells_a_stop() -> None:
    opening = event(
        "POSITION", 0, trade_id=STREAM, key="a", position=alert(0, 0, 2, 100).position, stop_loss=Decimal(90)
    )
    (trade,), _ = derive([opening, alert(1, 2, 0, 125)])
    assert (trade.risk_distance, trade.realized_r) == (10, Decimal("2.5"))


def test_two_trades_of_one_instant_have_ids_of_their_own() -> None:
    trades, gaps = derive([alert(0, 0, 1, 100), alert(0, 1, 0, 101), alert(0, 0, 2, 102), alert(0, 2, 0, 99)])
    assert [trade.trade_id for trade in trades] == [f"{STREAM}@20251120T143000Z", f"{STREAM}@20251120T143000Z.2"]
    assert ([trade.realized_points for trade in trades], gaps) == ([1, -6], [])


# -- continuity ----------------------------------------------------------------------------------------------------


def gap_of(*events: SignalEvent) -> list[tuple[datetime, datetime, Any, Any]]:
    return [(gap.after, gap.before, gap.as_dict()["expected"], gap.as_dict()["found"]) for gap in derive(events)[1]]


def test_a_missing_close_is_a_gap_and_marks_its_trade() -> None:
    events = [alert(0, 0, 1, 100), alert(2, 0, 1, 120), alert(3, 1, 0, 130)]
    first, second = derive(events)[0]
    assert (first.status, first.anomalies, first.realized_points, first.exit_price) == (
        "COMPLETED", ("ALERT_MISSING",), None, None,
    )  # fmt: skip
    assert (second.anomalies, second.realized_points) == ((), 10)
    assert gap_of(*events) == [(at(0), at(2), holding(1), holding(0))]
    trades, gaps = derive([*events, alert(1, 1, 0, 90)])
    assert ([trade.realized_points for trade in trades], gaps) == ([-10, 10], [])


def test_a_missing_opening_is_a_gap_and_its_trade_has_no_entry() -> None:
    trades, gaps = derive([alert(0, 0, 1, 100), alert(1, 1, 0, 101), alert(3, -2, 0, 90)])
    assert len(gaps) == 1
    assert (trades[1].side, trades[1].anomalies, trades[1].entry_price, trades[1].exit_price) == (
        "SHORT", ("ALERT_MISSING",), None, 90,
    )  # fmt: skip


def test_a_missing_add_leaves_the_average_unknown() -> None:
    (trade,), gaps = derive([alert(0, 0, 1, 100), alert(2, 2, 0, 90)])
    assert (trade.max_quantity, trade.avg_entry_price, trade.realized_points, len(gaps)) == (2, None, None, 1)


@pytest.mark.parametrize(
    "events",
    [
        [alert(0, 0, 1, 1), alert(1, 1, 2, 1), alert(2, 2, 3, 1)],  # pyramiding
        [alert(0, 0, 1, 1), alert(5, 1, 0, 2), alert(5, 0, -1, 2)],  # a pair in the same second
        [alert(0, 2, 1, 1)],  # the first alert known
        [alert(0, 0, 1, 1), alert(60 * 72, 0, 1, 1)],  # a long silence
        [alert(0, 0, 1, 1), alert(1, 0, 1, 1, resync=True)],
        [acted(0, "CANCEL"), alert(1, 3, 4, 1)],
        [acted(0, "EXIT_ALL")],
        [alert(0, 0, 1, 1), alert(1, None, 0, 1), acted(2, "EXIT_ALL")],
    ],
)
def test_these_are_no_gaps(events: list[SignalEvent]) -> None:
    assert derive(events)[1] == []


def test_a_restarted_script_ends_what_ran() -> None:
    first, second = derive([alert(0, 0, 1, 1), alert(60 * 72, 0, 1, 1)])[0]
    assert (first.status, first.anomalies, second.status, second.anomalies) == ("COMPLETED", ("RESYNC",), "ACTIVE", ())


def test_what_was_open_before_the_first_alert() -> None:
    (trade,), _ = derive([alert(0, 2, 1, 100)])
    assert (trade.anomalies, trade.quantity, trade.entry_time, trade.avg_entry_price) == (
        ("OPENED_UNSEEN",), 1, None, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("events", "gaps"),
    [
        ([acted(0, "LONG"), acted(1, "EXIT_LONG")], 0),
        ([acted(0, "EXIT_ALL"), acted(1, "EXIT_LONG")], 1),
        ([acted(0, "LONG"), acted(1, "EXIT_SHORT")], 1),
        ([acted(0, "EXIT_ALL"), acted(1, "EXIT")], 1),
        ([acted(0, "EXIT_ALL"), acted(1, "BUY", quantity=1, side="flat")], 1),
        ([acted(0, "LONG"), acted(1, "ADD", side="short")], 1),
        ([acted(0, "LONG"), acted(1, "REVERSE"), acted(2, "EXIT_SHORT")], 0),
    ],
)
def test_what_an_action_presupposes(events: list[SignalEvent], gaps: int) -> None:
    assert len(derive(events)[1]) == gaps


def test_actions_alone_make_trades() -> None:
    events = [
        acted(0, "BUY", 100, 1), acted(1, "BUY", 104, 1), acted(2, "SELL", 110, 3), acted(3, "BUY", 105, 1),
        acted(4, "LONG", 100), acted(5, "RENEW_LONG", 103), acted(6, "EXIT", 104),
    ]  # fmt: skip
    trades, gaps = derive(events)
    assert [(trade.side, trade.realized_points) for trade in trades] == [
        ("LONG", 16), ("SHORT", 5), ("LONG", 3), ("LONG", 1),
    ]  # fmt: skip
    assert gaps == []


def test_an_order_that_tells_what_it_left_is_checked_by_arithmetic() -> None:
    def order(minute: float, action: str, after: Any) -> SignalEvent:
        return alert(minute, None, after, 100, action=action, quantity=Decimal(1))

    assert derive([order(0, "BUY", 1), order(1, "BUY", 2), order(2, "SELL", 1)])[1] == []
    assert len(derive([order(0, "BUY", 1), order(2, "SELL", 1)])[1]) == 1


# -- laws ------------------------------------------------------------------------------------------------------------

SIZES = st.lists(st.integers(-3, 3), min_size=1, max_size=14)


@st.composite
def courses(draw: st.DrawFn) -> list[SignalEvent]:
    """A true course of a position from flat, some alerts of it in the same instant."""
    sizes, minute = [0, *draw(SIZES)], 0
    events = []
    for number, (before, after) in enumerate(pairwise(sizes)):
        minute += draw(st.sampled_from((0, 1, 1, 2)))
        if before != after:
            events.append(alert(minute, before, after, draw(st.integers(90, 110)), key=f"k{number}"))
    return events


def outline(trades: Sequence[PositionTrade]) -> list[tuple[Any, ...]]:
    return [(trade.as_dict(), [event.event_key for event in trade.events]) for trade in trades]


@given(courses(), st.randoms(use_true_random=False))
def test_order_and_repetition_make_no_difference(events: list[SignalEvent], random: Any) -> None:
    trades, gaps = derive(events)
    shuffled = [*events, *random.sample(events, len(events) // 2)]
    random.shuffle(shuffled)
    again, gaps_again = derive(shuffled)
    assert (outline(again), gaps_again) == (outline(trades), gaps)


@given(courses())
def test_a_whole_course_has_no_gap_and_its_points_add_up(events: list[SignalEvent]) -> None:
    trades, gaps = derive(events)
    assert gaps == []
    assert sum(trade.event_count for trade in trades) == len(events)
    assert all(trade.anomalies == () for trade in trades)
    if trades and trades[-1].status == "COMPLETED":
        bought = sum(Decimal(_signed(e, "after") - _signed(e, "before")) * (e.position or {})["price"] for e in events)
        assert sum(trade.realized_points or 0 for trade in trades) == -bought


def _signed(made: SignalEvent, name: str) -> Decimal:
    told = (made.position or {})[name]
    return {"long": 1, "short": -1, "flat": 0}[told["market_position"]] * Decimal(told["market_position_size"])


@given(courses(), st.data())
def test_one_alert_left_out_is_exactly_one_gap(events: list[SignalEvent], data: st.DataObject) -> None:
    # one alert a minute, so that nothing else can stand in for the one left out
    spaced = [
        event("POSITION", n, trade_id=STREAM, key=made.event_key, position=made.position)
        for n, made in enumerate(events)
    ]
    if len(spaced) < 3:
        return
    gone = data.draw(st.integers(1, len(spaced) - 2))
    missing = spaced[gone]
    _, gaps = derive(spaced[:gone] + spaced[gone + 1 :])
    assert [(gap.after, gap.before) for gap in gaps] == [(at(gone - 1), at(gone + 1))]
    assert gaps[0].expected.as_dict() == (missing.position or {})["before"]
    assert gaps[0].found.as_dict() == (missing.position or {})["after"]


ACTIONS = st.sampled_from(
    ("BUY", "SELL", "LONG", "SHORT", "EXIT", "EXIT_ALL", "EXIT_LONG", "EXIT_SHORT", "ADD", "REVERSE", "RENEW_LONG",
     "RENEW_SHORT", "CANCEL")
)  # fmt: skip


@st.composite
def anything(draw: st.DrawFn) -> list[SignalEvent]:
    """Alerts that tell all, some or nothing of a position, true or not, some in the same instant, some after weeks."""
    events, minute = [], 0
    for number in range(draw(st.integers(1, 25))):
        minute += draw(st.sampled_from((0, 1, 1, 1, 1, 1, 60 * 73)))
        made = alert(
            minute,
            draw(st.none() | st.integers(-2, 2)),
            draw(st.none() | st.integers(-2, 2)),
            draw(st.none() | st.integers(90, 110)),
            key=f"k{number}",
            action=draw(st.none() | ACTIONS),
            quantity=draw(st.none() | st.integers(0, 3).map(Decimal)),
            resync=draw(st.sampled_from((False, False, False, True))),
        )
        events.append(made)
    return events


class Kept:
    """What a store keeps of a stream, brought up to date from the last checkpoint that an arrival leaves standing."""

    def __init__(self) -> None:
        self.events: list[SignalEvent] = []
        self.trades: list[PositionTrade] = []
        self.gaps: list[Gap] = []
        self.checkpoints: list[Checkpoint] = []
        self.loose = 0
        self.walked = 0

    def take(self, arrived: Sequence[SignalEvent]) -> None:
        self.events += arrived
        since = min(one.event_timestamp for one in arrived)
        standing = [one for one in self.checkpoints if one.at < since]
        start = standing[-1] if standing else None
        again = [one for one in self.events if start is None or one.event_timestamp >= start.at]
        self.walked += len(again)
        folded = fold_stream(again, start)
        self.trades = [one for one in self.trades if start and opened_at(one.trade_id) < start.at] + folded.trades  # type: ignore[operator]
        self.gaps = [one for one in self.gaps if start and one.before < start.at] + folded.gaps
        self.checkpoints = standing + folded.checkpoints
        self.loose = folded.loose if start is None else self.loose


@pytest.mark.parametrize("every", [1, 3])
def test_a_fold_from_a_checkpoint_is_the_whole_fold(every: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(position, "CHECKPOINT_EVERY", every)

    @given(courses() | anything(), st.lists(st.integers(1, 5), max_size=12), st.randoms(use_true_random=False))
    def follow(events: list[SignalEvent], sizes: list[int], random: Any) -> None:
        waiting, kept = list(events), Kept()
        for place in range(len(waiting) - 1):  # mostly in order, some late by a few, some by many
            other = min(len(waiting) - 1, place + random.choice((0, 0, 0, 1, 2, 9)))
            waiting[place], waiting[other] = waiting[other], waiting[place]
        while waiting:
            size = sizes.pop() if sizes else 1
            kept.take(waiting[:size])
            waiting = waiting[size:]
        whole = fold_stream(events)
        assert outline(kept.trades) == outline(whole.trades)
        assert (kept.gaps, kept.loose) == (whole.gaps, whole.loose)

    follow()


@pytest.mark.parametrize("sizes", [(0, 1), (1, -1), (0, 1, 2, 1)])
def test_what_comes_in_order_folds_little_again(sizes: tuple[int, ...]) -> None:
    kept = Kept()
    for number in range(600):
        before = 0 if number == 0 else sizes[(number - 1) % len(sizes)]
        kept.take([alert(number, before, sizes[number % len(sizes)], 100 + number % 7, key=f"k{number}")])
    assert kept.walked < 600 * 3 * position.CHECKPOINT_EVERY
    assert outline(kept.trades) == outline(fold_stream(kept.events).trades)


def test_stream_ids_are_one_to_one_and_found_in_derived_ids() -> None:
    made = stream_id("EMA Cross (20, 50)", "nq1!", "CME", "5")
    assert made == "pos~EMA~Cross~*2820*2C~50*29:NQ1!:CME:5"
    assert stream_of(f"{made}@20251120T143000Z") == made
    assert opened_at(f"{made}@20251120T143000Z") == opened_at(f"{made}@20251120T143000Z.2") == at(0)
    assert opened_at(f"{made}@20251120T143000.000007Z") == at(0) + timedelta(microseconds=7)
    assert [opened_at(one) for one in (made, f"{made}@20251340T143000Z", f"{made}@x")] == [None] * 3
    assert stream_of("20251120_143000000_BULLISH") is None
    assert (
        len(
            {
                stream_id(*parts)
                for parts in (
                    ("a", "b", None, None),
                    ("a:b", "b", None, None),
                    (None, "a", "b", None),
                    ("-", "a", "b", None),
                )
            }
        )
        == 4
    )


def test_silence_is_measured_between_alerts() -> None:
    just = alert(0, 0, 1, 1), alert(60 * 72 - 1, 0, 1, 1)
    assert timedelta(hours=72) > just[1].event_timestamp - just[0].event_timestamp
    assert len(derive(just)[1]) == 1


@given(st.tuples(*[st.text(st.characters(exclude_categories=["Cs"]), max_size=20)] * 4))
def test_a_streams_name_tells_its_parts(parts: tuple[str, str, str, str]) -> None:
    strategy, symbol, exchange, interval = parts
    told = [strategy.strip(), symbol.upper().strip(), exchange.strip(), interval.strip()]
    stream = stream_id(*parts)
    assert stream_name(stream) in (", ".join(one for one, part in zip(told, parts, strict=True) if part), stream)
