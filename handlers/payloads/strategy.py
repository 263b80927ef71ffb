"""Legacy strategy alerts: the event in `type`, the trade in `signal_id`."""

from typing import Final

from handlers.payloads.fields import Fields, Layer, no_text
from handlers.payloads.legacy import read_legacy
from handlers.payloads.reading import Body, Context, Reading, Version
from handlers.payloads.words import carries_entry_price, read_event_type
from state.vocabulary import ENTRY, SIGNAL_CREATED

NAME: Final = "strategy"


def recognises(body: Body) -> bool:
    """True when `type` says something."""
    kind = body.get("type")
    return kind is not None and not no_text(kind)


def read(body: Body, context: Context) -> Reading:
    """One event; `signal_created` with an entry price is the entry. Raises Invalid naming every wrong field."""
    fields = Fields(Layer(body))
    event_type = read_event_type(fields, "type")
    if event_type == SIGNAL_CREATED and carries_entry_price(fields):
        event_type = ENTRY
    return read_legacy(fields, context, version=NAME, event_type=event_type, ids=("signal_id", "trade_id"))


VERSION: Final = Version(
    name=NAME,
    style="legacy",
    recognised_by="type with signal_id",
    recognises=recognises,
    read=read,
)
