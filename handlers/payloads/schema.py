"""The `schema_version` of telemetry: semantic versioning, of which the major number decides."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from handlers.payloads.fields import Fields, Sent
from handlers.payloads.findings import number_text
from handlers.payloads.reading import Body
from handlers.payloads.text import NAME, read_text

#: The only schema so far whose fields we know the meaning of.
TELEMETRY_MAJOR: Final = "1"


def major(value: Any) -> str | None:
    """The major number of a schema version: "1" of "1.0.3", of 1 and of 1.0; None when it has none."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        value = number_text(value)
    return value.strip().partition(".")[0] if isinstance(value, str) else None


def read_schema_version(fields: Fields) -> str | None:
    """The schema version as sent, at most 100 characters, or None."""
    return read_text(fields, NAME, "schema_version")


def sent_schemas(body: Body, envelope: str) -> Iterator[Sent]:
    """Every schema version that a body names, in its root and in its envelope; "" and null name none."""
    inside = body.get(envelope)
    for values, prefix in ((body, ""), (inside if isinstance(inside, dict) else {}, f"{envelope}.")):
        value = values.get("schema_version")
        if value is not None and value != "":
            yield Sent(f"{prefix}schema_version", value)
