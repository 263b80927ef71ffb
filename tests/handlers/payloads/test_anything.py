"""Whatever JSON comes in, reading it gives events that can be stored, or one error with details."""

from dataclasses import fields
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from errors import Invalid
from handlers import payloads
from state.event import SignalEvent
from state.jsontext import dump, stored
from state.vocabulary import EVENT_NAMES, EVENT_TYPES, POSITION
from tests.handlers.payloads.reading_helpers import CONTEXT

OUR_NAMES = """
    trade_id signal_id event_type type automation_stage schema_version attributes signals message timestamp time date
    event_timestamp timenow direction bias side session entry_price price stop_loss sl_price exit_price mfe_R mfe be_mfe
    no_be_mfe mae_R final_mfe final_be_mfe targets target_1r risk_distance position_size qty exit_reason
    completion_reason resolution_type symbol timeframe setup market_state
"""
DIALECT_NAMES = """
    ticker action order_action side contracts order_price market_position market_position_size prev_market_position
    position_size strategy bar sentiment takeProfit stopLoss extras quantityType tv_instrument bot_uuid strategy_info
    order trigger_price tv_exchange pineconnector resync interval exchange order_id comment passphrase
"""
OUR_WORDS = """
    MFE_UPDATE_BATCH signal_created LONG NY_AM 1.0.0 2.0 be_stop target now 2025-11-20 09:30:00 2025-11-20T14:30:00Z
    2025-03-09T02:30:00 1763649000 1e64 NaN na 1,5 20500.25 20251120_BULLISH
    buy sell exit add reverse enter_long flat short bullish {{ticker}} CME:NQ1! buy,EURUSD,risk=1 closelongbuy,X,sl=1
"""
NAMES = st.sampled_from(OUR_NAMES.split() + DIALECT_NAMES.split())
WORDS = st.sampled_from([*EVENT_NAMES, *OUR_WORDS.split(), "", "a\0b", "\ud800"])
NUMBERS = st.one_of(
    st.integers(-(10**64), 10**64),
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**7), max_value=10**13),
    st.sampled_from([0, 1763649000, 1763649000000, Decimal("1E-127"), Decimal("1E+64")]),
    st.sampled_from([float("nan"), float("inf"), float("-inf")]),
)
LEAVES = st.one_of(
    st.none(), st.booleans(), NUMBERS, WORDS, st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
)


def objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects whose names are mostly ours."""
    return st.dictionaries(st.one_of(NAMES, NAMES, NAMES, st.text(max_size=5)), values, max_size=12)


VALUES = st.recursive(LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=4), objects(inner)), max_leaves=12)
TELEMETRY = {"schema_version": "1.0.0", "trade_id": "a", "event_type": "ENTRY"}
STRATEGY = st.fixed_dictionaries({"type": WORDS, "signal_id": WORDS})
DIALECTS = st.sampled_from(
    [
        {"ticker": "NQ1!", "action": "buy"},
        {"ticker": "NQ1!", "action": "sell", "sentiment": "flat"},
        {"ticker": "NQ1!", "strategy": {"order_action": "buy"}},
        {"tv_instrument": "NQ1!", "action": "exit_long"},
        {"pineconnector": "1,sell,EURUSD,sl=1,tp=x,price=1.1"},
    ]
)
ALERTS = st.one_of(
    st.builds(lambda known, body: {**body, **known}, DIALECTS, objects(VALUES)),
    st.builds(lambda known, body: {**known, **body}, DIALECTS, objects(LEAVES)),
    objects(VALUES),
    st.builds(lambda known, body: {**body, **known}, STRATEGY, objects(LEAVES)),
    objects(VALUES).map(lambda body: {**TELEMETRY, **body}),
    objects(VALUES).map(lambda body: {"attributes": {"trade_id": "a", **body}}),
    st.lists(objects(LEAVES), max_size=3).map(lambda items: {"event_type": "MFE_UPDATE_BATCH", "signals": items}),
)


def _check(event: SignalEvent) -> None:
    assert event.event_type in EVENT_TYPES or (event.event_type == POSITION and event.position)
    assert 1 <= len(event.trade_id) <= (400 if event.event_type == POSITION else 100)
    assert 2000 <= event.event_timestamp.year <= 2100
    assert (event.telemetry is None) != (event.legacy_payload is None)
    for field in fields(event):
        value = getattr(event, field.name)
        if isinstance(value, Decimal):
            assert value.is_finite()
    for body in (event.telemetry or event.legacy_payload, event.targets, [w.as_dict() for w in event.warnings]):
        text = dump(body)
        assert "\\u0000" not in text
        assert stored(text.encode("utf-8")) == body


@settings(derandomize=True, max_examples=600, deadline=None)
@given(ALERTS)
def test_reading_gives_storable_events_or_one_error(body: dict[str, Any]) -> None:
    try:
        outcomes = payloads.read(body, CONTEXT).outcomes
    except Invalid as error:
        assert error.message
        assert error.details
        dump([detail.as_dict() for detail in error.details]).encode("utf-8")
        return
    assert outcomes
    for outcome in outcomes:
        if isinstance(outcome, SignalEvent):
            _check(outcome)
        else:
            assert outcome.error.details
