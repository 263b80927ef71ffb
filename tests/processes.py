"""What tests of real processes share: a server in its own folder, and what is left of it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import pytest

ROOT = Path(__file__).resolve().parent.parent


def needs(present: object, what: str) -> None:
    """Skip a test that this machine cannot run; in continuous integration that is a failure."""
    if present:
        return
    if os.environ.get("CI"):
        pytest.fail(f"this machine lacks {what}")
    pytest.skip(f"needs {what}")


def only_when(condition: object, what: str) -> None:
    """Skip a test that is about another kind of run than this one (root or an ordinary user, say)."""
    if not condition:
        pytest.skip(f"only {what}")


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until `true()`; fails the test, naming what was waited for."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def free_port() -> int:
    """A TCP port of the loopback address that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def family(pid: int) -> list[psutil.Process]:
    """A process and all its descendants."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def none_left(processes: list[psutil.Process], seconds: float = 15) -> None:
    """Fail when any of the processes lives on (zombies that wait for an init count as gone)."""

    def living() -> list[psutil.Process]:
        return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]

    def gone() -> bool:
        try:
            return not living()
        except psutil.NoSuchProcess:
            return False

    wait_until(gone, seconds, f"the end of {processes}")


@dataclass
class Server:
    """Alertbook as its users start it, on a free port, with its data in `data`."""

    data: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = (sys.executable, str(ROOT / "web_server.py"))
    cwd: Path = ROOT
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    # a file: a pipe that nobody reads would fill up and stop the server
    printed: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="server-"), "output"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def launch(self) -> "Server":
        """Start it without waiting for it."""
        kept = {
            name: value for name, value in os.environ.items() if name.startswith(("PATH", "LANG", "COV_", "COVERAGE"))
        }
        own = {"ALERTBOOK_DATA_DIR": str(self.data), "PORT": str(self.port), "WEB_CONCURRENCY": "1"}
        with self.printed.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **own, **self.environment},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self

    def start(self) -> "Server":
        """Start it and wait until it serves."""
        self.launch()
        wait_until(self.answers, 60, "the server's first answer")
        return self

    def answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended: {self.output()}")
        try:
            with urlopen(f"{self.url}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def signal(self, number: int) -> None:
        """Signal the whole foreground process group, as a terminal does."""
        os.killpg(self.pid, number)

    def output(self) -> str:
        """All that it printed; waits for its end."""
        assert self.process is not None
        self.process.wait(60)
        return self.printed.read_text(encoding="utf-8")

    def end(self) -> None:
        """Make sure that nothing of it is left, whatever the test did."""
        if self.process is None:
            return
        processes = family(self.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(45)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        none_left(processes, 45)
        shutil.rmtree(self.printed.parent)


@contextmanager
def server(data: Path, **options: object) -> Iterator[Server]:
    """A started server that is ended with the block."""
    one = Server(data, **options)  # type: ignore[arg-type]
    try:
        yield one.start()
    finally:
        one.end()


def copy_of_the_product(target: Path) -> Path:
    """What a clone would hold, without what is built from it."""
    ignored = shutil.ignore_patterns(".git", ".venv", "data", "__pycache__", ".*_cache", ".hypothesis", "tests", "docs")
    return Path(shutil.copytree(ROOT, target, ignore=ignored))
