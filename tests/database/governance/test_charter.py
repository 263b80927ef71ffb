"""The charter with a database: windows over days, permission used once, outcomes, repeats."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from database.governance import go_live, heimdall
from database.pool import Pool
from errors import AlertbookError, Conflict, NotFound
from tests.conftest import run_sql
from tests.database.governance.reserving import OPERATOR, TESTER

ADVICE: dict[str, Any] = {
    "domain": "BUYER_MATCH",
    "confidence": Decimal("0.95"),
    "recommendation": {"buyer": 7, "price": Decimal("1500.50")},
    "evidence": None,
}


@pytest.fixture
def pool(database_url: str) -> Iterator[Pool]:
    """A pool on a database where BUYER_MATCH may be used in production after two trials."""
    made = Pool(database_url, 2)
    changes = {"prod_use_enabled": True, "min_sandbox_trials": 2}
    heimdall.upsert_policy(made, OPERATOR, "BUYER_MATCH", changes)
    yield made
    made.close()


def trial(pool: Pool, success: bool = True, key: str | None = None) -> dict[str, Any]:
    return heimdall.record_trial(pool, TESTER, "BUYER_MATCH", Decimal("0.9"), success=success, zone="UTC", key=key)


def recommend(pool: Pool, key: str | None = None, **changes: Any) -> dict[str, Any]:
    return heimdall.recommend(pool, TESTER, {**ADVICE, **changes}, zone="UTC", seconds=600, key=key)


def use(pool: Pool, row_id: int, **changes: Any) -> str:
    """The code with which the use of a permission is refused, or "used"."""
    content = {"confidence": ADVICE["confidence"], "recommendation": ADVICE["recommendation"], **changes}
    try:
        with pool.transaction() as connection:
            heimdall.require_prod_eligible(connection, TESTER, row_id, **content)
    except AlertbookError as error:
        return error.code
    return "used"


def test_trials_count_over_the_window_of_days(pool: Pool, database_url: str) -> None:
    trial(pool)
    trial(pool)
    run_sql(database_url, "UPDATE heimdall_scorecard_day SET day = day - 29")
    assert recommend(pool)["gate_reason"] == "gate_pass"
    run_sql(database_url, "UPDATE heimdall_scorecard_day SET day = day - 1")
    assert recommend(pool)["gate_reason"] == "insufficient_sandbox_trials"


def test_a_trial_with_a_key_counts_once(pool: Pool) -> None:
    assert trial(pool, key="a")["trials"] == 1
    assert trial(pool, key="a")["trials"] == 1
    card = trial(pool, success=False)
    assert (card["trials"], card["success_rate"], card["avg_confidence"]) == (2, Decimal("0.5"), Decimal("0.9"))


def test_an_eligible_recommendation_is_used_once(pool: Pool) -> None:
    trial(pool)
    trial(pool)
    row_id = recommend(pool)["id"]
    assert use(pool, row_id, confidence=Decimal("0.96")) == "CONTENT_DIFFERS"
    assert use(pool, row_id, recommendation={"buyer": 8, "price": Decimal("1500.50")}) == "CONTENT_DIFFERS"
    assert use(pool, row_id, recommendation={"price": Decimal("1500.5"), "buyer": 7}) == "used"
    assert use(pool, row_id) == "RECOMMENDATION_USED"


def test_a_permission_ends(pool: Pool, database_url: str) -> None:
    trial(pool)
    trial(pool)
    old, stopped = recommend(pool)["id"], recommend(pool)["id"]
    run_sql(database_url, f"UPDATE heimdall_recommendation SET expires_at = clock_timestamp() WHERE id = {old}")  # noqa: S608
    assert use(pool, old) == "RECOMMENDATION_EXPIRED"
    go_live.set_kill_switch(pool, OPERATOR, engaged=True)
    assert use(pool, stopped) == "KILL_SWITCH_ENGAGED"
    go_live.set_kill_switch(pool, OPERATOR, engaged=False)
    heimdall.upsert_policy(pool, OPERATOR, "BUYER_MATCH", {"prod_use_enabled": False})
    assert use(pool, stopped) == "NOT_PROD_ELIGIBLE"
    assert use(pool, recommend(pool)["id"]) == "NOT_PROD_ELIGIBLE"
    assert use(pool, 10**9) == "RECOMMENDATION_NOT_FOUND"


def test_the_same_key_answers_the_same(pool: Pool) -> None:
    first = recommend(pool, key="k")
    assert recommend(pool, key="k") == first
    with pytest.raises(Conflict):
        recommend(pool, key="k", confidence=Decimal("0.5"))


def test_outcomes_feed_the_calibration(pool: Pool) -> None:
    one, other = recommend(pool)["id"], recommend(pool, confidence=Decimal(1))["id"]
    first = heimdall.record_outcome(pool, TESTER, one, success=True, followed=False)
    assert heimdall.record_outcome(pool, TESTER, one, success=True, followed=False) == first
    with pytest.raises(Conflict):
        heimdall.record_outcome(pool, TESTER, one, success=False, followed=False)
    with pytest.raises(NotFound):
        heimdall.record_outcome(pool, TESTER, 10**9, success=True, followed=True)
    heimdall.record_outcome(pool, TESTER, other, success=False, followed=True)
    found = heimdall.select_calibration(pool, "BUYER_MATCH")
    assert (found["count"], found["brier_score"]) == (2, Decimal("0.50125"))
    assert [(row["count"], row["achieved"]) for row in found["bins"]] == [(2, Decimal("0.5"))]
    assert heimdall.select_calibration(pool, "ELSEWHERE")["count"] == 0
