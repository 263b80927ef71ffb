"""How many alerts one process has in hand at once: the others wait their turn before anything is spent on them.

Without it a burst has all of its alerts read before the first are stored; everyone then waits for everyone, the
database seems to be away because nobody comes to hear its answer, and what was accepted is answered too late.
"""

import threading
from collections import deque
from types import TracebackType
from typing import Final

#: Two groups of the writer: one on its way to the database, one that gathers.
PLACES: Final = 128


class Gate:
    """A block that so many may be in; whoever waits longest comes next."""

    def __init__(self, places: int = PLACES) -> None:
        self._lock = threading.Lock()
        self._free = places
        self._waiting: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        try:
            turn.acquire()
        except BaseException:  # whoever is ended while waiting passes its turn on
            self._give_up(turn)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1

    def _give_up(self, turn: threading.Lock) -> None:
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return
        self._leave()
