"""PgBouncer between the tests and their PostgreSQL: its own defaults but for the pool mode and the number of clients.

`./dev test --pgbouncer` asks for it by naming the program in ALERTBOOK_TEST_PGBOUNCER.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from database.accounts import needed_account
from database.keeper import ROLE
from tests.processes import wait_until

PROGRAM = os.environ.get("ALERTBOOK_TEST_PGBOUNCER")
PORT = 6432

_CONFIGURATION = """
[databases]
* = host={host} port={port}
[pgbouncer]
pool_mode = transaction
max_client_conn = 2000
auth_type = trust
auth_file = {folder}/users
unix_socket_dir = {folder}
listen_port = {own_port}
logfile = {folder}/log
"""


@contextmanager
def pooling(server: str) -> Iterator[Path]:
    """The folder of PgBouncer's socket, while it runs in front of the server of this URL."""
    assert PROGRAM is not None
    asked = parse_qs(urlsplit(server).query)
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-", dir="/tmp"))
    (folder / "users").write_text(f'"{ROLE}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        _CONFIGURATION.format(host=asked["host"][0], port=asked["port"][0], folder=folder, own_port=PORT)
    )
    # like PostgreSQL it refuses to run as root, and its socket folder must be within the server's reach
    account = needed_account(folder)
    if account is not None:
        for path in (folder, *folder.iterdir()):
            os.chown(path, account.uid, account.gid)
    process = subprocess.Popen(
        [PROGRAM, "-q", str(folder / "pgbouncer.ini")],
        user=None if account is None else account.uid,
        group=None if account is None else account.gid,
        extra_groups=None if account is None else [],
    )
    try:
        wait_until(lambda: _answers(folder), 20, "PgBouncer")
        yield folder
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        shutil.rmtree(folder)


def _answers(folder: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(folder / f".s.PGSQL.{PORT}")) == 0


def through(folder: Path, url: str) -> str:
    """The address of the same database by way of PgBouncer."""
    return urlsplit(url)._replace(query=urlencode({"host": str(folder), "port": PORT}, quote_via=quote)).geturl()
