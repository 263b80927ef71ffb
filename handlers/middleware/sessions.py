"""People's sessions: a signed cookie that says viewer or admin, and the token that a change must repeat."""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from flask import g, request
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from errors import Forbidden
from handlers.services import services
from settings import Settings

COOKIE: Final = "alertbook_session"
CSRF_HEADER: Final = "X-CSRF-Token"
#: Seconds after which a person logs in again.
LIFETIME: Final = 12 * 3600
ADMIN: Final = "admin"
VIEWER: Final = "viewer"
_SALT: Final = "alertbook session"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Session:
    """A person who has logged in: `role` is admin or viewer; `csrf` must come back with every change.

    `key` is the key that they logged in with, which never leaves the server.
    """

    role: str
    csrf: str
    key: str


def _fingerprint(settings: Settings, key: str) -> str:
    """What ties a session to its key: when the key is withdrawn, its sessions end."""
    secret = (settings.session_secret or "").encode()
    return hmac.new(secret, b"key " + key.encode(), sha256).hexdigest()[:32]


def _signer(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt=_SALT, signer_kwargs={"digest_method": sha256})


def _keys(settings: Settings, role: object) -> Iterable[str]:
    return {ADMIN: settings.admin_keys, VIEWER: settings.viewer_keys}.get(str(role), ())


def current_session() -> Session | None:
    """The session of this request, or None; read once per request."""
    if "session_of_person" not in g:
        g.session_of_person = _read()
    found: Session | None = g.session_of_person
    return found


def _read() -> Session | None:
    settings, cookie = services().settings, request.cookies.get(COOKIE)
    if not cookie or not settings.session_secret:
        return None
    try:
        told = _signer(settings.session_secret).loads(cookie, max_age=LIFETIME)
    except BadData:
        return None
    if not isinstance(told, list) or len(told) != 3 or not all(isinstance(part, str) for part in told):
        return None
    role, csrf, fingerprint = told
    for key in _keys(settings, role):
        if hmac.compare_digest(fingerprint.encode(), _fingerprint(settings, key).encode()):
            return Session(role, csrf, key)
    return None


def begin(response: Response, role: str, key: str) -> None:
    """Log a person in with the key that they gave, which is one of the role's."""
    settings = services().settings
    token = [role, secrets.token_urlsafe(24), _fingerprint(settings, key)]
    value = _signer(settings.session_secret or "").dumps(token)
    response.set_cookie(
        COOKIE, str(value), max_age=LIFETIME, httponly=True, samesite="Strict", secure=_over_tls(settings), path="/"
    )


def end(response: Response) -> None:
    """Log a person out."""
    response.delete_cookie(COOKIE, httponly=True, samesite="Strict", path="/")


def _over_tls(settings: Settings) -> bool:
    """Whether the browser speaks TLS: to us, to a platform, or to a proxy that says so (which can only narrow)."""
    told = request.headers.get("X-Forwarded-Proto", "").split(",")[0].strip().lower()
    return request.is_secure or settings.platform is not None or told == "https"


def require_csrf(session: Session) -> None:
    """Raise Forbidden when this request would change something and does not carry its session's token."""
    if request.method in _SAFE_METHODS:
        return
    given = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), session.csrf.encode()):
        raise Forbidden("This change lacks its page's token: reload the page and try again.", code="CSRF_TOKEN_WRONG")
