"""Wrong keys are slowed down: from the 31st of an address in a minute the answer is 429."""

import time
from datetime import UTC, datetime
from typing import Final, NoReturn

from database import failures
from errors import AlertbookError, DatabaseError, TooManyRequests, Unavailable
from handlers.middleware.peer import neighbourhood, peer_address
from handlers.services import services

FREE_FAILURES: Final = 30
_BLOCKED_KEPT: Final = 10_000

_blocked_until: dict[str, float] = {}


def refuse(error: AlertbookError) -> NoReturn:
    """Answer a failed authentication: with the error itself, or 429 when there were too many.

    The count is kept by the database, so that it is one count over all processes; an address that is over it is
    remembered here as well and costs no further query. A right key never comes here.
    """
    here = services()
    here.tally.count("unauthenticated", datetime.now(UTC))
    address = neighbourhood(peer_address())
    now = time.monotonic()
    left = _blocked_until.get(address, 0.0) - now
    if left <= 0:
        _blocked_until.pop(address, None)
        left = _counted(address)
        if left <= 0:
            raise error
        if len(_blocked_until) < _BLOCKED_KEPT:
            _blocked_until[address] = now + left
    raise TooManyRequests("Too many wrong keys from this address; wait a minute.", retry_after=max(1, round(left)))


def _counted(address: str) -> float:
    """Seconds for which the address is blocked now, 0 when it is not."""
    try:
        count, seconds_left = failures.record_failure(services().pool, address)
    except (DatabaseError, Unavailable):
        return 0.0
    return float(max(1, seconds_left)) if count > FREE_FAILURES else 0.0
