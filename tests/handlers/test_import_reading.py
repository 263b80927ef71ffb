"""The processes that read a long import: what they are given and answer, and what becomes of them."""

import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest
from flask.testing import FlaskClient

from database import signals
from database.rows import from_event
from errors import Unavailable
from handlers import import_reading, imports
from state.event import SignalEvent
from state.jsontext import dump
from tests.handlers.test_imports import exported, ndjson, other, send
from tests.handlers.test_reads import BASE
from tests.handlers.test_signals import read_json
from tests.handlers.test_trades import alert

__all__ = ["other"]


def test_a_row_that_cannot_be_written_costs_only_itself(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(event: SignalEvent) -> dict[str, Any]:
        if event.trade_id == "t1":
            raise ValueError("NaN and Infinity have no place in JSON")
        return from_event(event)

    monkeypatch.setattr(import_reading, "from_event", failing)
    answer = send(client, many(3))
    assert ([(one["line"], one["code"]) for one in answer["refused"]], answer["stored"]) == (
        [(2, "CANNOT_BE_STORED")],
        2,
    )


def many(count: int) -> bytes:
    """Bodies of as many trades, every seventh line refused, every eleventh the line before it again."""
    made: list[bytes] = []
    for n in range(count):
        body = alert(f"t{n}", "ENTRY", f"2025-11-20T14:{n // 60:02}:{n % 60:02}Z", entry_price=1)
        made.append(b"not json" if n % 7 == 3 else made[-1] if n % 11 == 5 else dump(body).encode())
    return ndjson(*made)


def test_a_long_import_is_read_by_processes_of_its_own_to_the_same_end(
    client: FlaskClient, other: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = many(300)
    monkeypatch.setattr(imports, "AT_ONCE", 20)
    monkeypatch.setattr(import_reading, "HERE", 1_000)
    expected = send(client, data)
    monkeypatch.setattr(import_reading, "HERE", 2)
    monkeypatch.setattr(import_reading, "PROCESSES", 3)
    assert send(other, data) == expected
    assert expected["refused_count"] == 47
    # in the order of the lines, whoever read them
    one, two = ([line["trade_id"] for line in exported(app)] for app in (client, other))
    assert one == two == sorted(one, key=lambda trade_id: int(trade_id[1:]))
    assert send(other, data)["stored"] == 0


def readers() -> list[psutil.Process]:
    """The processes that read for an import and are alive."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # ended meanwhile
            if "import_reading.main" in " ".join(one.cmdline()):
                found.append(one)
    return found


def test_a_reading_process_that_is_killed_ends_the_run_where_it_was(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = many(300)
    monkeypatch.setattr(imports, "AT_ONCE", 20)
    monkeypatch.setattr(import_reading, "HERE", 2)
    store, calls = signals.insert_known_rows, []

    def killing(connection: Any, rows: Any) -> int:
        calls.append(len(rows))
        if len(calls) == 5:
            for one in readers():
                one.kill()
        return store(connection, rows)

    monkeypatch.setattr(signals, "insert_known_rows", killing)
    stopped = client.post(f"{BASE}/import", data=data)
    assert (stopped.status_code, readers()) == (503, [])
    (detail,) = read_json(stopped)["details"]
    assert 80 < int(detail["message"]) < 300
    rest = send(client, data, f"?from_line={detail['message']}")
    lines = [line for line in data.splitlines() if line != b"not json"]
    assert (len(exported(client)), rest["lines"]) == (len(set(lines)), 300)


def test_a_process_that_dies_while_it_waits_is_cleared_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_reading, "HERE", 0)
    monkeypatch.setattr(import_reading, "PROCESSES", 1)
    lines = import_reading.Lines([(1, b"not json")], datetime.now(UTC), "UTC", ())
    with pytest.raises(Unavailable), import_reading.Reading() as reading:
        assert not list(reading.take(lines))
        assert len(list(reading.rest())) == 1
        (waiting,) = readers()
        waiting.kill()
        until = time.monotonic() + 30
        while waiting.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
            time.sleep(0.01)
        list(reading.take(lines))
    assert not waiting.is_running()
    assert readers() == []


def test_one_import_has_processes_and_another_beside_it_goes_without(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "AT_ONCE", 20)
    monkeypatch.setattr(import_reading, "HERE", 0)
    with import_reading.Reading() as reading:
        taken = import_reading.Lines([(1, b"not json")], datetime.now(UTC), "UTC", ())
        assert [group.refused[0]["line"] for group in (*reading.take(taken), *reading.rest())] == [1]
        before = readers()
        assert len(before) == import_reading.PROCESSES
        assert send(client, many(100))["refused_count"] == 15
        assert readers() == before
    assert readers() == []


def test_a_process_that_cannot_be_started_is_done_without(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "AT_ONCE", 20)
    monkeypatch.setattr(import_reading, "HERE", 0)
    monkeypatch.setattr(import_reading, "PROCESSES", 3)
    start, started = subprocess.Popen, list[Any]()

    def failing(*arguments: Any, **options: Any) -> Any:
        if len(started) == limit:
            raise OSError("Cannot allocate memory")
        started.append(start(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", failing)
    for limit in (1, 0):
        started.clear()
        assert send(client, many(60))["refused_count"] == 9
        assert (len(started), readers()) == (limit, [])


def test_a_reading_process_ends_with_its_input_and_not_when_the_server_is_told_to_stop(
    capfd: pytest.CaptureFixture[str],
) -> None:
    lines = import_reading.Lines([(1, b"not json")], datetime.now(UTC), "UTC", ())
    reader = import_reading._Reader()
    try:
        reader.send(lines)
        reader.receive()
        reader._process.terminate()
        reader.send(lines)
        assert reader.receive().refused[0]["line"] == 1
        stdin = reader._process.stdin
        assert stdin is not None
        stdin.write(b"\x80\x05\x95")  # the web process was killed in the middle of a group
        stdin.close()
        assert reader._process.wait(30) == 0
    finally:
        reader.end()
    assert capfd.readouterr().err == ""
