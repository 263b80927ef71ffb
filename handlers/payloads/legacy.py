"""What the three legacy versions share: one flat object, kept whole as `legacy_payload`."""

from handlers.payloads.building import build_event
from handlers.payloads.fields import Fields
from handlers.payloads.reading import Context, Reading


def read_legacy(
    fields: Fields, context: Context, *, version: str, event_type: str | None, ids: tuple[str, ...]
) -> Reading:
    """One legacy event. Raises Invalid naming every wrong field."""
    event = build_event(
        fields,
        context,
        kept=fields.layers,
        version=version,
        event_type=event_type,
        ids=ids,
        column="legacy_payload",
    )
    return Reading(version, "legacy", None, (event,))
