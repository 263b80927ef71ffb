"""Legacy direct alerts: telemetry's names without a schema."""

from typing import Final

from handlers.payloads.fields import Fields, Layer, no_text
from handlers.payloads.legacy import read_legacy
from handlers.payloads.reading import Body, Context, Reading, Version
from handlers.payloads.words import read_event_type

NAME: Final = "direct"


def recognises(body: Body) -> bool:
    """True when `event_type` says something; a missing trade id is then a fault that can be named."""
    event_type = body.get("event_type")
    return event_type is not None and not no_text(event_type)


def read(body: Body, context: Context) -> Reading:
    """One event. Raises Invalid naming every wrong field."""
    fields = Fields(Layer(body))
    event_type = read_event_type(fields, "event_type")
    return read_legacy(fields, context, version=NAME, event_type=event_type, ids=("trade_id", "signal_id"))


VERSION: Final = Version(
    name=NAME,
    style="legacy",
    recognised_by="event_type with trade_id or signal_id",
    recognises=recognises,
    read=read,
)
