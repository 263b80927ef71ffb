"""Lever 4: the regression tripwire."""

from typing import Any

import marshmallow as ma
from flask import Response

from database.governance import regression
from handlers.blueprint import Blueprint
from handlers.fields import Exact, Text, Yes
from handlers.governance.fields import Acting, Anything, Name, Whole, idempotency_key, take_who
from handlers.middleware.access import Execution, Role, access
from handlers.middleware.answers import answer
from handlers.services import services
from state.governance.regression import ACTIONS

blueprint = Blueprint(
    "governance-regression", __name__, url_prefix="/api/governance/regression", description="The regression tripwire."
)

BATCH_LIMIT = 500


class Action(Text):
    """THROTTLE or KILL_SWITCH, in any case."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        action = super()._deserialize(value, attr, data, **kwargs).upper()
        if action not in ACTIONS:
            raise ma.ValidationError(f"must be one of {', '.join(ACTIONS)}")
        return action


class WireChange(Acting):
    """A tripwire; what is left out stays."""

    domain = Name(100, required=True)
    metric = Name(64, lower=True, required=True)
    enabled = Yes()
    window_events = Whole(1, 10_000)
    baseline_events = Whole(1, 10_000)
    min_events_to_enforce = Whole(1, 10_000)
    max_drop_fraction = Exact(low=0, high=1)
    action = Action(1, 20)
    require_significance = Yes()


class Kpi(ma.Schema):
    """A measured outcome: a verdict, a value, or both."""

    domain = Name(100, required=True)
    metric = Name(64, lower=True, required=True)
    success = Yes(load_default=None, allow_none=True)
    value = Exact(load_default=None, allow_none=True)
    correlation_id = Text(0, 200, load_default=None, allow_none=True)
    detail = Anything(load_default=None, allow_none=True)
    event_key = Text(1, 200, load_default=None, allow_none=True)

    @ma.validates_schema
    def has_something(self, data: dict[str, Any], **_kwargs: Any) -> None:
        if data.get("success") is None and data.get("value") is None:
            raise ma.ValidationError("success or value is needed", "success")


class KpiEvent(Kpi, Acting):
    """A measured outcome and who tells it."""


class KpiBatch(Acting):
    """Many outcomes at once."""

    events = ma.fields.List(ma.fields.Nested(KpiEvent), required=True, validate=ma.validate.Length(1, BATCH_LIMIT))


class Evaluation(Acting):
    """The wire to look at."""

    domain = Name(100, required=True)
    metric = Name(64, lower=True, required=True)


@blueprint.get("/policies")
@access(Role.READ, Execution.OBSERVE_ONLY)
def list_policies() -> Response:
    """Every tripwire."""
    return answer(regression.select_policies(services().pool))


@blueprint.post("/policies/upsert")
@access(Role.ADMIN, Execution.OBSERVE_ONLY)
@blueprint.arguments(WireChange, location="json")
def upsert_policy(given: dict[str, Any]) -> Response:
    """Set a tripwire; only the fields sent change, so sending it twice is harmless."""
    who = take_who(given, required=True)
    domain, metric = given.pop("domain"), given.pop("metric")
    return answer(regression.upsert_policy(services().pool, who, domain, metric, given))


@blueprint.get("/state")
@access(Role.READ, Execution.OBSERVE_ONLY)
def list_states() -> Response:
    """What the last look at each wire found."""
    return answer(regression.select_states(services().pool))


@blueprint.post("/kpi")
@access(Role.WRITE, Execution.OBSERVE_ONLY)
@blueprint.arguments(KpiEvent, location="json")
def record_kpi(given: dict[str, Any]) -> Response:
    """Record an outcome; its wire, if enabled, is looked at.

    With an `Idempotency-Key` header (or `event_key`) the same event counts once and answers the same id; another
    outcome under the same key is a conflict. Without one each call is an event.
    """
    key = idempotency_key()
    if key is not None and given["event_key"] is None:
        given["event_key"] = key
    who = take_who(given)
    row_id = regression.record_kpis(services().pool, who, [_event(given, who.actor)])[0]
    return answer({"ok": True, "id": row_id})


@blueprint.post("/kpi/batch")
@access(Role.WRITE, Execution.OBSERVE_ONLY)
@blueprint.arguments(KpiBatch, location="json")
def record_batch(given: dict[str, Any]) -> Response:
    """Record up to 500 outcomes in their order, all or none; then each enabled wire is looked at once.

    Events with an `event_key` count once; with an `Idempotency-Key` header the whole batch does.
    """
    key = idempotency_key()
    who = take_who(given)
    events = []
    for n, event in enumerate(given["events"]):
        if key is not None and event["event_key"] is None:
            event["event_key"] = f"{key}#{n}"
        actor = event.pop("actor") or event.pop("changed_by", None) or who.actor
        events.append(_event(event, actor))
    ids = regression.record_kpis(services().pool, who, events)
    return answer({"ok": True, "count": len(ids), "ids": ids})


def _event(given: dict[str, Any], actor: str) -> dict[str, Any]:
    """The row of an outcome; a sender's key never meets the keys of other kinds of events."""
    names = ("domain", "metric", "success", "value", "correlation_id", "detail")
    key = given["event_key"]
    event_key = None if key is None else f"kpi:{given['domain']}:{given['metric']}:{key}"
    return {**{name: given[name] for name in names}, "actor": actor, "event_key": event_key}


@blueprint.post("/evaluate")
@access(Role.WRITE, Execution.OBSERVE_ONLY)
@blueprint.arguments(Evaluation, location="json")
def evaluate(given: dict[str, Any]) -> Response:
    """Look at a wire now, and act if it trips; a wire that has tripped acts once until it is armed again."""
    who = take_who(given)
    state = regression.evaluate(services().pool, who, given["domain"], given["metric"], asked=True)
    return answer({"ok": True, "state": state})
