"""Batches: many MFE updates in one alert, which works around TradingView's limit of alerts per minute."""

from typing import Any, Final

from errors import Invalid, UnsupportedSchema
from handlers.payloads.building import build_event
from handlers.payloads.fields import Fields, Layer
from handlers.payloads.findings import Findings, shown
from handlers.payloads.reading import Body, Context, Reading, Refused, Version
from handlers.payloads.schema import TELEMETRY_MAJOR, major, read_schema_version
from handlers.payloads.words import read_event_type
from state.event import SignalEvent
from state.vocabulary import MFE_UPDATE

NAME: Final = "batch"
EVENT: Final = "MFE_UPDATE_BATCH"
ITEMS: Final = "signals"
#: More than an alert of 64 KiB could say something with; each is an event, and all must be stored in time.
MAX_ITEMS: Final = 1_000

#: What an item must say of itself: taken from the batch it would end up in somebody else's trade.
_OWN: Final = frozenset({ITEMS, "trade_id", "signal_id"})


def recognises(body: Body) -> bool:
    """True when the event is MFE_UPDATE_BATCH, in any case."""
    event = body.get("event_type")
    return isinstance(event, str) and event.strip().upper() == EVENT


def read(body: Body, context: Context) -> Reading:
    """One outcome per item, in order; a wrong item is Refused and its neighbours are not.

    Raises Invalid when `signals` is not a list with something in it.
    """
    items = body.get(ITEMS)
    findings = Findings()
    if items is None:
        findings.wrong(ITEMS, "MISSING", f"A batch needs a list {ITEMS} of the updates.")
    elif not isinstance(items, list):
        findings.wrong(ITEMS, "NOT_A_LIST", f"{shown(items)} is not a list: {ITEMS} lists the updates.")
    elif len(items) > MAX_ITEMS:
        findings.wrong(ITEMS, "TOO_MANY_ITEMS", f"The list {ITEMS} has {len(items)} updates; at most {MAX_ITEMS} fit.")
    elif not items:
        findings.wrong(ITEMS, "EMPTY_BATCH", f"The list {ITEMS} is empty: a batch needs at least one update.")
    findings.raise_if_wrong()
    shared = Layer({name: value for name, value in body.items() if name not in _OWN})
    schema_version = read_schema_version(Fields(shared))
    outcomes = tuple(_outcome(index, item, shared, context) for index, item in enumerate(items or ()))
    return Reading(NAME, "batch", schema_version, outcomes)


def _outcome(index: int, item: Any, shared: Layer, context: Context) -> SignalEvent | Refused:
    try:
        return _read_item(f"{ITEMS}[{index}]", item, shared, context)
    except Invalid as error:
        return Refused(index, error)


def _read_item(place: str, item: Any, shared: Layer, context: Context) -> SignalEvent:
    """The MFE update of one item laid over what the batch says for all of them."""
    findings = Findings()
    if not isinstance(item, dict):
        findings.wrong(place, "NOT_AN_OBJECT", f"{shown(item)} is not an object with the fields of an update.")
        findings.raise_if_wrong()
    own = Layer(item, f"{place}.")
    fields = Fields(own, shared, findings=findings)
    _check_item(place, item, Fields(own, findings=findings))
    return build_event(
        fields,
        context,
        kept=fields.layers,
        version=NAME,
        event_type=MFE_UPDATE,
        ids=("trade_id", "signal_id"),
        column="legacy_payload",
        schema_version=read_schema_version(fields),
    )


def _check_item(place: str, item: Body, own: Fields) -> None:
    """Note an item that is some other event, or of a schema that we do not know."""
    if item.get("event_type") is not None and not recognises(item):
        named = read_event_type(own, "event_type")
        if named not in (MFE_UPDATE, None):
            message = f"A batch holds MFE updates only: send {named} as an alert of its own."
            own.findings.wrong(f"{place}.event_type", "NOT_AN_MFE_UPDATE", message)
    schema = item.get("schema_version")
    if schema not in (None, "") and major(schema) != TELEMETRY_MAJOR:
        message = f"Schema version {shown(schema)} is not supported; supported is: {TELEMETRY_MAJOR}.x."
        own.findings.wrong(f"{place}.schema_version", UnsupportedSchema.code, message)


VERSION: Final = Version(
    name=NAME,
    style="batch",
    recognised_by="event_type MFE_UPDATE_BATCH with a list signals",
    recognises=recognises,
    read=read,
)
