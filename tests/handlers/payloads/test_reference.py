"""The payload reference keeps its word: its examples are read, and it explains every code."""

import re
from pathlib import Path
from typing import Any

import pytest

from handlers import payloads
from state.event import SignalEvent
from state.jsontext import parse
from state.vocabulary import EVENT_NAMES, SESSIONS
from tests.handlers.payloads.reading_helpers import CONTEXT

ROOT = Path(__file__).parents[3]
REFERENCE = "".join((ROOT / "docs" / name).read_text("utf-8") for name in ("PAYLOADS.md", "POSITIONS.md"))
BLOCKS = [parse(block) for block in re.findall(r"```json\n(.*?)```", REFERENCE, re.DOTALL)]
BODIES = [block for block in BLOCKS if "success" not in block]


def test_there_is_one_example_of_each_version() -> None:
    versions = [payloads.read(body, CONTEXT).version for body in BODIES]
    assert versions == [version.name for version in payloads.VERSIONS]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: payloads.read(body, CONTEXT).version)
def test_examples_are_read_without_a_warning(body: dict[str, Any]) -> None:
    outcomes = payloads.read(body, CONTEXT).outcomes
    events = [outcome for outcome in outcomes if isinstance(outcome, SignalEvent)]
    assert events
    timeless = "pineconnector" in body
    assert all(event.warnings == () and event.has_own_time is not timeless for event in events)


def test_every_code_is_explained() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "handlers" / "payloads").glob("*.py"))
    codes = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+|MISSING)"', sources)) - {"MFE_UPDATE_BATCH", *EVENT_NAMES}
    assert len(codes) > 25
    assert {code for code in codes if f"`{code}`" not in REFERENCE} == set()


def test_every_event_name_and_session_is_listed() -> None:
    for name in (*EVENT_NAMES, *SESSIONS):
        assert re.search(rf"\b{name}\b", REFERENCE, re.IGNORECASE), name
