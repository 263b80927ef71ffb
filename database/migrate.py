"""Migrations: plain SQL files in database/migrations, applied with yoyo, one run at a time.

A file `0003.name.sql` may have `0003.name.rollback.sql` beside it. Each migration and the note that it
was applied commit together, so a run that is killed at any moment leaves a migration either done or not
begun. A file that starts with `-- transactional: false` (CREATE INDEX CONCURRENTLY) cannot do that: it
must be written with IF NOT EXISTS, and an invalid index of a killed run is dropped before it runs again.

Give these functions the direct URL of the database, never that of a pooler.
"""

import io
import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from glob import escape
from pathlib import Path
from typing import Any, Final

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import default_migration_table

MIGRATIONS: Final = Path(__file__).resolve().parent / "migrations"
#: The advisory lock of migrations: "alertbk" in ASCII.
LOCK_KEY: Final = 0x616C657274626B
LOCK_POLL_SECONDS: Final = 0.25
LOCK_PATIENCE_SECONDS: Final = 600.0
CONNECT_SECONDS: Final = 10

logging.getLogger("yoyo").setLevel(logging.WARNING)


class MigrationError(Exception):
    """A migration could not be applied or undone; the message says which and why."""


class _Backend(PostgresqlBackend):  # type: ignore[misc]
    """yoyo's PostgreSQL backend, connecting as libpq reads the URL and committing a migration with its mark."""

    def connect(self, dburi: DatabaseURI) -> Connection:
        connection = _connect(dburi.args["dsn"])
        connection.autocommit = True
        return connection

    def create_lock_table(self) -> None:
        if self.lock_table not in self.list_tables():
            super().create_lock_table()

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        """As yoyo's, without asking DNS for the host or the system for a user that may have no name."""
        return {
            "id": str(uuid.uuid4()),
            "migration_id": migration.id if migration else None,
            "migration_hash": migration.hash if migration else None,
            "username": str(os.getuid()),
            "hostname": socket.gethostname(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }

    def apply_one(self, migration: Any, force: bool = False, mark: bool = True) -> None:
        migration.load()
        if not migration.use_transactions:
            _drop_invalid_indexes(self.connection, migration.source)
            super().apply_one(migration, force, mark)
            return
        self.ensure_internal_schema_updated()
        with self.transaction():
            migration.process_steps(self, "apply")
            self.mark_one(migration, log=False)
            self.log_migration(migration, "apply")

    def rollback_one(self, migration: Any, force: bool = False) -> None:
        migration.load()
        if not migration.use_transactions:
            super().rollback_one(migration, force)
            return
        self.ensure_internal_schema_updated()
        with self.transaction():
            migration.process_steps(self, "rollback")
            self.unmark_one(migration, log=False)
            self.log_migration(migration, "rollback")


def _connect(url: str) -> Connection:
    try:
        return psycopg2.connect(url, connect_timeout=CONNECT_SECONDS)
    except psycopg2.OperationalError as error:
        raise MigrationError(f"The database cannot be reached: {str(error).strip()}") from None


def _drop_invalid_indexes(connection: Connection, source: str) -> None:
    """Drop what a killed CREATE INDEX CONCURRENTLY of this migration left, which IF NOT EXISTS would keep."""
    with connection.cursor() as cursor:
        for schema, name in _invalid(cursor):
            if name in source:
                cursor.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(schema, name)))


def _invalid(cursor: Any) -> list[tuple[str, str]]:
    cursor.execute(
        "SELECT n.nspname, c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid "
        "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE NOT i.indisvalid ORDER BY 1, 2"
    )
    return list(cursor.fetchall())


def _read(folder: Path) -> Any:
    """All migrations of a folder. yoyo treats the path as a pattern, so brackets in it must be escaped."""
    return read_migrations(escape(str(folder)))


@contextmanager
def _alone(url: str, on_wait: Callable[[str], None]) -> Iterator[_Backend]:
    """A backend while no other run is at work; waits for one that is.

    The lock belongs to a transaction of a connection of its own: it ends with the process, and it takes
    no snapshot, for which CREATE INDEX CONCURRENTLY would wait for ever.
    """
    guard = _connect(url)
    try:
        _wait_for_lock(guard, on_wait)
        dsn = DatabaseURI("postgresql", None, None, None, None, "", {"dsn": url})
        with _Backend(dsn, default_migration_table) as backend:
            backend.create_lock_table()
            backend.break_lock()
            with backend.lock():
                yield backend
    except psycopg2.Error as error:
        raise MigrationError(f"The database failed during the migration run: {str(error).strip()}") from error
    finally:
        guard.close()


