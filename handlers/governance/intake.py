"""Is the intake healthy? Named checks; each says None, or a sentence about what is wrong.

To add one: a function and a line in INTAKE_CHECKS.
"""

from database import health
from handlers.packs import Pack
from handlers.services import Services


def can_store(services: Services) -> str | None:
    """Whether the database takes writes."""
    return None if health.takes_writes(services.pool) else "the database takes no writes"


def quarantine_has_room(services: Services) -> str | None:
    """Whether fewer alerts wait in quarantine than its limit."""
    waiting, limit = health.quarantined(services.pool), services.settings.quarantine_max_total
    return f"{waiting} alerts wait in quarantine (limit {limit})" if waiting >= limit else None


def spool_is_empty(services: Services) -> str | None:
    """Whether every alert that came in while the database was away has been stored since."""
    waiting = services.spool.depth()
    return f"{waiting.count} alerts wait in the spool, the oldest since {waiting.oldest}" if waiting.count else None


INTAKE_CHECKS: tuple[Pack, ...] = (
    Pack("store", can_store),
    Pack("quarantine", quarantine_has_room),
    Pack("spool", spool_is_empty),
)
