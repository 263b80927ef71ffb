"""Failed authentications, counted per address."""

from typing import Final

from database.pool import Pool
from database.queries import QUERIES

#: A sender that did not authenticate is answered in time too.
ANSWER_SECONDS: Final = 0.4


def record_failure(pool: Pool, address: str) -> tuple[int, int]:
    """Count one failure: (failures in the minute since the first of them, seconds until that minute is over)."""
    with pool.transaction(timeout=ANSWER_SECONDS) as connection:
        row = QUERIES.intake.record_failure(connection, address=address)
        return row.failures, row.seconds_left
