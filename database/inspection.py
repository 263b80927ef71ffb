"""What an operator asks of the database: its tables, versions, sizes, and bringing it up to date."""

from dataclasses import dataclass
from typing import Any

import structlog

from database import migrate
from database.governance.go_live import made_tables
from database.pool import Pool
from database.queries import QUERIES

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration run did: `failed` is the sentence that says why it ended early, or None."""

    applied: tuple[str, ...]
    current: str | None
    failed: str | None


def bring_up_to_date(url: str) -> Migrated:
    """Apply what is pending, as `deploy.py migrate` does. Never raises for a migration that fails."""
    before: set[str] = set()
    failed = None
    try:
        before = set(migrate.applied(url))
        migrate.apply(url)
    except migrate.MigrationError as error:
        log.error("migration_failed", exc_info=error)
        # the first words name the migration; what follows is PostgreSQL's own text, which may hold SQL
        failed = str(error).partition(":")[0]
    try:
        after = migrate.applied(url)
        current = migrate.current(url)
    except migrate.MigrationError:
        return Migrated((), None, failed or "The database cannot be reached")
    return Migrated(tuple(name for name in after if name not in before), current, failed)


def inspect(pool: Pool, url: str) -> dict[str, Any]:
    """Tables with sizes, what is missing, migrations, invalid indexes. Raises DatabaseError or MigrationError."""
    with pool.transaction(timeout=10) as connection:
        tables = [row._asdict() for row in QUERIES.admin.select_tables(connection)]
        server = QUERIES.admin.select_server(connection)
    present = {table["name"] for table in tables}
    missing = [name for name in made_tables() if name not in present]
    pending = migrate.pending(url)
    invalid = migrate.invalid_indexes(url)
    return {
        "ok": not (missing or pending or invalid),
        "postgres_version": server.version,
        "database_bytes": server.bytes,
        "all_tables_exist": not missing,
        "missing_tables": missing,
        "tables": tables,
        "current": migrate.current(url),
        "applied_migrations": migrate.applied(url),
        "pending_migrations": pending,
        "invalid_indexes": invalid,
    }
