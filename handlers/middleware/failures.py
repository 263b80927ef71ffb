"""Wrong keys are slowed down: from the 31st of an address in a minute the answer is 429."""

import math
import time
from datetime import UTC, datetime
from typing import NoReturn

from database import failures
from errors import AlertbookError, DatabaseError, TooManyRequests, Unavailable
from handlers.middleware.peer import neighbourhood, peer_address
from handlers.services import Services, services
from state.failures import FREE_FAILURES


def refuse(error: AlertbookError) -> NoReturn:
    """Answer a failed authentication of the request being handled: see `refuse_from`."""
    refuse_from(services(), peer_address(), error)


def refuse_from(here: Services, peer: str, error: AlertbookError) -> NoReturn:
    """Answer a failed authentication: with the error itself, or 429 when there were too many.

    The count is kept by the database, so that it is one count over all processes; an address that is over it is
    remembered here as well and costs no further query. While the database is away each process counts for itself.
    A right key never comes here.
    """
    here.tally.count("unauthenticated", datetime.now(UTC))
    address, now = neighbourhood(peer), time.monotonic()
    left = here.blocked.left(address, now)
    if left <= 0:
        left = _counted(here, address, now)
        if left <= 0:
            raise error
        here.blocked.block(address, left, now)
    raise TooManyRequests("Too many wrong keys from this address; wait a minute.", retry_after=math.ceil(left))


def _counted(here: Services, address: str, now: float) -> float:
    """Seconds for which the address is blocked now, 0 when it is not."""
    if here.store.database_away:
        return here.blocked.count(address, now)
    try:
        count, seconds_left = failures.record_failure(here.pool, address)
    except (DatabaseError, Unavailable):
        return here.blocked.count(address, now)
    return float(max(1, seconds_left)) if count > FREE_FAILURES else 0.0
