"""Whether the stores answer."""

from pathlib import Path
from typing import Any, Final

import structlog

from database.pool import Pool
from database.queries import QUERIES
from errors import DatabaseError, Unavailable

log = structlog.get_logger()

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
CHECK_SECONDS: Final = 2.0


def known_migrations() -> frozenset[str]:
    """Names of all migrations that this version brings."""
    return frozenset(file.stem for file in _MIGRATIONS.glob("*.sql") if not file.stem.endswith(".rollback"))


def database_state(pool: Pool) -> dict[str, Any]:
    """{"database": "up" or "down", "pending_migrations": sorted names, or None when unknown}."""
    try:
        with pool.transaction(timeout=CHECK_SECONDS) as connection:
            applied = {row.migration_id for row in QUERIES.health.select_applied_migrations(connection)}
    except (DatabaseError, Unavailable) as error:
        if error.status == 500:  # the database answers, but nothing was ever migrated there
            return {"database": "up", "pending_migrations": sorted(known_migrations())}
        log.warning("database_down", code=error.code)
        return {"database": "down", "pending_migrations": None}
    return {"database": "up", "pending_migrations": sorted(known_migrations() - applied)}


def redis_state(url: str | None) -> str:
    """ "up", "down", or "off" when no Redis is configured."""
    if url is None:
        return "off"
    import redis  # as in `database.hot`

    try:
        with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as client:
            client.ping()
    except (redis.RedisError, ValueError):
        return "down"
    return "up"


def takes_writes(pool: Pool) -> bool:
    """Whether the database can store anything at all. Raises DatabaseError when it is away."""
    with pool.transaction(timeout=CHECK_SECONDS) as connection:
        return bool(QUERIES.health.select_takes_writes(connection))


def quarantined(pool: Pool) -> int:
    """How many alerts wait in quarantine."""
    with pool.transaction(timeout=CHECK_SECONDS) as connection:
        return int(QUERIES.health.count_quarantined(connection))
