"""The payload versions, in the order in which they are tried. To add one: its file, and a line in `VERSIONS`."""

from typing import Final

from errors import Detail, Invalid, UnsupportedSchema
from handlers.payloads import (
    batch,
    direct,
    indicator,
    order,
    order_nested,
    pineconnector,
    strategy,
    telemetry_v1,
    telemetry_wrapped,
    threecommas,
    traderspost,
)
from handlers.payloads.findings import shown
from handlers.payloads.reading import Body, Context, Reading, Refused, Version
from handlers.payloads.schema import major, sent_schemas

__all__ = ["VERSIONS", "Context", "Reading", "Refused", "read", "recognised_as"]

VERSIONS: Final[tuple[Version, ...]] = (
    telemetry_v1.VERSION,
    telemetry_wrapped.VERSION,
    batch.VERSION,
    strategy.VERSION,
    indicator.VERSION,
    direct.VERSION,
    pineconnector.VERSION,
    threecommas.VERSION,
    order_nested.VERSION,
    traderspost.VERSION,
    order.VERSION,
)


def read(body: Body, context: Context) -> Reading:
    """What one alert says.

    `body` comes from `state.jsontext.parse`, without its secret. Raises UnsupportedSchema, or Invalid
    whose `details` name every wrong field (UNRECOGNISED_PAYLOAD when no version knows the body).
    """
    _require_supported_schema(body)
    for version in VERSIONS:
        if version.recognises(body):
            return version.read(body, context)
    ways = "; ".join(version.recognised_by for version in VERSIONS)
    message = f"We do not recognise this alert. It needs one of these: {ways}."
    code = "UNRECOGNISED_PAYLOAD"
    raise Invalid(message, code=code, details=[Detail("", code, message)])


def recognised_as(body: Body) -> str | None:
    """The name of the version that knows this body, or None."""
    return next((version.name for version in VERSIONS if version.recognises(body)), None)


def _require_supported_schema(body: Body) -> None:
    supported = dict.fromkeys(version.schema_major for version in VERSIONS if version.schema_major)
    for path, value in sent_schemas(body, telemetry_wrapped.ENVELOPE):
        if major(value) not in supported:
            names = ", ".join(f"{name}.x" for name in supported)
            message = f"Schema version {shown(value)} is not supported; supported are: {names}."
            raise UnsupportedSchema(message, details=[Detail(path, UnsupportedSchema.code, message)])
