"""Reading the lines of an import, group by group: in the web process, or in processes of their own where many come.

Reading costs more than storing, and one process reads on one core. Such a process (`main`) takes groups of lines on its
standard input and answers rows on its standard output, until its input ends. It is connected to no database, and
nothing is lost with it.
"""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import IO, Any, Final, NamedTuple

from database.driver import DeadlineExceeded, deadline, translate
from database.rows import from_event
from errors import AlertbookError, DatabaseError, TooLarge, Unavailable
from handlers import payloads
from handlers.exchange import LINE_LIMIT, read_line
from handlers.payloads import Refused
from state import jsontext
from state.event import SignalEvent

#: Groups that the web process reads itself: a short import would be over before the others have started.
HERE: Final = 4
PROCESSES: Final = max(1, min(4, os.cpu_count() or 1))
#: Lines after which other requests of this process have their turn.
TURN: Final = 25
#: A group takes a process a fraction of a second; one that is away for this long is given up.
ANSWER_SECONDS: Final = 60.0
#: Alerts come first.
_NICE: Final = 5
_MICROSECOND: Final = timedelta(microseconds=1)
_ROOT: Final = Path(__file__).resolve().parent.parent
#: One import of a web process has readers; another beside it is read by the web process.
_readers_are_busy = Lock()


class Lines(NamedTuple):
    """Lines with their numbers, None for one that is too long, and what it takes to read them."""

    numbered: list[tuple[int, bytes | None]]
    started: datetime
    zone: str
    secrets: tuple[str, ...]


class Group(NamedTuple):
    """What a group of lines came to."""

    up_to: int
    #: line number, and the event's row as JSON text
    rows: list[tuple[int, str]]
    #: events that stand in the group already
    repeats: int
    refused: list[dict[str, Any]]


def refusal(number: int, error: AlertbookError, index: int | None = None) -> dict[str, Any]:
    """What is answered about a line, or an item of a batch in it."""
    return {
        "line": number,
        **({} if index is None else {"index": index}),
        "code": error.code,
        "error": error.message,
        "details": [detail.as_dict() for detail in error.details],
    }


def read_group(lines: Lines) -> Group:
    """Read every line of a group; whatever a line says, it costs only itself."""
    group = Group(lines.numbered[-1][0], [], 0, [])
    known: set[tuple[str, str]] = set()
    repeats = 0
    for place, (number, line) in enumerate(lines.numbered):
        if place % TURN == 0:
            time.sleep(0)
        try:
            outcomes = _read(number, line, lines)
        except DatabaseError:
            raise
        except AlertbookError as error:
            group.refused.append(refusal(number, error))
            continue
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, Refused):
                group.refused.append(refusal(number, outcome.error, index))
            elif (outcome.trade_id, outcome.event_key) in known:
                repeats += 1
            else:
                known.add((outcome.trade_id, outcome.event_key))
                try:
                    group.rows.append((number, jsontext.dump_row(from_event(outcome))))
                except (ValueError, RecursionError) as unwritable:
                    group.refused.append(refusal(number, translate(unwritable), index))
    return group._replace(repeats=repeats)


def _read(number: int, line: bytes | None, lines: Lines) -> tuple[SignalEvent | Refused, ...]:
    if line is None:
        raise TooLarge(f"The line has more than {LINE_LIMIT} bytes.")
    context = payloads.Context(lines.started + number * _MICROSECOND, lines.zone)
    return read_line(line, context, lines.secrets).outcomes


class Reading:
    """Groups of lines in, the same groups read out, in their order. Ends its processes where the block ends."""

    def __init__(self) -> None:
        self._here = 0
        self._mine = False
        self._idle: list[_Reader] = []
        self._busy: deque[_Reader] = deque()

    def __enter__(self) -> "Reading":
        return self

    def take(self, lines: Lines) -> Iterator[Group]:
        """Have a group read; gives what is ready by then. Raises Unavailable when a process has ended."""
        if not self._has_readers():
            self._here += 1
            yield read_group(lines)
            return
        if not self._idle:
            yield self._oldest()
        reader = self._idle.pop()
        self._busy.append(reader)  # before anything can fail: what stands in neither place is not ended
        reader.send(lines)

    def rest(self) -> Iterator[Group]:
        """The groups that are still being read."""
        while self._busy:
            yield self._oldest()

    def _has_readers(self) -> bool:
        if not self._mine and self._here >= HERE and _readers_are_busy.acquire(blocking=False):
            self._mine = True
            with suppress(OSError):  # no memory or no place for one more: what has started is enough
                for _ in range(PROCESSES):
                    self._idle.append(_Reader())
        return bool(self._idle or self._busy)

    def _oldest(self) -> Group:
        reader = self._busy.popleft()
        self._idle.append(reader)
        return reader.receive()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            for reader in (*self._idle, *self._busy):
                reader.end()
        finally:
            if self._mine:
                _readers_are_busy.release()


class _Reader:
    """One process that reads. It has one group at a time."""

    def __init__(self) -> None:
        # the numbers of /metrics are those of web processes
        environment = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from handlers import import_reading; import_reading.main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            env=environment,
        )

    def send(self, lines: Lines) -> None:
        with _answering():
            _write(self._process.stdin, lines)

    def receive(self) -> Group:
        with _answering():
            group: Group = pickle.load(self._process.stdout)  # type: ignore[arg-type]  # our own process
        return group

    def end(self) -> None:
        with suppress(ProcessLookupError):  # gone, and not yet noticed
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _close(pipe)


@contextmanager
def _answering() -> Iterator[None]:
    """Around what a process has to do its part in. Raises Unavailable when it has ended, or seems to be frozen."""
    try:
        with deadline(ANSWER_SECONDS):
            yield
    except (OSError, EOFError, pickle.UnpicklingError, DeadlineExceeded) as error:
        raise Unavailable("a process that read its lines does not answer", retry_after=5) from error


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:  # what was still to be written to it
        return


def _write(pipe: IO[bytes] | None, value: Lines | Group) -> None:
    assert pipe is not None
    pickle.dump(value, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def main() -> None:
    """Read groups until the input ends."""
    os.nice(_NICE)
    for number in (signal.SIGINT, signal.SIGTERM):  # a stop of the whole server finishes the imports under way
        signal.signal(number, signal.SIG_IGN)
    groups, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed must not stand among the answers
    while True:
        try:
            lines = pickle.load(groups)  # what the web process has written
        except (EOFError, pickle.UnpicklingError):  # the web process may have died in the middle of a group
            return
        _write(answers, read_group(lines))
