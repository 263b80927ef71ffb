"""An alert is durable when the database has committed it or, failing that in time, when the spool has it on disk."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import structlog

from database import spool as spools
from database.receipts import Delivery
from database.rows import from_event
from database.signals import Stored
from database.spool import Spool
from database.writer import SignalWriter
from errors import DatabaseError, PoisonRow, Unavailable
from state import jsontext
from state.event import SignalEvent

log = structlog.get_logger()

#: What is left of an alert's time when it goes to the spool instead.
SPOOL_SECONDS: Final = 0.45


class Breaker:
    """Whether the database is known to be away; then alerts go to the spool without waiting for it first."""

    def __init__(self) -> None:
        self._away = threading.Event()

    @property
    def away(self) -> bool:
        """True from a failure of the database until it has answered again."""
        return self._away.is_set()

    def open(self, code: str) -> None:
        """The database failed."""
        if not self.away:
            log.warning("database_away", code=code)
        self._away.set()

    def close(self) -> None:
        """The database has answered."""
        if self.away:
            log.warning("database_back")
        self._away.clear()


@dataclass(frozen=True, slots=True)
class Written:
    """Where the events of one alert are durable, and which of them were repeats (unknown in the spool)."""

    places: list[Stored]
    durable: Literal["database", "spool"]


class DurableStore:
    """One process's way to durability."""

    def __init__(self, writer: SignalWriter, spool: Spool, breaker: Breaker) -> None:
        self._writer = writer
        self._spool = spool
        self._breaker = breaker

    @property
    def database_away(self) -> bool:
        """Whether the database is known to be away, so that asking it now would only cost time."""
        return self._breaker.away

    def write(self, events: Sequence[SignalEvent], *, until: float, delivery: Delivery) -> Written:
        """Make the events of one alert durable before the monotonic time `until`.

        Raises PoisonRow when the database will never take them, Unavailable when nothing could be stored.
        """
        try:
            if self._breaker.away:
                raise Unavailable("the database is away", retry_after=5)
            left = max(0.05, until - time.monotonic() - SPOOL_SECONDS)
            return Written(self._writer.write(events, timeout=left, delivery=delivery), "database")
        except PoisonRow:
            raise
        except DatabaseError as error:
            self._breaker.open(error.code)
        except Unavailable:
            pass
        content = jsontext.dump(
            {
                "peer": delivery.peer,
                "replay_of": delivery.replay_of,
                "rows": [from_event(event) for event in events],
            },
            ascii_only=True,
        )
        left = max(0.2, until - time.monotonic())
        self._spool.put(spools.EVENTS, delivery.received_at, content, timeout=left)
        return Written([Stored(None, duplicate=False) for _ in events], "spool")

    def close(self) -> None:
        """Write what is pending."""
        self._writer.close()
