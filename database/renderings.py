"""Events as JSON text, made by the database: what is only shown is never parsed.

The text of a trade is kept per process, since a trade that still runs is asked for again and again. It is kept
under the numbers and row versions of its events, which are read each time: what is shown is never older than the
answer to the request before.
"""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Final

from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.rows import to_event
from database.summaries import refresh_trade
from state import jsontext
from state.position import STREAM_PREFIX
from state.shown import event_as_dict

#: A trade of fewer events is rendered each time: that is as quick, and what is kept is bounded.
WORTH_KEEPING: Final = 10
KEPT_BYTES: Final = 48 * 1024 * 1024
#: Attempts to read a trade between two alerts of it.
TRIES: Final = 5


def select_texts(connection: Connection, places: Sequence[tuple[str, int]]) -> dict[int, str]:
    """The JSON text of each of the events (trade id, row number) that are there, by row number."""
    asked = {"trade_ids": [trade_id for trade_id, _ in places], "event_ids": [event_id for _, event_id in places]}
    texts = {row.id: row.text for row in QUERIES.signals.render_events(connection, **asked)}
    older = [(trade_id, event_id) for trade_id, event_id in places if texts.get(event_id, "") is None]
    if older:
        asked = {"trade_ids": [trade_id for trade_id, _ in older], "event_ids": [event_id for _, event_id in older]}
        for row in QUERIES.signals.select_events_at(connection, **asked):
            texts[row.id] = jsontext.dump(event_as_dict(to_event(row)))
    return texts


class _Kept:
    """The newest texts, up to KEPT_BYTES: by place, the versions of the events and their JSON, comma between."""

    def __init__(self) -> None:
        self._texts: OrderedDict[tuple[str, str], tuple[str, bytes]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, place: tuple[str, str]) -> tuple[str, bytes]:
        with self._lock:
            if place in self._texts:
                self._texts.move_to_end(place)
            return self._texts.get(place, ("", b""))

    def put(self, place: tuple[str, str], versions: str, text: bytes) -> None:
        with self._lock:
            self._size += len(text) - len(self._texts.pop(place, ("", b""))[1])
            self._texts[place] = versions, text
            while self._size > KEPT_BYTES and self._texts:
                self._size -= len(self._texts.popitem(last=False)[1][1])


_kept: Final = _Kept()


def select_trade(pool: Pool, trade_id: str) -> bytes | None:
    """The answer that shows a trade with its events, as JSON; None when its summary cannot tell (no such trade, or
    one that was derived from a stream)."""
    if trade_id.startswith(STREAM_PREFIX):
        return None
    for attempt in range(TRIES):
        with pool.statements(timeout=15) as connection:
            found = QUERIES.summaries.select_trade(connection, trade_id=trade_id)
            if found is not None and found.versions is not None:
                events = _events(connection, (pool.url, trade_id), found.versions)
                if events is not None:
                    return b'{"success":true,"trade":%b,"events":[%b]}' % (found.trade.encode(), events)
        if found is None:
            return None
        # most often a new alert has marked it; where no mark says why, all of it is folded
        refresh_trade(pool, trade_id, whole=attempt > 0)
    return None


def _events(connection: Connection, place: tuple[str, str], versions: str) -> bytes | None:
    """The events of these versions as JSON, comma between; None when one of them is gone meanwhile."""
    trade_id = place[1]
    known, text = _kept.get(place)
    if versions == known:
        return text
    # a trade grows at its end: what is known stays in front of what has come since
    start = known.count(",") + 1 if known and versions.startswith(f"{known},") else 0
    wanted = [int(version.partition(".")[0]) for version in versions.split(",")[start:]]
    texts = select_texts(connection, [(trade_id, event_id) for event_id in wanted])
    if len(texts) < len(wanted):
        return None
    added = ",".join([texts[event_id] for event_id in wanted]).encode()
    text = b"%b,%b" % (text, added) if start else added
    if start + len(wanted) >= WORTH_KEEPING:
        _kept.put(place, versions, text)
    return text
