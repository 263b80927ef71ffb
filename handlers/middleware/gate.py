"""The go-live gate: before anything else is decided about a request, may it be carried out today?

Recording and reading never ask the database here: only what would be refused does, at each request, uncached.
"""

from typing import Final

import structlog
from flask import Flask, Response, current_app, request

from database.governance.go_live import select_switches
from errors import DatabaseError, Unavailable
from handlers.middleware.access import Access, Execution, declared
from handlers.middleware.answers import refusal_with
from handlers.services import services
from state.governance.go_live import GO_LIVE_DISABLED, HALTED, KILL_SWITCH_ENGAGED, Switches, is_open_path, refusal

log = structlog.get_logger()

#: These answer for themselves: their own transaction asks the switches and says so in their own words.
_ANSWERS_ITSELF: Final = frozenset({"governance-risk.check_and_reserve"})

_SENTENCES: Final = {
    GO_LIVE_DISABLED: "Go-live is off: only recording, reading and governance are open.",
    KILL_SWITCH_ENGAGED: "The kill switch is engaged: nothing that commits or moves is carried out.",
}


def install(app: Flask) -> None:
    """Ask the gate before each request that is not merely recording or reading."""

    @app.before_request
    def pass_gate() -> Response | None:
        if not services().settings.go_live_enforced or request.endpoint in _ANSWERS_ITSELF:
            return None
        needed = declared(current_app, request.endpoint) if request.endpoint else None
        if needed is not None and needed.execution is Execution.OBSERVE_ONLY:
            return None
        return _judge(needed)


def _judge(needed: Access | None) -> Response | None:
    executes = needed is not None and needed.execution is Execution.PROD_EXEC
    if not executes and is_open_path(request.path):
        return None
    why = refusal(_switches(), executes=executes, records=False, path=request.path)
    if why is None:
        return None
    extra = {"exec_class": Execution.PROD_EXEC, "path": request.path} if why == KILL_SWITCH_ENGAGED else {}
    return refusal_with(403, why, why, message=_SENTENCES[why], **extra)


def _switches() -> Switches:
    """The switches now; unreadable ones count as halted."""
    try:
        return select_switches(services().pool)
    except (DatabaseError, Unavailable) as error:
        log.warning("switches_unreadable", code=error.code)
        return HALTED
