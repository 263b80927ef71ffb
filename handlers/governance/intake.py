"""Is the intake healthy? Named checks; each says None, or a sentence about what is wrong.

To add one: a function and a line in INTAKE_CHECKS.
"""

from typing import Final

from database import health
from handlers.packs import Pack
from handlers.services import Services

#: So many quarantined alerts wait at most in a healthy intake.
QUARANTINE_LIMIT: Final = 10_000


def can_store(services: Services) -> str | None:
    """Whether the database takes writes."""
    return None if health.takes_writes(services.pool) else "the database takes no writes"


def quarantine_has_room(services: Services) -> str | None:
    """Whether fewer alerts wait in quarantine than its limit; nothing to say where there is no quarantine."""
    waiting = health.quarantined(services.pool)
    return f"{waiting} alerts wait in quarantine (limit {QUARANTINE_LIMIT})" if waiting >= QUARANTINE_LIMIT else None


INTAKE_CHECKS: tuple[Pack, ...] = (
    Pack("store", can_store),
    Pack("quarantine", quarantine_has_room),
)
