"""Which version reads which body, and what senders are told when none does."""

from typing import Any

import pytest

from errors import UnsupportedSchema
from handlers import payloads
from state import vocabulary
from tests.handlers.payloads.reading_helpers import CONTEXT, codes, refused

INNER = {"trade_id": "a", "event_type": "ENTRY", "entry_price": 1}


@pytest.mark.parametrize(
    ("body", "version"),
    [
        ({"schema_version": "1.0.0", **INNER, "type": "ENTRY", "automation_stage": "MFE_UPDATE"}, "telemetry_v1"),
        ({"schema_version": "1.0.0", **INNER, "attributes": INNER}, "telemetry_v1"),
        ({"schema_version": "1.0.0", "attributes": INNER}, "telemetry_wrapped"),
        ({"attributes": INNER, "type": "ENTRY", "signal_id": "b"}, "telemetry_wrapped"),
        ({"attributes": {"colour": "red"}, "type": "ENTRY", "signal_id": "b"}, "strategy"),
        ({"schema_version": "1.0", "event_type": "MFE_UPDATE_BATCH", "signals": [{"trade_id": "a"}]}, "batch"),
        ({"event_type": "MFE_UPDATE_BATCH", "signals": [{"trade_id": "a"}], "type": "ENTRY"}, "batch"),
        ({"type": "ENTRY", "signal_id": "b", "automation_stage": "MFE_UPDATE"}, "strategy"),
        ({"automation_stage": "MFE_UPDATE", "trade_id": "b", "event_type": "ENTRY"}, "indicator"),
        ({"type": "", "automation_stage": "MFE_UPDATE", "trade_id": "b"}, "indicator"),
        ({"schema_version": "", **INNER}, "direct"),
        ({"schema_version": None, **INNER}, "direct"),
    ],
)
def test_the_first_version_that_knows_the_body_reads_it(body: dict[str, Any], version: str) -> None:
    assert payloads.read(body, CONTEXT).version == version


def test_an_unrecognised_alert_is_told_what_would_be_recognised() -> None:
    error = refused({"hello": "world"})
    assert (error.code, error.status) == ("UNRECOGNISED_PAYLOAD", 422)
    assert codes(error.details) == [("", "UNRECOGNISED_PAYLOAD")]
    for name in ("schema_version", "attributes", "MFE_UPDATE_BATCH", "type", "automation_stage", "event_type"):
        assert name in error.message


@pytest.mark.parametrize("body", [{"schema_version": "2.0.0", **INNER}, {"schema_version": 2, "type": "ENTRY"}])
def test_an_unknown_schema_is_refused_before_any_version_guesses(body: dict[str, Any]) -> None:
    error = refused(body)
    assert isinstance(error, UnsupportedSchema)
    assert codes(error.details) == [("schema_version", "UNSUPPORTED_SCHEMA_VERSION")]
    assert "1.x" in error.message


def test_an_unknown_event_names_the_list() -> None:
    error = refused({"type": "MOON", "signal_id": "a"})
    assert error.code == "UNKNOWN_EVENT_TYPE"
    assert '"MOON"' in error.message
    for name in (*vocabulary.EVENT_TYPES, "TRADE_ACTIVATED", "EXIT_SL", "SIGNAL_CANCELLED"):
        assert name in error.message


def test_a_comma_in_an_id_is_explained() -> None:
    error = refused({"type": "ENTRY", "signal_id": "2,025001112_154100_BULLISH"})
    assert "thousands separator" in error.message


def test_several_faults_are_told_at_once() -> None:
    error = refused({"type": "ENTRY", "signal_id": "a b", "entry_price": "x", "timestamp": "now"})
    assert error.code == "INVALID_PAYLOAD"
    assert {field for field, _ in codes(error.details)} == {"signal_id", "entry_price", "timestamp"}
    assert error.message.startswith("3 fields")
