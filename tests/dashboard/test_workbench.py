"""The messages that the workbench offers: one of every version, each read without a fault."""

import re
from html import unescape

import pytest
from flask.testing import FlaskClient

from dashboard.messages import MESSAGE, MESSAGES, PINE, Message
from handlers import payloads

_SENT = re.compile(r"\balert\((.*), alert\.freq", re.DOTALL)
#: what the expressions of the offered scripts would be
_VALUES = {
    "str.tostring(stop)": "20475",
    "tradeId": "MNQ1!_1763649000000",
    "syminfo.ticker": "MNQ1!",
    "timeframe.period": "5",
    "timenow": "1763649000000",
    "str.format_time": "2025-11-20T14:30:00+0000",
    "array.join": '{"trade_id": "T1", "be_mfe": 0.5}, {"trade_id": "T2", "be_mfe": 1.25}',
}


def sent_by(script: str) -> str:
    """What a Pine script's alert() would send, its expressions replaced by values."""
    call = _SENT.search(script)
    assert call is not None, script
    quoted = re.compile(r"str\.format_time\([^)]*\)").sub("str.format_time", call[1])
    message = ""
    for place, piece in enumerate(re.split(r"('(?:[^'\\]|\\.)*')", quoted)):
        if place % 2:
            message += piece[1:-1]
        elif expression := piece.strip().strip("+").strip():
            message += next((value for name, value in _VALUES.items() if name in expression), "20500.25")
    return message


def shown(client: FlaskClient, message: str) -> str:
    return unescape(client.post("/dashboard/workbench?fill=1", data=message.encode()).text)


@pytest.mark.parametrize("one", MESSAGES, ids=lambda one: f"{one.version}: {one.name}")
def test_every_message_is_read_by_its_version_without_a_fault(client: FlaskClient, one: Message) -> None:
    told = shown(client, sent_by(one.text) if one.language == PINE else one.text)
    assert f"Read as {one.version}" in told, told
    assert "refused" not in told, told
    assert "No warning." in told, told


def test_every_version_has_a_message_to_take_to_the_bench() -> None:
    assert {one.version for one in MESSAGES if one.language == MESSAGE} == {one.name for one in payloads.VERSIONS}


def test_a_refused_message_is_answered_with_a_right_one_of_its_version(client: FlaskClient) -> None:
    told = shown(client, '{"tv_instrument": "BTCUSDT", "action": "dance"}')
    assert "it was taken for threecommas" in told
    assert "A right threecommas message" in told
    assert "strategy_info" in told
    assert "A right" not in shown(client, '{"what": "is this"}')
