"""Keeps the embedded PostgreSQL running for exactly as long as its server lives.

Runs as a process of its own (`python -m database.keeper`, its plan as JSON on standard input) and is the
parent of the postmaster. It creates the database cluster the first time, starts the postmaster again
when it dies, and ends it when told to or when the server is gone, however the server went.
"""

import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import psutil

POLL_SECONDS: Final = 0.1
FAST_SHUTDOWN_SECONDS: Final = 12.0
IMMEDIATE_SHUTDOWN_SECONDS: Final = 8.0
STEADY_SECONDS: Final = 20.0
MAX_QUICK_DEATHS: Final = 6
MAX_BACKOFF_SECONDS: Final = 10.0
MAX_LOG_BYTES: Final = 10 * 1024 * 1024
ROLE: Final = "alertbook"

_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the keeper is asked to keep: all paths absolute, `uid` and `gid` None for our own account."""

    owner: int
    programs: str
    cluster: str
    sockets: str
    log: str
    tag: str
    uid: int | None
    gid: int | None
    settings: dict[str, str]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        return cls(**json.loads(text))


class Stopped(Exception):
    """The keeper was told to stop, or its owner is gone."""


def processes_of(tag: str) -> list[psutil.Process]:
    """The living PostgreSQL processes of one cluster, told by the cluster name in their titles."""
    return [
        process
        for process in psutil.process_iter(["name", "cmdline", "status"])
        if process.info["name"] == "postgres"
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and any(tag in argument for argument in process.info["cmdline"] or ())
    ]


def trim_log(path: Path, limit: int = MAX_LOG_BYTES) -> None:
    """Move a log that outgrew `limit` bytes aside (one generation) and empty it in place.

    Emptied rather than renamed because the postmaster holds it open for appending.
    """
    with suppress(FileNotFoundError):
        if path.stat().st_size > limit:
            shutil.copyfile(path, path.with_name(path.name + ".1"))
            os.truncate(path, 0)


def _die_with_parent() -> Callable[[], None] | None:
    """A function for the child between fork and exec: end at once, as in a crash, when the keeper is killed."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


