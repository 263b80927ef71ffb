"""Every request has an id, the sender's own when it is a plain one, and stands in the log under it."""

import re
import secrets
import time
from typing import Any, Final

import structlog
from flask import Flask, Response, g, request

log = structlog.get_logger()

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: Deliveries are counted and pages ask every few seconds: not logged one by one, unless something was wrong.
_QUIET_ENDPOINTS: Final = (
    "signals.receive",
    "health.healthz",
    "health.readyz",
    "dashboard.show_feed",
    "dashboard.show_figures",
    "dashboard.show_state",
    "dashboard.show_intake_numbers",
    "dashboard.show_asset",
)


def install(app: Flask) -> None:
    """Name each request before it is handled, and say the name in the answer and the log."""

    @app.before_request
    def name_request() -> None:
        g.request_id, g.arrived = name_of(request.environ), time.perf_counter()

    @app.after_request
    def say_name(response: Response) -> Response:
        response.headers["X-Request-Id"] = current_id()
        if response.status_code >= 400 or not (request.endpoint or "").startswith(_QUIET_ENDPOINTS):
            _log(response)
        return response


def name_of(environ: dict[str, Any]) -> str:
    """The sender's own id of a request when it is a plain one, else a new one."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    return given if _PLAIN_ID.fullmatch(given) else secrets.token_hex(16)


def current_id() -> str:
    """The id of the request being handled."""
    if "request_id" not in g:
        g.request_id = secrets.token_hex(16)
    return str(g.request_id)


def _log(response: Response) -> None:
    # The rule, never the path: a path may hold the webhook's secret.
    rule = request.url_rule.rule if request.url_rule else "(no route)"
    took = (time.perf_counter() - g.arrived) * 1000
    log.info(
        "request",
        method=request.method,
        route=rule,
        status=response.status_code,
        ms=round(took, 1),
        request_id=current_id(),
    )
