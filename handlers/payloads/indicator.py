"""Legacy indicator alerts: the event in `automation_stage`, the trade in `trade_id` or `signal_id`."""

from typing import Final

from handlers.payloads.fields import Fields, Layer, no_text
from handlers.payloads.legacy import read_legacy
from handlers.payloads.reading import Body, Context, Reading, Version
from handlers.payloads.words import read_event_type

NAME: Final = "indicator"


def recognises(body: Body) -> bool:
    """True when `automation_stage` says something."""
    stage = body.get("automation_stage")
    return stage is not None and not no_text(stage)


def read(body: Body, context: Context) -> Reading:
    """The event of one stage. Raises Invalid naming every wrong field."""
    fields = Fields(Layer(body))
    event_type = read_event_type(fields, "automation_stage")
    return read_legacy(fields, context, version=NAME, event_type=event_type, ids=("trade_id", "signal_id"))


VERSION: Final = Version(
    name=NAME,
    style="legacy",
    recognised_by="automation_stage with trade_id",
    recognises=recognises,
    read=read,
)
