"""Failed authentications, counted per address."""

from database.pool import Pool
from database.queries import QUERIES


def record_failure(pool: Pool, address: str) -> tuple[int, int]:
    """Count one failure: (failures in the minute since the first of them, seconds until that minute is over)."""
    with pool.transaction(timeout=1) as connection:
        row = QUERIES.intake.record_failure(connection, address=address)
        return row.failures, row.seconds_left
