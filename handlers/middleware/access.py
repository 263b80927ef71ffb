"""Who may do what: every route declares its role and execution class where it is declared.

A route without a declaration is refused to everybody, so that forgetting one can never open a door.
"""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, TypeVar

from flask import Flask, current_app, request

from errors import Forbidden, Unauthenticated
from handlers.middleware import failures, sessions
from handlers.middleware.local import require_local
from handlers.services import services
from settings import Settings

#: The setting whose key a role needs; while it is unset the role's routes are open.
_KEYS: Final[dict[str, tuple[str, Callable[[Settings], object]]]] = {
    "read": ("API_KEY", lambda settings: settings.api_keys),
    "write": ("API_KEY", lambda settings: settings.api_keys),
    "admin": ("ADMIN_KEY", lambda settings: settings.admin_keys),
    "webhook": ("WEBHOOK_SECRET", lambda settings: settings.webhook_secrets),
    "internal": ("INTERNAL_TOKEN", lambda settings: settings.internal_tokens),
}

View = TypeVar("View", bound=Callable[..., Any])


class Role(StrEnum):
    """Who a route is for. ADMIN opens READ and WRITE as well."""

    PUBLIC = "public"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    WEBHOOK = "webhook"
    INTERNAL = "internal"


class Execution(StrEnum):
    """What a route does to the world."""

    OBSERVE_ONLY = "OBSERVE_ONLY"
    SANDBOX_EXEC = "SANDBOX_EXEC"
    PROD_EXEC = "PROD_EXEC"


@dataclass(frozen=True, slots=True)
class Access:
    """A route's declaration."""

    role: Role
    execution: Execution


#: Where a view carries its declaration.
ACCESS_ATTRIBUTE: Final = "alertbook_access"
#: The endpoints of the pages, whose visitors are people with a browser.
PAGES: Final = "dashboard."
_STATIC: Final = Access(Role.PUBLIC, Execution.OBSERVE_ONLY)


def access(role: Role, execution: Execution = Execution.OBSERVE_ONLY) -> Callable[[View], View]:
    """Declare who may call a view and what it does."""

    def declare(view: View) -> View:
        setattr(view, ACCESS_ATTRIBUTE, Access(role, execution))
        return view

    return declare


def declared(app: Flask, endpoint: str) -> Access | None:
    """A route's declaration, or None when it has none."""
    if endpoint == "static" or endpoint.endswith(".static") or endpoint.startswith("api-docs."):
        return _STATIC
    return getattr(app.view_functions.get(endpoint), ACCESS_ATTRIBUTE, None)


def matches(given: str | None, keys: Iterable[str]) -> bool:
    """Whether a given key is one of the right ones, in constant time, compared as bytes."""
    offered = (given or "").encode("utf-8", "surrogatepass")
    right = False
    for key in keys:
        right |= hmac.compare_digest(offered, key.encode())
    return right


def require_key(role: Role) -> None:
    """Within a view that acts when it is read: what the request asks for needs this role's key, in its header.

    A person's session is not enough: a browser sends that by itself with whatever it is led to read.
    Raises Unauthenticated or Forbidden.
    """
    _check(role, services().settings, people=False)


def install(app: Flask) -> None:
    """Check each request against its route's declaration."""

    @app.before_request
    def check() -> None:
        if request.endpoint is None:
            return
        needed = declared(current_app, request.endpoint)
        if needed is None:
            raise Forbidden("This address has no access rule and stays closed.", code="NO_ACCESS_RULE")
        settings = services().settings
        setting, keys = _KEYS.get(needed.role, ("", lambda _: True))
        if not keys(settings):
            require_local(setting, request.environ)
        _check(needed.role, settings)


def _check(role: Role, settings: Settings, *, people: bool = True) -> None:
    if role in (Role.PUBLIC, Role.WEBHOOK):
        return
    if role is Role.INTERNAL:
        if settings.internal_tokens and not matches(request.headers.get("X-Internal-Token"), settings.internal_tokens):
            failures.refuse(Unauthenticated("Invalid X-Internal-Token."))
        return
    given = _given_key()
    if people and given is None and "X-Admin-Key" not in request.headers and _check_person(role, settings):
        return
    if settings.admin_keys and matches(request.headers.get("X-Admin-Key"), settings.admin_keys):
        return
    if role is Role.ADMIN:
        _check_admin(settings, given)
    elif settings.api_keys and not matches(given, settings.api_keys):
        failures.refuse(Unauthenticated("Invalid X-API-Key"))


def _check_person(role: Role, settings: Settings) -> bool:
    """Whether a person who has logged in may do this. Raises Forbidden, or Unauthenticated for a page without login.

    Nobody is guessing keys who opens a page without one: that is not counted as a failure.
    """
    session = sessions.current_session()
    if session is not None:
        sessions.require_csrf(session)
        if session.role == sessions.ADMIN or role is Role.READ:
            return True
        raise Forbidden("A viewer may look at everything and change nothing: log in with the admin key.")
    needed = settings.admin_keys if role is Role.ADMIN else settings.api_keys
    if needed and (request.endpoint or "").startswith(PAGES):
        raise Unauthenticated("Log in with the admin key or the viewer key.")
    return False


def _check_admin(settings: Settings, given: str | None) -> None:
    if not settings.admin_keys:
        return
    if settings.api_keys and matches(given, settings.api_keys):
        raise Forbidden("This needs the admin key in X-Admin-Key.")
    failures.refuse(Unauthenticated("Invalid X-Admin-Key."))


def key_id() -> str:
    """Which key the request was let in with, for the audit: its kind and eight digits of its hash, never itself."""
    settings = services().settings
    admin = request.headers.get("X-Admin-Key")
    if settings.admin_keys and matches(admin, settings.admin_keys):
        return _key_id("admin", str(admin))
    given = _given_key()
    if settings.api_keys and matches(given, settings.api_keys):
        return _key_id("api", str(given))
    session = sessions.current_session() if given is None and admin is None else None
    return "none" if session is None else _key_id(session.role, session.key)


def key_ids(settings: Settings) -> list[str]:
    """The ids of the keys that are configured now."""
    admin = [_key_id("admin", key) for key in settings.admin_keys]
    return [*admin, *(_key_id("api", key) for key in settings.api_keys)]


def _key_id(kind: str, key: str) -> str:
    return f"{kind}:{sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def _given_key() -> str | None:
    bearer = request.headers.get("Authorization", "")
    return request.headers.get("X-API-Key") or (bearer[7:] if bearer[:7].lower() == "bearer " else None)
