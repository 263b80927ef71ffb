"""psql for people: which program, with which environment."""

from collections.abc import Mapping
from pathlib import Path
from shutil import which

from psycopg2.extensions import parse_dsn

from database.embedded import binary

#: libpq's variables for the parts of a URL that a person's session needs.
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


def psql(url: str, environ: Mapping[str, str]) -> tuple[Path, dict[str, str]]:
    """The psql program (the system's if there is one, else the wheel's) and the environment that connects it.

    The URL travels in the environment because arguments, and so a password in them, are visible to all users.
    """
    found = which("psql", path=environ.get("PATH"))
    parts = {_VARIABLES[name]: value for name, value in parse_dsn(url).items() if name in _VARIABLES}
    return Path(found) if found else binary("psql"), {**environ, **parts}
