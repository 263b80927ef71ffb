"""Lever 1: the go-live switch, the kill switch and the checklist."""

from typing import Any

from flask import Response, current_app

from database.governance import go_live
from errors import Detail, Invalid
from handlers.blueprint import Blueprint
from handlers.fields import Yes
from handlers.governance import checklist
from handlers.governance.fields import Acting, take_who
from handlers.middleware.access import Execution, Role, access, declared
from handlers.middleware.answers import answer, refusal_with
from handlers.services import services
from state.governance.go_live import failing

blueprint = Blueprint(
    "governance-go-live", __name__, url_prefix="/api/governance", description="Go-live switch and kill switch."
)


class Enabling(Acting):
    """Who goes live, and whether a failing checklist is overridden."""

    override = Yes(load_default=False)


@blueprint.get("/go-live/state")
@access(Role.READ, Execution.OBSERVE_ONLY)
def show_state() -> Response:
    """The switches now."""
    return answer(go_live.select_switches(services().pool).as_dict())


@blueprint.get("/go-live/checklist")
@access(Role.READ, Execution.OBSERVE_ONLY)
def show_checklist() -> Response:
    """What going live requires, check by check, and warnings that do not forbid it."""
    return answer(checklist.run(services()).as_dict())


@blueprint.post("/go-live/enable")
@access(Role.ADMIN, Execution.OBSERVE_ONLY)
@blueprint.arguments(Enabling, location="json")
def enable(given: dict[str, Any]) -> Response:
    """Go live if the checklist passes, else 412 with what fails.

    `override: true` with a reason goes live all the same. Going live again changes nothing but who and when.
    """
    override = given.pop("override")
    who = take_who(given, required=True)
    if override and not who.reason:
        detail = Detail("reason", "REQUIRED", "why the checklist is overridden")
        raise Invalid("An override needs a reason.", code="REASON_REQUIRED", details=[detail])
    found = checklist.run(services())
    failed = failing(found.required)
    if failed and not override:
        return refusal_with(
            412,
            "CHECKLIST_FAILED",
            f"Go-live checklist failed: {', '.join(failed)}.",
            **found.as_dict(),
            failing=failed,
        )
    evidence = {"override": True, "failing": failed} if failed else None
    return answer(go_live.set_go_live(services().pool, who, enabled=True, evidence=evidence).as_dict())


@blueprint.post("/go-live/disable")
@access(Role.ADMIN, Execution.OBSERVE_ONLY)
@blueprint.arguments(Acting, location="json")
def disable(given: dict[str, Any]) -> Response:
    """Stop being live, unconditionally. Again changes nothing but who and when."""
    who = take_who(given, required=True)
    return answer(go_live.set_go_live(services().pool, who, enabled=False).as_dict())


@blueprint.post("/go-live/kill-switch/engage")
@access(Role.ADMIN, Execution.OBSERVE_ONLY)
@blueprint.arguments(Acting, location="json")
def engage(given: dict[str, Any]) -> Response:
    """Engage the kill switch, unconditionally: once this has answered, no reserve commits anywhere.

    Again changes nothing but who and when.
    """
    who = take_who(given, required=True)
    return answer(go_live.set_kill_switch(services().pool, who, engaged=True).as_dict())


@blueprint.post("/go-live/kill-switch/release")
@access(Role.ADMIN, Execution.OBSERVE_ONLY)
@blueprint.arguments(Acting, location="json")
def release(given: dict[str, Any]) -> Response:
    """Release the kill switch, unconditionally; wires that had engaged it are armed again.

    Again changes nothing but who and when.
    """
    who = take_who(given, required=True)
    return answer(go_live.set_kill_switch(services().pool, who, engaged=False).as_dict())


@blueprint.get("/routes")
@access(Role.READ, Execution.OBSERVE_ONLY)
def list_routes() -> Response:
    """Every route with its methods, who may call it, and its execution class."""
    routes = []
    for rule in sorted(current_app.url_map.iter_rules(), key=lambda one: (one.rule, sorted(one.methods or ()))):
        needed = declared(current_app, rule.endpoint)
        routes.append(
            {
                "path": rule.rule,
                "methods": sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}),
                "role": needed and needed.role,
                "exec_class": needed and needed.execution,
            }
        )
    return answer({"items": routes, "next_cursor": None})
