"""The charter's gates, the Wilson bound, calibration and the binding to content."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.governance import heimdall
from state.governance.heimdall import Bin, Charter

OPEN = Charter("D", Decimal("0.92"), 75, Decimal("0.82"), prod_use_enabled=True)


@pytest.mark.parametrize(
    ("confidence", "trials", "successes", "reason"),
    [
        ("0.91", 0, 0, "confidence_below_threshold"),
        ("0.92", 74, 74, "insufficient_sandbox_trials"),
        ("0.92", 75, 61, "sandbox_success_rate_below_threshold"),
        ("0.92", 100, 82, "gate_pass"),
        ("1", 75, 62, "gate_pass"),
    ],
)
def test_the_gates_in_their_order(confidence: str, trials: int, successes: int, reason: str) -> None:
    assert heimdall.gate(OPEN, Decimal(confidence), trials, successes) == reason


def test_production_is_off_until_it_is_on() -> None:
    assert heimdall.gate(Charter("D"), Decimal(1), 1000, 1000) == "prod_use_disabled"


def test_no_trial_clears_no_rate() -> None:
    untried = Charter("D", Decimal(0), 0, Decimal("0.01"), prod_use_enabled=True)
    assert heimdall.gate(untried, Decimal(1), 0, 0) == "sandbox_success_rate_below_threshold"


def test_wilson_asks_for_more_than_the_bare_rate() -> None:
    careful = Charter("D", Decimal("0.92"), 75, Decimal("0.82"), prod_use_enabled=True, use_wilson=True)
    assert heimdall.gate(careful, Decimal("0.92"), 100, 82) == "sandbox_success_rate_below_threshold"
    assert heimdall.gate(careful, Decimal("0.92"), 100, 90) == "gate_pass"


def test_wilson_s_bound_by_hand() -> None:
    # 90 of 100: (0.9 + 0.019207 - 1.96 * sqrt(0.0009 + 0.000096)) / 1.038415
    assert round(heimdall.wilson_lower(100, 90), 6) == Decimal("0.825634")
    assert heimdall.wilson_lower(0, 0) == 0
    assert heimdall.wilson_lower(10, 0) == 0


@given(st.integers(1, 10_000), st.data())
def test_wilson_s_bound_lies_below_the_rate(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    assert 0 <= heimdall.wilson_lower(trials, successes) <= Decimal(successes) / trials


def test_calibration() -> None:
    bins = [Bin(9, 2, Decimal("1.9"), 1, Decimal("0.905")), Bin(5, 1, Decimal("0.5"), 1, Decimal("0.25"))]
    found = heimdall.calibrate(bins)
    assert (found["count"], found["brier_score"]) == (3, Decimal("0.385"))
    assert found["bins"][0] == {"from": Decimal("0.5"), "to": Decimal("0.6"), "count": 1, "claimed": Decimal("0.5"), "achieved": 1}  # fmt: skip  # noqa: E501
    assert heimdall.calibrate([]) == {"count": 0, "brier_score": None, "bins": []}


def test_permission_is_bound_to_content() -> None:
    first = heimdall.content_hash("D", Decimal("0.95"), {"price": Decimal("1500.0"), "id": 1})
    assert first == heimdall.content_hash("D", Decimal("0.950"), {"id": 1, "price": 1500})
    others = [
        heimdall.content_hash("D", Decimal("0.95"), {"id": 1, "price": Decimal("1500.01")}),
        heimdall.content_hash("D", Decimal("0.95"), {"id": 1, "price": "1500"}),
        heimdall.content_hash("D", Decimal("0.95"), {"id": True, "price": 1500}),
        heimdall.content_hash("E", Decimal("0.95"), {"id": 1, "price": 1500}),
        heimdall.content_hash("D", Decimal("0.96"), {"id": 1, "price": 1500}),
    ]
    assert len({first, *others}) == 6
