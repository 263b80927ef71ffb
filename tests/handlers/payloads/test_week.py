"""A week of alerts in each dialect, shuffled, whole and with one left out, against trades counted by hand."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from handlers import payloads
from handlers.middleware.bodies import alert_object
from handlers.payloads.credentials import take_credentials
from state.event import SignalEvent
from state.jsontext import dump
from state.position import PositionTrade, derive

MONDAY = datetime(2025, 11, 3, 14, 30, tzinfo=UTC)


class Fill(NamedTuple):
    """One fill of the true week: sizes are signed."""

    at: datetime
    before: int
    after: int
    price: Decimal

    @property
    def action(self) -> str:
        return "buy" if self.after > self.before else "sell"

    @property
    def size(self) -> int:
        return abs(self.after - self.before)


def week(seed: int, sizes: tuple[int, ...]) -> list[Fill]:
    """Five days of fills a few minutes apart, flat at both ends."""
    chance, position, fills = random.Random(seed), 0, []
    for number in range(120):
        choices = [size for size in sizes if size != position]
        after = chance.choice(choices) if number < 119 else 0
        if after == position:
            continue
        at = MONDAY + timedelta(days=number // 24, minutes=16 * (number % 24))
        fills.append(Fill(at, position, after, Decimal(chance.randint(80_000, 84_000)) / 4))
        position = after
    return fills


def truth(fills: list[Fill]) -> list[tuple[str, datetime, datetime, Decimal, int]]:
    """Side, opening, closing, points and largest size of each trade: what was sold less what was bought."""
    trades, opened, cash, most = [], fills[0].at, Decimal(0), 0
    for fill in fills:
        side = 1 if fill.before > 0 else -1
        if fill.before * fill.after > 0:
            cash -= (fill.after - fill.before) * fill.price
            most = max(most, abs(fill.after))
            continue
        if fill.before:
            cash += fill.before * fill.price
            trades.append(("LONG" if side > 0 else "SHORT", opened, fill.at, cash, most))
        opened, cash, most = fill.at, -fill.after * fill.price, abs(fill.after)
    return trades


def side(size: int) -> str:
    return "flat" if size == 0 else "long" if size > 0 else "short"


def positions(fill: Fill) -> dict[str, Any]:
    return {
        "market_position": side(fill.after), "market_position_size": str(abs(fill.after)),
        "prev_market_position": side(fill.before), "prev_market_position_size": str(abs(fill.before)),
    }  # fmt: skip


def stamp(fill: Fill) -> str:
    return fill.at.strftime("%Y-%m-%dT%H:%M:%SZ")


def order(fill: Fill) -> Any:
    said = {"ticker": "NQ1!", "action": fill.action.upper(), "contracts": str(fill.size), "price": str(fill.price)}
    return {**said, "timenow": stamp(fill), "secret": "hush", **positions(fill)}


def order_nested(fill: Fill) -> Any:
    inside = {"order_action": fill.action, "order_contracts": fill.size, "order_price": fill.price, **positions(fill)}
    return {"ticker": "NQ1!", "time": stamp(fill), "passphrase": "hush", "strategy": inside}


def traderspost(fill: Fill) -> Any:
    said = {"ticker": "NQ1!", "action": fill.action, "quantity": fill.size, "price": fill.price, "time": stamp(fill)}
    return {**said, "sentiment": side(fill.after), "extras": positions(fill)}


def threecommas(fill: Fill) -> Any:
    said = {"tv_instrument": "NQ1!", "action": fill.action, "trigger_price": fill.price, "timestamp": stamp(fill)}
    return {**said, "secret": "hush", "strategy_info": positions(fill), "order": {"amount": fill.size}}


COMMANDS = {(0, 1): "buy", (0, -1): "sell", (1, 0): "closelong", (-1, 0): "closeshort"}


def pineconnector(fill: Fill) -> Any:
    command = COMMANDS.get((fill.before, fill.after), "closelongopenshort" if fill.before > 0 else "closeshortopenlong")
    return f"6012345678, {command}, NQ1!, risk=1, price={fill.price}"


def read(fill: Fill, dialect: Callable[[Fill], Any]) -> SignalEvent:
    said = dialect(fill)
    body = take_credentials(alert_object((said if isinstance(said, str) else dump(said)).encode()))[1]
    context = payloads.Context(fill.at if dialect is pineconnector else MONDAY, "America/New_York")
    (event,) = payloads.read(body, context).outcomes
    assert isinstance(event, SignalEvent)
    return event


def outline(trades: list[PositionTrade], sized: bool) -> list[Any]:
    return [
        (one.side, one.entry_time, one.exit_time, one.realized_points, one.max_quantity if sized else 1)
        for one in trades
    ]


DIALECTS = [order, order_nested, traderspost, threecommas, pineconnector]


def fills_for(dialect: Callable[[Fill], Any], seed: int) -> list[Fill]:
    # a PineConnector line tells no sizes
    return week(seed, (-1, 0, 1) if dialect is pineconnector else (-2, -1, 0, 0, 1, 3))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_shuffled_week_gives_the_right_trades(dialect: Callable[[Fill], Any], seed: int) -> None:
    fills = fills_for(dialect, seed)
    events = [read(fill, dialect) for fill in fills]
    random.Random(seed).shuffle(events)
    trades, gaps = derive([*events, *events[:20]])
    assert outline(trades, dialect is not pineconnector) == truth(fills)
    assert gaps == []
    assert all(trade.status == "COMPLETED" and not trade.anomalies for trade in trades)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_week_without_one_alert_has_exactly_that_gap(dialect: Callable[[Fill], Any], seed: int) -> None:
    fills = fills_for(dialect, seed)
    # what a line of text leaves out shows where the next one closes what was never opened
    places = [
        place
        for place in range(1, len(fills) - 1)
        if dialect is not pineconnector or (fills[place].before == 0 and COMMANDS.get(fills[place + 1][1:3]))
    ]
    gone = random.Random(seed).choice(places)
    events = [read(fill, dialect) for place, fill in enumerate(fills) if place != gone]
    random.Random(seed).shuffle(events)
    trades, gaps = derive(events)
    assert [(gap.after, gap.before) for gap in gaps] == [(fills[gone - 1].at, fills[gone + 1].at)]
    right = set(truth(fills))
    certain = [trade for trade in trades if not trade.anomalies]
    assert set(outline(certain, dialect is not pineconnector)) <= right
    assert len(right) - len(certain) in (1, 2)
    assert {code for trade in trades for code in trade.anomalies} == {"ALERT_MISSING"}
    late, closed = derive([*events, read(fills[gone], dialect)])
    assert (outline(late, dialect is not pineconnector), closed) == (truth(fills), [])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_alert_keeps_a_credential(dialect: Callable[[Fill], Any]) -> None:
    event = read(week(0, (-1, 0, 1))[0], dialect)
    assert not {"hush", "6012345678"} & set(dump(event.legacy_payload).replace('"', ",").split(","))
