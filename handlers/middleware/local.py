"""What is open because its key is unset is open to this machine's programs, not to the pages that its browser shows."""

from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from errors import Forbidden
from settings import LOOPBACK

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def require_local(setting: str, environ: dict[str, Any]) -> None:
    """Refuse a request that a web page may have made; `setting` names the key that would open the way.

    A page of a stranger can send its visitor's browser here: under a name of its own that it has pointed at this
    machine (then Host is that name), or straight, which its Origin tells, or Sec-Fetch-Site where a browser sends no
    Origin. What only reads answers a page of elsewhere all the same, which cannot see it, except under /api/: there
    are addresses that act when they are read. Raises Forbidden.
    """
    host = environ.get("HTTP_HOST", "")
    if host and not _is_loopback(f"//{host}"):
        raise Forbidden(
            f"Without {setting} this server answers only to localhost and 127.0.0.1: set {setting} to reach it by "
            "another name.",
            code="NOT_LOCAL",
        )
    acts = environ["REQUEST_METHOD"] not in _READING
    origin = environ.get("HTTP_ORIGIN")
    strange = origin is not None and not _is_loopback(origin)
    cross_site = environ.get("HTTP_SEC_FETCH_SITE") == "cross-site"
    if (acts and strange) or (cross_site and (acts or environ["PATH_INFO"].startswith("/api/"))):
        raise Forbidden(
            f"Without {setting} this server takes nothing from pages of other origins: set {setting} first.",
            code="NOT_LOCAL",
        )


@lru_cache(maxsize=1024)
def _is_loopback(address: str) -> bool:
    try:
        name = urlsplit(address).hostname or ""
    except ValueError:
        return False
    return name in LOOPBACK or (name.startswith("127.") and name.replace(".", "").isdecimal())
