"""Long trades that go on by an MFE update: their summary follows from the one before and the new events alone."""

from typing import Any, Final

from database.driver import Connection
from database.queries import QUERIES
from database.rows import to_event
from database.summary_rows import summary
from state import jsontext
from state.extension import extended, restored

#: A trade of fewer events is folded whole: that costs no more than finding out what is new.
LONG: Final = 10


def extend(connection: Connection, trade_id: str) -> dict[str, Any] | None:
    """The summary row of a trade, with its new events; None when all of its events must be folded.

    None too when an event is gone or none is new: whoever marked the trade then did so for another reason.
    """
    known = QUERIES.summaries.select_known(connection, trade_id=trade_id)
    if known is None:
        return None
    there = QUERIES.signals.select_event_ids(connection, trade_id=trade_id) or []
    new = set(there).difference(known.event_ids)
    trade = restored(known.trade)
    if trade is None or not new or len(there) != len(known.event_ids) + len(new):
        return None
    asked = {"trade_ids": [trade_id] * len(new), "event_ids": sorted(new)}
    made = extended(trade, [to_event(row) for row in QUERIES.signals.select_events_at(connection, **asked)])
    if made is None:
        return None
    row = summary(trade_id, made)
    # the text goes as one piece: thousands of numbers are quicker joined than written one by one
    row["event_ids"] = jsontext.written(f"[{','.join(map(str, [*known.event_ids, *row['event_ids']]))}]")
    return row
