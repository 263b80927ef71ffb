"""Logging in with the admin key or the viewer key, and out."""

from urllib.parse import parse_qs, urlsplit

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from dashboard.pages import blueprint, page
from errors import AlertbookError, Forbidden, Unauthenticated
from handlers.middleware import failures, sessions
from handlers.middleware.access import Role, access, matches
from handlers.middleware.bodies import read_body
from handlers.services import services

_FORM_LIMIT = 4096


def _target() -> str:
    """Where to go after the login: a page of ours and nothing else."""
    wanted = request.args.get("next", "")
    inside = wanted.startswith("/dashboard") and "\\" not in wanted and wanted.isprintable()
    return wanted if inside else url_for("dashboard.show_today")


@blueprint.get("/login")
@access(Role.PUBLIC)
def show_login() -> Response:
    """The login page."""
    return page("login.html", next=_target(), message=None)


@blueprint.post("/login")
@access(Role.PUBLIC)
def log_in() -> BaseResponse:
    """Take the key; a wrong one counts like a wrong key anywhere."""
    _require_own_form()
    fields = parse_qs(read_body(_FORM_LIMIT).decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10)
    key = fields.get("key", [""])[0].strip()
    settings = services().settings
    if not settings.session_secret:
        return page("login.html", 503, next=_target(), message="SESSION_SECRET is unset: nobody can log in.")
    roles = ((sessions.ADMIN, settings.admin_keys), (sessions.VIEWER, settings.viewer_keys))
    role = next((role for role, keys in roles if matches(key, keys)), None)
    if not key:
        return page("login.html", 422, next=_target(), message="Type the admin key or the viewer key.")
    if role is None:
        try:
            failures.refuse(Unauthenticated("This is neither the admin key nor the viewer key."))
        except AlertbookError as error:
            response = page("login.html", error.status, next=_target(), message=error.message)
            if error.retry_after:
                response.headers["Retry-After"] = str(error.retry_after)
            return response
    answer = redirect(_target(), 303)
    sessions.begin(answer, role, key)
    return answer


@blueprint.post("/logout")
@access(Role.READ)
def log_out() -> BaseResponse:
    """End the session in this browser; asked for with the page's token like every change."""
    response = Response(status=204)
    sessions.end(response)
    return response


def _require_own_form() -> None:
    """A login comes from our own page: a foreign page must not log its visitor in."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    foreign = site not in (None, "same-origin", "none")
    if origin is not None and site is None:
        foreign = urlsplit(origin).netloc != request.host
    if foreign:
        raise Forbidden("The login form was sent by another site.", code="FOREIGN_FORM")
