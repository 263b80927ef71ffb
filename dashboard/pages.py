"""What all pages share: the blueprint, rendering, who is looking, errors as pages."""

from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from dashboard import formats
from dashboard.assets import asset_url, plotly_url, show_asset
from dashboard.navigation import GROUPS
from errors import AlertbookError, Forbidden, NotFound, Unauthenticated
from handlers.middleware import sessions
from handlers.middleware.access import Role, access
from handlers.middleware.request_id import current_id
from handlers.services import services
from settings import VERSION

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

#: Errors whose message is a code, as the API's contract has it.
_SENTENCES: Final = {"TRADE_NOT_FOUND": "There is no trade with this id."}

blueprint = Blueprint("dashboard", __name__, url_prefix="/dashboard", template_folder="templates")


for name, form in formats.FILTERS.items():
    blueprint.add_app_template_filter(form, name)


def viewer() -> dict[str, Any]:
    """Who looks at the page: {role, open, may_change, csrf, can_log_in}."""
    settings, session = services().settings, sessions.current_session()
    is_open = not settings.admin_keys
    return {
        "role": session.role if session else None,
        "open": is_open,
        "reads_open": not settings.api_keys,
        "may_change": is_open or (session is not None and session.role == sessions.ADMIN),
        "csrf": session.csrf if session else "",
        "can_log_in": bool(settings.session_secret and (settings.admin_keys or settings.viewer_keys)),
    }


@blueprint.app_context_processor
def _shared() -> dict[str, Any]:
    return {"navigation": GROUPS, "version": VERSION, "asset": asset_url, "plotly": plotly_url}


def page(template: str, status: int = 200, **values: Any) -> Response:
    """A whole page. It is never kept by a cache: it shows money, and who may see it can change."""
    body = render_template(template, viewer=viewer(), now=datetime.now(UTC), **values)
    response = make_response(body, status)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = "no-store"
    return response


def fragment(template: str, **values: Any) -> Response:
    """A part of a page that the page asks for again and again; 304 while it is as the ETag says."""
    response = make_response(render_template(template, viewer=viewer(), **values))
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = "no-cache, private"
    response.add_etag(weak=True)
    response.make_conditional(request)
    return response


@blueprint.errorhandler(AlertbookError)
def _known(error: AlertbookError) -> BaseResponse:
    """An error as a page, or the way to the login."""
    if isinstance(error, Unauthenticated) and request.method == "GET" and not _is_part():
        return redirect(url_for("dashboard.show_login", next=_here()), 303)
    message = _SENTENCES.get(error.code, error.message)
    if isinstance(error, Forbidden) and request.method == "GET":
        message = "This page shows alerts as they were sent, which takes the admin key."
    response = _error_page(error.status, message)
    if error.retry_after:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


@blueprint.errorhandler(HTTPException)
def _http(error: HTTPException) -> BaseResponse:
    status = error.code or 500
    messages = (getattr(error, "data", None) or {}).get("messages", {})
    text = "; ".join(_sentences(messages)) or error.description or error.name
    return _error_page(status, text)


def _error_page(status: int, message: str) -> Response:
    """An error with a way on: the login, the same page without what was asked of it, or Today."""
    if status == 403:
        way = (url_for("dashboard.show_login", next=_here()), "Log in with the admin key")
    elif status == 422 and request.args:
        way = (request.path, "The same page without these filters")
    else:
        way = (url_for("dashboard.show_today"), "To Today")
    return page("error.html", status, title=_title(status), message=message, id=current_id(), way=way)


def _sentences(messages: Any, path: str = "") -> list[str]:
    if isinstance(messages, dict):
        return [text for name, inner in messages.items() for text in _sentences(inner, str(name))]
    if isinstance(messages, list):
        return [f"{path}: {message}" for message in messages]
    return [str(messages)]


def _is_part() -> bool:
    return "X-Part" in request.headers


def _here() -> str:
    return request.full_path.rstrip("?")


def _title(status: int) -> str:
    titles = {401: "Please log in", 403: "Not allowed", 404: "Not found", 422: "Not understood", 429: "Too many tries"}
    return titles.get(status, "This did not work" if status < 500 else "Not available right now")


blueprint.get("/assets/<version>/<name>")(show_asset)


@blueprint.get("/<path:rest>")
@access(Role.PUBLIC)
def nothing_here(rest: str) -> Response:
    """Whatever is no page."""
    raise NotFound("There is no such page.")
