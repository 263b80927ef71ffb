"""Each process's background work for the summaries: fold when alerts come seldom, keep the totals short and right."""

import threading
import time
from typing import Final

import structlog

from database import summaries, totals
from database.pool import Pool
from database.queries import QUERIES
from errors import DatabaseError, Unavailable

log = structlog.get_logger()

ROUND_SECONDS: Final = 1.0
#: With more new marks in a round than this, alerts and imports have the processors to themselves: whoever reads folds.
FEW_MARKS: Final = 20
#: Older code may have run before this process, and beside it until a deploy is over: see `database.totals`.
RECOUNT_AFTER: Final = (0.0, 300.0)


class Folder:
    """A thread (a greenlet under gevent) that does its rounds until it is stopped."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._started = time.monotonic()
        self._recounts = list(RECOUNT_AFTER)
        self._newest = 0

    def start(self) -> None:
        """Begin; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="folder", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after the batch under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)

    def _run(self) -> None:
        while not self._stop.wait(ROUND_SECONDS):
            try:
                self.round()
            except (DatabaseError, Unavailable) as error:
                # what is not folded here is folded by whoever reads
                log.info("folding_hindered", code=error.code)

    def round(self) -> None:
        """One look: fold what is out of date unless much is coming in, and keep the totals."""
        with self._pool.transaction() as connection:
            marks = QUERIES.summaries.select_marks(connection)
        few, self._newest = marks.newest - self._newest <= FEW_MARKS, marks.newest
        if few and marks.dirty:
            summaries.refresh(self._pool, until=self._stop.is_set)
        totals.compact(self._pool)
        if self._recounts and time.monotonic() - self._started >= self._recounts[0]:
            del self._recounts[0]
            if not totals.recount(self._pool, only_one=True):
                log.info("totals_recounted")
