"""Readings that open pages share: many pages ask every few seconds, and little changes without an alert."""

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from database import analysis
from database.replica import behind
from handlers.services import services

SECONDS: Final = 10.0
MOST: Final = 50

T = TypeVar("T")

_kept: dict[tuple[str, str], tuple[Any, float, Any]] = {}


def kept_until_an_alert(name: str, read: Callable[[], T]) -> T:
    """What `read` gives, read again when an alert has come since, and after SECONDS in any case.

    What a replica told is not kept: it may lack the very alert that is known to be the newest.
    """
    pool = services().pool
    newest, now = analysis.newest_alert(pool), time.monotonic()
    place = (pool.url, name)
    known = _kept.get(place)
    if known is None or known[0] != newest or now - known[1] > SECONDS:
        if len(_kept) > MOST:
            _kept.clear()
        known = (newest, now, read())
        if behind() is None:
            _kept[place] = known
    found: T = known[2]
    return found
