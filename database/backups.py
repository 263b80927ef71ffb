"""Whole copies of the database by pg_dump, and back: a file is whole or not there at all."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from database.console import environment, program
from database.embedded import EmbeddedPostgresError
from database.pool import Pool
from database.queries import QUERIES
from errors import BackupFailed

#: Whoever reads a backup reads everything that is in the database.
_MODE: Final = 0o600


def dump(url: str, target: Path | None) -> int | None:
    """Write the database to a file (standard output without one) in pg_dump's custom format; returns its bytes.

    The file is checked to be one that pg_restore reads before it takes its name. Raises BackupFailed.
    """
    command, check = [_program("pg_dump"), "--format=custom", "--no-password"], _program("pg_restore")
    if target is None:
        sys.stdout.flush()
        _run(command, url)
        return None
    part = target.with_name(f".{target.name}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE))
        _run([*command, f"--file={part}"], url)
        _run([check, "--list", "--file=/dev/null", str(part)], url)
        return _keep(part, target)
    except OSError as error:
        raise BackupFailed(f"The backup could not be written to {target}: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)


def restore(url: str, dump: Path) -> None:
    """Bring a backup into an empty database, all of it or nothing. Raises BackupFailed.

    Who owned the tables elsewhere does not matter here; that nobody may rewrite the audit holds for the new owner too.
    """
    if not dump.is_file():
        raise BackupFailed(f"There is no file {dump}.")
    pool = Pool(url, 1)
    try:
        with pool.transaction() as connection:
            if QUERIES.admin.has_tables(connection):
                raise BackupFailed("This database holds tables already: restore into an empty one.")
        options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", "--dbname="]
        _run([_program("pg_restore"), *options, str(dump)], url)
        with pool.transaction() as connection:
            QUERIES.audit.protect(connection)
    finally:
        pool.close()


def _program(name: str) -> str:
    try:
        return str(program(name))
    except EmbeddedPostgresError as error:
        raise BackupFailed(str(error)) from error


def _run(command: list[str], url: str) -> None:
    done = subprocess.run(command, env=environment(url, os.environ), stderr=subprocess.PIPE, check=False)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise BackupFailed(f"{Path(command[0]).name} failed: {said[0]}")


def _keep(part: Path, target: Path) -> int:
    """Give a finished file its name, on the disk and not only in its cache."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    size = part.stat().st_size
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return size
