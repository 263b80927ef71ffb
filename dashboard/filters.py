"""The filters that Trades and Analysis share, read from the address by the same schemas as the API's."""

from typing import Any

import marshmallow as ma
from flask import request

from dashboard.forms import kept
from dashboard.kept import kept_until_an_alert
from database import analysis
from errors import Detail, Invalid
from handlers.queries import STATUSES
from handlers.services import services
from state.vocabulary import BEARISH, BULLISH, SESSIONS


def arguments(schema: ma.Schema) -> dict[str, Any]:
    """The address's parameters, checked; blank ones count as absent. Raises Invalid."""
    given = {name: value for name, value in request.args.items() if value.strip()}
    try:
        checked: dict[str, Any] = schema.load(given, unknown=ma.EXCLUDE)
    except ma.ValidationError as error:
        messages: dict[str, Any] = error.messages_dict
        details = [Detail(str(name), "INVALID", "; ".join(map(str, found))) for name, found in messages.items()]
        raise Invalid("; ".join(f"{d.field}: {d.message}" for d in details), details=details) from None
    return checked


def choices() -> dict[str, Any]:
    """What the filter form offers, and what is chosen."""
    return {
        **kept_until_an_alert("choices", lambda: analysis.select_choices(services().pool)),
        "sessions": SESSIONS,
        "directions": (BULLISH, BEARISH),
        "statuses": STATUSES,
        "chosen": kept("from", "to", "strategy_id", "symbol", "session", "direction", "status"),
    }
