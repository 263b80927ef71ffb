"""An authentic alert that is refused and kept nowhere else leaves a row before its sender is told so."""

import time
from contextlib import suppress
from typing import Final

from database import receipts
from database.receipts import Delivery
from errors import AlertbookError, DatabaseError, Unavailable
from handlers.services import Services

#: What the row may cost an answer, in the database and again in the spool.
_SECONDS: Final = 0.3


def note(
    here: Services, delivery: Delivery, error: AlertbookError, *, body_hash: str, until: float, code: str = ""
) -> None:
    """Leave a row: in the database, else in the spool, else in memory until one of them takes it.

    A sender that is answered 5xx comes again, and neither of the two could take its alert a moment ago: such a row
    waits in memory at once.
    """
    row = receipts.refusal(delivery, body_hash=body_hash, status=error.status, code=code or error.code)
    if error.status < 500:
        with suppress(DatabaseError, Unavailable):
            if not here.store.database_away:
                receipts.insert_refusal(here.pool, row, timeout=_left(until))
                return
        with suppress(DatabaseError, Unavailable):
            receipts.spool_refusals(here.spool, [row], timeout=_left(until))
            return
    here.tally.refused(row)


def _left(until: float) -> float:
    return max(0.05, min(_SECONDS, (until - time.monotonic()) / 2))
