"""Telemetry, schema 1.x: one flat object that names its schema."""

from typing import Final

from handlers.payloads import batch, telemetry_wrapped
from handlers.payloads.building import build_event
from handlers.payloads.fields import Fields, Layer
from handlers.payloads.reading import Body, Context, Reading, Version
from handlers.payloads.schema import TELEMETRY_MAJOR, major, read_schema_version
from handlers.payloads.words import read_event_type

NAME: Final = "telemetry_v1"


def recognises(body: Body) -> bool:
    """True for schema 1.x, unless the body is a batch or holds its telemetry in an envelope only."""
    if batch.recognises(body) or ("event_type" not in body and telemetry_wrapped.recognises(body)):
        return False
    return major(body.get("schema_version")) == TELEMETRY_MAJOR


def read(body: Body, context: Context) -> Reading:
    """One telemetry event. Raises Invalid naming every wrong field."""
    fields = Fields(Layer(body))
    schema_version = read_schema_version(fields)
    event = build_event(
        fields,
        context,
        kept=fields.layers,
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
    recognised_by='schema_version "1.x" with trade_id and event_type',
    recognises=recognises,
    read=read,
    schema_major=TELEMETRY_MAJOR,
)
