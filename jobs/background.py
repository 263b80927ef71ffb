"""Work behind the web server: a light thread that lives until it is told to stop, alone or by turns with all others."""

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from database import jobs
from database.pool import Pool
from errors import AlertbookError

log = structlog.get_logger()

STOP_SECONDS: Final = 12.0
#: How often a process looks whether a turn is free.
LOOK_SECONDS: Final = 5.0


class Background:
    """Work in a light thread; `work` ends soon after the event that it is given is set."""

    def __init__(self, name: str, work: Callable[[threading.Event], None]) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=work, args=(self._over,), name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let what is under way come to an end."""
        self._over.set()
        self._thread.join(STOP_SECONDS)


@dataclass(frozen=True, slots=True)
class Turn:
    """Work that one process of all on all hosts does every so many seconds; it may ask whether it is to end early.

    It takes at most this `share` of the time: what takes longer is done more seldom.
    """

    name: str
    seconds: float
    work: Callable[[Callable[[], bool]], None]
    share: float = 1.0


def take_turns(url: str, turns: Sequence[Turn]) -> Background:
    """Take whatever turn is free: whoever gets its lease does the work."""

    def look(over: threading.Event) -> None:
        pool = Pool(url, 1)
        while not over.wait(LOOK_SECONDS):
            for turn in turns:
                try:
                    _take(pool, turn, over)
                except AlertbookError as error:
                    log.warning("turn_missed", work=turn.name, code=error.code)
        pool.close()

    return Background("turns", look)


def _take(pool: Pool, turn: Turn, over: threading.Event) -> None:
    lease, holder = f"{turn.name}-turn", uuid.uuid4().hex
    if not jobs.take_lease(pool, lease, holder, turn.seconds):
        return
    started = time.monotonic()
    try:
        turn.work(over.is_set)
    finally:
        rest = (time.monotonic() - started) / turn.share
        if rest > turn.seconds:
            jobs.renew_lease(pool, lease, holder, rest)
