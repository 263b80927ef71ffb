"""Lever 3: the confidence charter."""

from typing import Any

import marshmallow as ma
from flask import Response

from database.governance import heimdall
from handlers.blueprint import Blueprint
from handlers.fields import Exact, Yes
from handlers.governance.fields import Acting, Anything, Days, Name, Whole, check_days, idempotency_key, take_who
from handlers.middleware.access import Execution, Role, access
from handlers.middleware.answers import answer
from handlers.services import services

blueprint = Blueprint(
    "governance-heimdall", __name__, url_prefix="/api/governance/heimdall", description="The confidence charter."
)


class CharterChange(Acting):
    """The thresholds of a domain; what is left out stays."""

    domain = Name(100, required=True)
    min_confidence_prod = Exact(low=0, high=1)
    min_sandbox_trials = Whole(0, 1_000_000_000)
    min_sandbox_success_rate = Exact(low=0, high=1)
    prod_use_enabled = Yes()
    scorecard_window_days = Whole(1, 3660)
    use_wilson = Yes()


class Trial(Acting):
    """A trial in the sandbox."""

    domain = Name(100, required=True)
    confidence = Exact(low=0, high=1, required=True)
    success = Yes(required=True)


class Advice(Acting):
    """A recommendation and what it stands on."""

    domain = Name(100, required=True)
    confidence = Exact(low=0, high=1, required=True)
    recommendation = Anything(load_default=None, allow_none=True)
    evidence = Anything(load_default=None, allow_none=True)


class Outcome(Acting):
    """What happened later."""

    success = Yes(required=True)
    followed = Yes(load_default=True)


class DomainQuery(ma.Schema):
    """One domain, or all."""

    domain = Name(100, load_default=None)


class ScorecardQuery(Days, DomainQuery):
    """Scorecards of some days."""


@blueprint.get("/policies")
@access(Role.READ, Execution.OBSERVE_ONLY)
def list_policies() -> Response:
    """The thresholds of every domain."""
    return answer(heimdall.select_policies(services().pool))


@blueprint.post("/policies/upsert")
@access(Role.ADMIN, Execution.OBSERVE_ONLY)
@blueprint.arguments(CharterChange, location="json")
def upsert_policy(given: dict[str, Any]) -> Response:
    """Set thresholds of a domain; only the fields sent change, so sending it twice is harmless."""
    who = take_who(given, required=True)
    return answer(heimdall.upsert_policy(services().pool, who, given.pop("domain"), given))


@blueprint.post("/sandbox/trial")
@access(Role.WRITE, Execution.SANDBOX_EXEC)
@blueprint.arguments(Trial, location="json")
def record_trial(given: dict[str, Any]) -> Response:
    """Count a trial into the day's scorecard. With an `Idempotency-Key` header it counts once."""
    who = take_who(given)
    card = heimdall.record_trial(
        services().pool,
        who,
        given["domain"],
        given["confidence"],
        success=given["success"],
        zone=services().settings.risk_day_zone,
        key=idempotency_key(),
    )
    return answer({"ok": True, **card})


@blueprint.get("/scorecard/today")
@access(Role.READ, Execution.OBSERVE_ONLY)
def show_scorecard() -> Response:
    """Today's scorecard of every domain that had a trial."""
    return answer(heimdall.select_scorecards(services().pool, services().settings.risk_day_zone))


@blueprint.get("/scorecard")
@access(Role.READ, Execution.OBSERVE_ONLY)
@blueprint.arguments(ScorecardQuery, location="query")
def list_scorecards(query: dict[str, Any]) -> Response:
    """Scorecards by day, newest first; `from` and `to` are days, today by default."""
    check_days(query["since"], query["until"])
    return answer(heimdall.select_scorecards(services().pool, services().settings.risk_day_zone, **query))


@blueprint.post("/recommend")
@access(Role.WRITE, Execution.OBSERVE_ONLY)
@blueprint.arguments(Advice, location="json")
def recommend(given: dict[str, Any]) -> Response:
    """Judge a recommendation by its domain's charter and keep it.

    Each call makes a recommendation of its own; with an `Idempotency-Key` header the same again answers the same,
    and other content under the same key is a conflict.
    """
    who = take_who(given)
    settings = services().settings
    made = heimdall.recommend(
        services().pool,
        who,
        given,
        zone=settings.risk_day_zone,
        seconds=settings.heimdall_eligible_seconds,
        key=idempotency_key(),
    )
    return answer(made)


@blueprint.post("/recommendations/<int:row_id>/outcome")
@access(Role.WRITE, Execution.OBSERVE_ONLY)
@blueprint.arguments(Outcome, location="json")
def record_outcome(given: dict[str, Any], row_id: int) -> Response:
    """What came of a recommendation, followed or not. The same again answers the same, another is a conflict."""
    who = take_who(given)
    return answer(
        heimdall.record_outcome(services().pool, who, row_id, success=given["success"], followed=given["followed"])
    )


@blueprint.get("/calibration")
@access(Role.READ, Execution.OBSERVE_ONLY)
@blueprint.arguments(DomainQuery, location="query")
def show_calibration(query: dict[str, Any]) -> Response:
    """Per tenth of confidence the claimed and the achieved rate, and the Brier score, of advice with an outcome."""
    return answer(heimdall.select_calibration(services().pool, query["domain"]))
