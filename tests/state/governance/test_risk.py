"""The risk guard's decisions, by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.governance import risk
from state.governance.days import trading_day
from state.governance.go_live import Switches
from state.governance.risk import Ledger, Policy

LIVE = Switches(True, False)
CAPS = {
    "GLOBAL": Policy("GLOBAL", True, Decimal(250), Decimal(1500), Decimal(1500)),
    "WHOLESALE": Policy("WHOLESALE", True, Decimal(200), Decimal(1000), Decimal(1000), 2),
    "NOTIFY": Policy("NOTIFY"),
}


def decide(amount: object, engine: str = "WHOLESALE", switches: Switches = LIVE, **ledgers: Ledger) -> tuple[str, str]:
    decision = risk.decide(switches, CAPS, ledgers, engine, Decimal(str(amount)), enforced=True)
    assert decision.ok == (decision.reason == "reserved")
    return decision.reason, decision.message


@pytest.mark.parametrize(
    ("amount", "ledger", "expected"),
    [
        (50000, Ledger("WHOLESALE"), "GLOBAL hard stop: Daily exposure cap exceeded (50000 > 1500)"),
        (1000.5, Ledger("WHOLESALE"), "WHOLESALE hard stop: Daily exposure cap exceeded (1000.5 > 1000)"),
        (1, Ledger("WHOLESALE", actions_count=2), "WHOLESALE hard stop: Actions/day cap exceeded (3 > 2)"),
        (
            1,
            Ledger("WHOLESALE", open_risk_reserved=Decimal(1000)),
            "WHOLESALE hard stop: Open risk cap exceeded (1001 > 1000)",
        ),
        (
            1,
            Ledger("WHOLESALE", realized_loss=Decimal(200)),
            "WHOLESALE hard stop: Daily loss cap already reached (200 >= 200)",
        ),
    ],
)
def test_each_cap_says_its_sentence(amount: object, ledger: Ledger, expected: str) -> None:
    assert decide(amount, WHOLESALE=ledger) == ("would_exceed_policy", expected)


def test_a_cap_may_be_used_up_exactly() -> None:
    assert decide(1000) == ("reserved", "Reserved")
    assert decide("1000.0000000000000000000000000000000001")[0] == "would_exceed_policy"


def test_disabled_comes_before_every_cap() -> None:
    assert decide(50000, "NOTIFY") == ("policy_disabled", "NOTIFY hard stop: Policy disabled")
    assert decide(1, "NOBODY") == ("policy_disabled", "NOBODY hard stop: Policy disabled")


def test_switches_come_first() -> None:
    assert decide(1, "NOTIFY", Switches(False, True))[0] == "kill_switch_engaged"
    assert decide(1, "NOTIFY", Switches(False, False))[0] == "go_live_disabled"
    relaxed = risk.decide(Switches(False, False), CAPS, {}, "WHOLESALE", Decimal(1), enforced=False)
    assert relaxed.ok


def test_a_money_cap_of_zero_admits_nothing() -> None:
    policies = {"GLOBAL": Policy("GLOBAL", enabled=True)}
    decision = risk.decide(LIVE, policies, {}, "GLOBAL", Decimal("1e-30"), enforced=True)
    assert decision.reason == "would_exceed_policy"


@given(st.lists(st.decimals("0.01", "600", places=2), max_size=12), st.sampled_from(["GLOBAL", "WHOLESALE"]))
def test_no_sequence_of_grants_passes_a_cap(amounts: list[Decimal], engine: str) -> None:
    ledgers = {name: Ledger(name) for name in risk.engines_of(engine)}
    for amount in amounts:
        if risk.decide(LIVE, CAPS, ledgers, engine, amount, enforced=True).ok:
            ledgers = {name: ledger.plus(amount) for name, ledger in ledgers.items()}
    for name, ledger in ledgers.items():
        assert ledger.exposure_used <= CAPS[name].max_daily_exposure
        assert ledger.actions_count <= (CAPS[name].max_actions_per_day or 12)


@pytest.mark.parametrize(
    ("reserved", "state", "filled", "loss", "expected"),
    [
        (100, "open", None, 7, (0, -100, 7, 0)),
        (100, "open", 60, 7, (-40, -100, 7, 0)),
        (100, "open", 130, -5, (30, -100, 0, 1)),
        (100, "expired", 60, 0, (60, 0, 0, 1)),
        (100, "released", None, 0, (100, 0, 0, 1)),
        (100, "denied", 120, 1, (120, 0, 1, 2)),
        (0, "none", 10, 1, (10, 0, 1, 1)),
    ],
)
def test_what_a_settlement_changes(
    reserved: int, state: str, filled: int | None, loss: int, expected: tuple[int, ...]
) -> None:
    outcome = risk.settle(Decimal(reserved), state, None if filled is None else Decimal(filled), Decimal(loss))
    breaches = Decimal(len(outcome.breaches))
    changes = (outcome.exposure_change, outcome.open_risk_change, outcome.loss_change, breaches)
    assert changes == tuple(map(Decimal, expected))


@pytest.mark.parametrize(
    ("instant", "zone", "day"),
    [
        ("2026-03-08T04:59:59.999999+00:00", "America/New_York", date(2026, 3, 7)),
        ("2026-03-08T05:00:00+00:00", "America/New_York", date(2026, 3, 8)),
        ("2026-03-09T03:59:59+00:00", "America/New_York", date(2026, 3, 8)),  # 23 hours long
        ("2026-03-09T04:00:00+00:00", "America/New_York", date(2026, 3, 9)),
        ("2026-11-01T04:00:00+00:00", "America/New_York", date(2026, 11, 1)),
        ("2026-11-02T04:59:59+00:00", "America/New_York", date(2026, 11, 1)),  # 25 hours long
        ("2026-11-02T05:00:00+00:00", "America/New_York", date(2026, 11, 2)),
        ("2026-11-02T00:00:00+00:00", "UTC", date(2026, 11, 2)),
        ("2026-11-01T19:00:00-05:00", "UTC", date(2026, 11, 2)),
    ],
)
def test_the_trading_day_on_nights_when_clocks_change(instant: str, zone: str, day: date) -> None:
    assert trading_day(datetime.fromisoformat(instant), zone) == day


def test_an_instant_without_offset_has_no_trading_day() -> None:
    with pytest.raises(ValueError, match="time zone"):
        trading_day(datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None), "UTC")


def test_what_is_left_is_never_below_zero() -> None:
    policy = {**CAPS["WHOLESALE"].as_dict(), "max_actions_per_day": 1}
    ledger = Ledger("WHOLESALE", Decimal(1100), Decimal(10), Decimal(200), 2).as_dict()
    expected = {"exposure_left": 0, "open_risk_left": 990, "loss_left": 0, "actions_left": 0}
    assert risk.left(policy, ledger) == expected
    assert risk.left(CAPS["GLOBAL"].as_dict(), ledger)["actions_left"] is None


def test_only_a_trip_needs_a_reason_to_go_on() -> None:
    tripped = {"reason": "Breach: filled twice", "enabled": False}
    assert risk.needs_reason(tripped, {"enabled": True}, None)
    assert not risk.needs_reason(tripped, {"enabled": True}, "looked at")
    assert not risk.needs_reason(tripped, {"max_daily_loss": 1}, None)
    assert not risk.needs_reason({"reason": None, "enabled": False}, {"enabled": True}, None)
    assert not risk.needs_reason(None, {"enabled": True}, None)
