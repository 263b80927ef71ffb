"""Telemetry in an envelope: the fields stand in `attributes`, beside a `message` that says nothing."""

from typing import Final

from handlers.payloads.building import build_event
from handlers.payloads.fields import Fields, Layer
from handlers.payloads.reading import Body, Context, Reading, Version
from handlers.payloads.schema import TELEMETRY_MAJOR, read_schema_version
from handlers.payloads.words import read_event_type

NAME: Final = "telemetry_wrapped"
ENVELOPE: Final = "attributes"


def recognises(body: Body) -> bool:
    """True when `attributes` is an object with a trade_id or an event_type."""
    inside = body.get(ENVELOPE)
    return isinstance(inside, dict) and (inside.get("trade_id") is not None or inside.get("event_type") is not None)


def read(body: Body, context: Context) -> Reading:
    """One telemetry event; the envelope is stored with it. Raises Invalid naming every wrong field."""
    fields = Fields(Layer(body[ENVELOPE], f"{ENVELOPE}."))
    envelope = Layer(body)
    schema_version = read_schema_version(Fields(*fields.layers, envelope, findings=fields.findings))
    event = build_event(
        fields,
        context,
        kept=(envelope,),
        version=NAME,
        event_type=read_event_type(fields, "event_type"),
        ids=("trade_id",),
        column="telemetry",
        schema_version=schema_version,
    )
    return Reading(NAME, "telemetry", schema_version, (event,))


VERSION: Final = Version(
    name=NAME,
    style="telemetry",
    recognised_by="an object attributes with trade_id and event_type",
    recognises=recognises,
    read=read,
    schema_major=TELEMETRY_MAJOR,
)
