"""What the tests of the payload versions share."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from errors import Invalid
from handlers import payloads
from state.event import SignalEvent

RECEIVED_AT = datetime(2025, 11, 20, 15, 0, tzinfo=UTC)
CONTEXT = payloads.Context(received_at=RECEIVED_AT, naive_zone="America/New_York")


def read_one(body: Mapping[str, Any], context: payloads.Context = CONTEXT) -> SignalEvent:
    """The event of a body that holds exactly one."""
    (outcome,) = payloads.read(body, context).outcomes
    assert isinstance(outcome, SignalEvent)
    return outcome


def update(**fields: Any) -> SignalEvent:
    """The event of a direct MFE update with these fields."""
    return read_one({"event_type": "MFE_UPDATE", "trade_id": "t1", **fields})


def refused(body: Mapping[str, Any], context: payloads.Context = CONTEXT) -> Invalid:
    """The error with which a body is refused."""
    with pytest.raises(Invalid) as caught:
        payloads.read(body, context)
    return caught.value


def codes(items: Any) -> list[tuple[str, str]]:
    """Field and code of details or warnings."""
    return [(item.field, item.code) for item in items]