def _wait_for_lock(guard: Connection, on_wait: Callable[[str], None]) -> None:
    started = time.monotonic()
    told = False
    with guard.cursor() as cursor:
        while True:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK_KEY,))
            row = cursor.fetchone()
            if row is not None and row[0]:
                return
            guard.rollback()
            if not told:
                on_wait("another migration run is at work; waiting for it")
                told = True
            if time.monotonic() - started > LOCK_PATIENCE_SECONDS:
                raise MigrationError("Another migration run has been at work for too long: look at it first.")
            time.sleep(LOCK_POLL_SECONDS)


def _silent(_text: str) -> None:
    """The `on_wait` of callers that have nobody to tell."""


def names(folder: Path = MIGRATIONS) -> list[str]:
    """The names of all migrations in order, e.g. ["0001.create_automated_signals", ...]; no database needed."""
    return [migration.id for migration in _read(folder)]


def applied(url: str) -> list[str]:
    """The names that the database has marked as applied, in order of name. Changes nothing."""
    connection = _connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)", (default_migration_table,))
            row = cursor.fetchone()
            if row is None or row[0] is None:
                return []
            cursor.execute(
                sql.SQL("SELECT migration_id FROM {} ORDER BY 1").format(sql.Identifier(default_migration_table))
            )
            return [name for (name,) in cursor.fetchall()]
    finally:
        connection.close()


def pending(url: str, folder: Path = MIGRATIONS) -> list[str]:
    """The names that are still to be applied, in order. Changes nothing."""
    done = set(applied(url))
    return [name for name in names(folder) if name not in done]


def current(url: str, folder: Path = MIGRATIONS) -> str | None:
    """The last migration of the folder that is applied, or None. Changes nothing."""
    done = set(applied(url))
    return next((name for name in reversed(names(folder)) if name in done), None)


def invalid_indexes(url: str) -> list[str]:
    """Indexes that PostgreSQL will not use ("schema.name"): a concurrent build of them failed."""
    connection = _connect(url)
    try:
        with connection.cursor() as cursor:
            return [f"{schema}.{name}" for schema, name in _invalid(cursor)]
    finally:
        connection.close()


def apply(url: str, folder: Path = MIGRATIONS, *, on_wait: Callable[[str], None] = _silent) -> list[str]:
    """Apply what is pending and return its names, in order.

    Waits while another run is at work (`on_wait` is told so) and then does only what that one left.
    Raises MigrationError; migrations before the failing one stay applied, the failing one leaves no trace.
    """
    with _alone(url, on_wait) as backend:
        return [_one(backend.apply_one, migration) for migration in backend.to_apply(_read(folder))]


def rollback_to(
    url: str, name: str, folder: Path = MIGRATIONS, *, on_wait: Callable[[str], None] = _silent
) -> list[str]:
    """Undo everything after `name`, newest first, and return the names undone.

    Raises MigrationError when `name` is unknown or a rollback file is missing (then nothing is undone).
    """
    after = set(_names_after(name, folder))
    with _alone(url, on_wait) as backend:
        undo = [migration for migration in backend.to_rollback(_read(folder)) if migration.id in after]
        for migration in undo:
            if not Path(migration.path).with_suffix(".rollback.sql").exists():
                raise MigrationError(f"{migration.id} has no rollback file, so nothing was undone.")
        return [_one(backend.rollback_one, migration) for migration in undo]


def stamp(url: str, name: str, folder: Path = MIGRATIONS, *, on_wait: Callable[[str], None] = _silent) -> list[str]:
    """Mark everything up to and including `name` as applied without running it; returns the names marked."""
    after = set(_names_after(name, folder))
    with _alone(url, on_wait) as backend:
        mark = [migration for migration in backend.to_apply(_read(folder)) if migration.id not in after]
        backend.mark_migrations(mark)
        return [migration.id for migration in mark]


def _names_after(name: str, folder: Path) -> list[str]:
    """Every name after this one, which may be given without its number where that is plain."""
    known = names(folder)
    named = [one for one in known if one.partition(".")[2] == name]
    name = named[0] if name not in known and len(named) == 1 else name
    if name not in known:
        raise MigrationError(f"There is no migration {name!r}. Known: {', '.join(known) or 'none'}.")
    return known[known.index(name) + 1 :]


def _one(step: Callable[[Any], None], migration: Any) -> str:
    """Run one step of one migration; a fault of the database becomes a MigrationError that names it."""
    try:
        # yoyo prints the rows of every SELECT in a migration
        with redirect_stdout(io.StringIO()):
            step(migration)
    except psycopg2.Error as error:
        raise MigrationError(f"{migration.id} failed: {str(error).strip()}") from error
    return str(migration.id)
