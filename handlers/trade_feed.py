"""Completed trades become KPI events soon after the alert that completed them, and never in its way.

One thread per process (a greenlet under gevent), begun by the first alert. What it misses, the job `trade_kpis` or
the next alert finds: a trade is recorded once, whoever does it.
"""

import threading
import time
from typing import Final

import structlog

from database.governance.regression import record_completed_trades
from database.pool import Pool
from errors import AlertbookError

log = structlog.get_logger()

#: Seconds between two looks: alerts that come together share one.
PAUSE: Final = 1.0


class TradeFeed:
    """Looks through the trades whenever it is told that there may be something new."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._told = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def tell(self) -> None:
        """There may be something new."""
        self._told.set()
        if self._thread is not None and self._thread.is_alive():
            return
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="trade-feed", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._told.wait()
            self._told.clear()
            try:
                record_completed_trades(self._pool)
            except AlertbookError as error:
                log.warning("trades_not_recorded", code=error.code)
            time.sleep(PAUSE)
