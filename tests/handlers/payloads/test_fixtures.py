"""Every file of test_payloads/ is read and compared, whole, with the expectation beside it."""

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from errors import Detail, Invalid
from handlers import payloads
from handlers.middleware.bodies import alert_object
from handlers.payloads.credentials import take_credentials
from state.event import EventWarning, SignalEvent
from state.jsontext import dump, parse
from state.vocabulary import EVENT_NAMES
from tests.handlers.payloads.reading_helpers import CONTEXT

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "test_payloads"
CASES = sorted(
    path for path in FOLDER.glob("*/*") if path.suffix in {".json", ".txt"} and ".expected." not in path.name
)
SINGLE = [version.name for version in payloads.VERSIONS if version.style in ("telemetry", "legacy")]
#: Not part of what a fixture says: the body itself, and what the body's text decides.
HIDDEN = {
    "telemetry",
    "body_text",
    "legacy_payload",
    "event_key",
    "received_at",
    "payload_version",
    "schema_version",
    "warnings",
    "id",
}


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _body(path: Path) -> Any:
    return take_credentials(alert_object(path.read_bytes()))[1]


def _codes(items: Iterable[Detail | EventWarning]) -> list[str]:
    return [f"{item.field}: {item.code}" for item in items]


def _plain(outcome: SignalEvent | payloads.Refused) -> dict[str, Any]:
    if isinstance(outcome, payloads.Refused):
        details = _codes(outcome.error.details)
        return {"refused": {"index": outcome.index, "code": outcome.error.code, "details": details}}
    values = {field.name: getattr(outcome, field.name) for field in fields(outcome) if field.name not in HIDDEN}
    event = {name: value for name, value in values.items() if value is not None}
    return {"event": event, "warnings": _codes(outcome.warnings)}


def _result(body: Any) -> dict[str, Any]:
    try:
        reading = payloads.read(body, CONTEXT)
    except Invalid as error:
        return {"error": {"code": error.code, "details": _codes(error.details)}}
    return {
        "version": reading.version,
        "style": reading.style,
        "schema_version": reading.schema_version,
        "outcomes": [_plain(outcome) for outcome in reading.outcomes],
    }


@pytest.mark.parametrize("path", CASES, ids=_name)
def test_fixture_reads_as_expected(path: Path) -> None:
    expected = parse(path.with_name(f"{path.stem}.expected.json").read_text("utf-8"))
    result = _result(_body(path))
    assert parse(dump(result)) == expected
    # 20475.00 and 20475 are equal numbers, but what was sent must come back digit by digit
    assert dump(result, sort_keys=True) == dump(expected, sort_keys=True)


@pytest.mark.parametrize("path", CASES, ids=_name)
def test_invalid_files_and_only_they_are_refused(path: Path) -> None:
    result = _result(_body(path))
    whole = "error" in result
    some = any("refused" in outcome for outcome in result.get("outcomes", ()))
    assert (whole or some) == path.name.startswith("invalid__")


@pytest.mark.parametrize("path", CASES, ids=_name)
def test_folder_is_named_for_the_version(path: Path) -> None:
    claiming = [version.name for version in payloads.VERSIONS if version.recognises(_body(path))]
    if path.parent.name == "unrecognised":
        assert claiming == []
    elif not path.name.startswith("invalid__schema_"):
        assert claiming[0] == path.parent.name


@pytest.mark.parametrize("version", SINGLE)
@pytest.mark.parametrize("name", EVENT_NAMES)
def test_every_event_name_has_a_fixture_in_every_version(version: str, name: str) -> None:
    assert FOLDER / version / f"event__{name.lower()}.json" in CASES


def test_every_version_has_a_folder_and_every_expectation_a_payload() -> None:
    assert {path.parent.name for path in CASES} == {*(version.name for version in payloads.VERSIONS), "unrecognised"}
    assert len(list(FOLDER.glob("*/*"))) == 2 * len(CASES)


def test_the_guides_sample_is_the_same_alert_in_both_places() -> None:
    at_root = parse((ROOT / "test_telemetry_payload.json").read_text("utf-8"))
    assert at_root == _body(FOLDER / "telemetry_v1" / "sample_of_the_guide.json")
