"""Counters that any thread may raise without a lock, so that counting can neither block nor lose."""

from __future__ import annotations

import itertools
from collections.abc import Iterator


class Tally:
    """A count. `add` is one step of the interpreter: no lock, safe between threads and in signal handlers."""

    __slots__ = ("_count", "add")

    def __init__(self) -> None:
        self._count: Iterator[int] = itertools.count()
        self.add = self._count.__next__

    @property
    def value(self) -> int:
        # What count() shows of itself is its next number; reading it any other way would raise it.
        return int(repr(self._count)[6:-1])
