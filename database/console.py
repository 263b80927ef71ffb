"""PostgreSQL's own programs: where they are, and the environment that connects them."""

from collections.abc import Mapping
from pathlib import Path
from shutil import which

from psycopg2.extensions import parse_dsn

from database.embedded import EmbeddedPostgresError, binary

#: libpq's variables for the parts of a URL that a session needs.
_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "channel_binding": "PGCHANNELBINDING",
    "options": "PGOPTIONS",
}


def environment(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment that connects a program to the database.

    The URL travels in it because arguments, and so a password in them, are visible to all users.
    """
    parts = {_VARIABLES[name]: value for name, value in parse_dsn(url).items() if name in _VARIABLES}
    return {**environ, **parts}


def program(name: str) -> Path:
    """A program of the wheel, which is as new as any server it may meet; else the system's.

    Raises EmbeddedPostgresError when there is neither.
    """
    try:
        return binary(name)
    except EmbeddedPostgresError:
        found = which(name)
        if found is None:
            raise
        return Path(found)


def psql(url: str, environ: Mapping[str, str]) -> tuple[Path, dict[str, str]]:
    """The psql program (the system's if there is one: people have set it up) and the environment that connects it."""
    found = which("psql", path=environ.get("PATH"))
    return Path(found) if found else binary("psql"), environment(url, environ)