class Keeper:
    """One cluster, one postmaster at a time."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.cluster = Path(plan.cluster)
        self.sockets = Path(plan.sockets)
        self.log = Path(plan.log)
        self.asked_to_stop = False
        self._postmaster: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

    def run(self) -> int:
        """Keep the database until told to stop. Returns 0 then, 1 when PostgreSQL will not start."""
        try:
            self._wait_for_lock()
            self._clear_remains()
            self._ensure_cluster()
            return self._supervise()
        except Stopped:
            self._stop_postmaster()
            shutil.rmtree(self.sockets, ignore_errors=True)
            return 0
        finally:
            if self._lock is not None:
                os.close(self._lock)

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Ask for an orderly end (also the handler of SIGTERM)."""
        self.asked_to_stop = True

    def _pause(self, seconds: float) -> None:
        """Sleep, raising Stopped as soon as there is nothing left to keep."""
        until = time.monotonic() + seconds
        while True:
            if self.asked_to_stop or os.getppid() != self.plan.owner:
                raise Stopped
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(POLL_SECONDS, left))

    def _wait_for_lock(self) -> None:
        """Wait for the keeper of an earlier, killed server to finish its stopping."""
        lock = os.open(self.cluster.with_name("keeper.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while True:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._pause(POLL_SECONDS)
            else:
                self._lock = lock
                return

    def _clear_remains(self) -> None:
        """End processes that a killed server left, then remove the lock files that nobody holds.

        PostgreSQL's own check of postmaster.pid only asks whether the pid is alive, and pids are reused.
        """
        self._end_processes()
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        for path in self.sockets.iterdir():
            path.unlink()

    def _end_processes(self) -> None:
        """End every process of this cluster as in a crash, which loses nothing that was committed."""
        for number in (signal.SIGQUIT, signal.SIGKILL, signal.SIGKILL):
            processes = processes_of(self.plan.tag)
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
            psutil.wait_procs(processes, timeout=IMMEDIATE_SHUTDOWN_SECONDS)

    def _popen(self, command: list[str]) -> subprocess.Popen[bytes]:
        keep = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**keep, "LC_ALL": "C"},
                start_new_session=True,
                umask=0o077,
                user=self.plan.uid,
                group=self.plan.gid,
                extra_groups=None if self.plan.uid is None else [],
                preexec_fn=_die_with_parent(),
            )

    def _ensure_cluster(self) -> None:
        """Create the cluster beside its place and move it there, so that a killed run leaves no half of one."""
        if (self.cluster / "PG_VERSION").exists():
            return
        _say(f"creating the database in {self.cluster} (only this once)")
        new = self.cluster.with_name(self.cluster.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if self.plan.uid is not None and self.plan.gid is not None:
            os.chown(new, self.plan.uid, self.plan.gid)
        initdb = self._popen(
            [
                f"{self.plan.programs}/initdb",
                f"--pgdata={new}",
                f"--username={ROLE}",
                "--auth-local=trust",
                "--auth-host=reject",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            ]
        )
        try:
            while initdb.poll() is None:
                self._pause(POLL_SECONDS)
        finally:
            initdb.kill()
            initdb.wait()
        if initdb.returncode != 0:
            raise SystemExit(1)
        new.rename(self.cluster)

    def _supervise(self) -> int:
        """Start the postmaster, and start it again whenever it ends. Returns 1 when it never stays up."""
        deaths = 0
        while True:
            trim_log(self.log)
            started = time.monotonic()
            self._postmaster = self._popen(self._postmaster_command())
            while self._postmaster.poll() is None:
                self._pause(POLL_SECONDS)
                if self.log.stat().st_size > MAX_LOG_BYTES:
                    trim_log(self.log)
            deaths = 1 if time.monotonic() - started > STEADY_SECONDS else deaths + 1
            if deaths >= MAX_QUICK_DEATHS:
                _say(f"PostgreSQL ends again and again; its log is {self.log}")
                return 1
            _say(f"PostgreSQL ended (code {self._postmaster.returncode}); starting it again")
            self._pause(min(0.05 * 2**deaths, MAX_BACKOFF_SECONDS))
            self._clear_remains()

    def _postmaster_command(self) -> list[str]:
        quoted = '"' + self.plan.sockets.replace('"', '""') + '"'
        settings = {
            **self.plan.settings,
            "cluster_name": self.plan.tag,
            "listen_addresses": "",
            "unix_socket_directories": quoted,
            "unix_socket_permissions": "0700",
            "port": "5432",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [f"{self.plan.programs}/postgres", "-D", self.plan.cluster, *options]

    def _stop_postmaster(self) -> None:
        """Fast shutdown (open transactions are rolled back), then immediate, then by force."""
        if self._postmaster is None:
            return
        for number, patience in (
            (signal.SIGINT, FAST_SHUTDOWN_SECONDS),
            (signal.SIGQUIT, IMMEDIATE_SHUTDOWN_SECONDS),
            (signal.SIGKILL, IMMEDIATE_SHUTDOWN_SECONDS),
        ):
            self._postmaster.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._postmaster.wait(patience)
                break
        self._end_processes()


def _say(text: str) -> None:
    """Tell the terminal, if it is still there."""
    with suppress(OSError):
        sys.stderr.write(f"alertbook: {text}\n")
        sys.stderr.flush()


def main() -> int:
    """Read the plan from standard input and keep it."""
    keeper = Keeper(Plan.from_json(sys.stdin.read()))
    signal.signal(signal.SIGTERM, keeper.stop)
    signal.signal(signal.SIGINT, keeper.stop)
    return keeper.run()


if __name__ == "__main__":
    sys.exit(main())
