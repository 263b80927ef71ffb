"""Imports: bodies and lines of an export, repeated, resumed, refused line by line."""

from io import BytesIO
from json import loads
from typing import Any, ClassVar

import pytest
from flask.testing import FlaskClient
from gunicorn.http.errors import InvalidHeader, NoMoreData

from database import signals
from errors import RetryableDatabaseError
from handlers import imports
from settings import load
from state.jsontext import dump
from tests.conftest import run_sql
from tests.handlers.test_reads import BASE, book, get, order
from tests.handlers.test_signals import post, read_json
from tests.handlers.test_trades import alert
from web_server import create_app

__all__ = ["book"]


def send(client: FlaskClient, data: bytes, query: str = "") -> Any:
    response = client.post(f"{BASE}/import{query}", data=data, content_type="application/x-ndjson")
    assert response.status_code == 200, response.get_data(as_text=True)
    return read_json(response)


def ndjson(*bodies: Any) -> bytes:
    return b"".join((one if isinstance(one, bytes) else dump(one).encode()) + b"\n" for one in bodies)


def everything(client: FlaskClient) -> list[Any]:
    items = get(client, "trades?limit=1000")["items"]
    return sorted(items, key=lambda trade: str(trade["trade_id"]))


@pytest.fixture
def other(server: str, template: str) -> Any:
    """A second, empty Alertbook."""
    run_sql(server, f"CREATE DATABASE other_book TEMPLATE {template}")
    url = server.rsplit("/", 1)
    target = server.replace("/" + url[1], "/other_book" + ("?" + url[1].split("?", 1)[1] if "?" in url[1] else ""), 1)
    yield create_app(load({"DATABASE_URL": target})).test_client()
    run_sql(server, "DROP DATABASE other_book WITH (FORCE)")


def test_an_export_makes_the_same_trades_elsewhere(book: FlaskClient, other: FlaskClient, database_url: str) -> None:
    for minute in (0, 60):
        post(book, f"6012,{'buy' if minute == 0 else 'closelong'},EURUSD,price=1.0{minute}")
    post(
        book,
        {"event_type": "MFE_UPDATE_BATCH", "signals": [{"trade_id": "b1", "mfe": 1}, {"trade_id": "b2", "mfe": 2}]},
    )
    run_sql(database_url, "INSERT INTO automated_signals (trade_id, event_type, mfe) VALUES ('2,025', 'EXIT_SL', 1.50)")
    expected = everything(book)
    exported = book.get(f"{BASE}/export.ndjson").get_data()
    count = len(exported.splitlines())
    first = send(other, exported)
    assert (first["stored"], first["duplicates"], first["refused"]) == (count, 0, [])
    assert everything(other) == expected
    assert get(other, "gaps") == get(book, "gaps")
    again = send(other, exported)
    assert (again["stored"], again["duplicates"]) == (0, count)
    assert sorted(strip(other)) == sorted(strip(book))


def exported(client: FlaskClient) -> list[Any]:
    return [loads(line) for line in client.get(f"{BASE}/export.ndjson").get_data().splitlines()]


def strip(client: FlaskClient) -> list[bytes]:
    """The lines of an export without their row numbers."""
    lines = client.get(f"{BASE}/export.ndjson").get_data().splitlines()
    return [line.partition(b",")[2] for line in lines]


def test_bodies_are_stored_as_the_webhook_stores_them(client: FlaskClient) -> None:
    bodies = [
        alert("t", "ENTRY", "2025-11-20T14:30:00Z", entry_price=100, stop_loss=90, direction="LONG"),
        order(0, "buy", 0, 1, 20000, passphrase="hush"),
        {"type": "EXIT_STOP_LOSS", "signal_id": "t", "timestamp": 1763650000},
        b"6012,buy,EURUSD",
    ]
    post(client, bodies[0])
    answer = send(client, ndjson(*bodies, b"", b"  "))
    assert (answer["lines"], answer["stored"], answer["duplicates"], answer["next_line"]) == (6, 3, 1, 7)
    assert len(get(client, "trades")["items"]) == 3
    # the timeless one is the same one at its next import
    assert send(client, ndjson(*bodies))["duplicates"] == 4


def test_every_refused_line_is_named_and_stops_nobody(client: FlaskClient) -> None:
    batch = {
        "event_type": "MFE_UPDATE_BATCH",
        "timestamp": 1763650000,
        "signals": [{"trade_id": "a"}, {"trade_id": "a,b"}],
    }
    answer = send(
        client,
        ndjson(
            b"not json",
            {"event_type": "ENTRY"},
            alert("ok", "ENTRY", "2025-11-20T14:30:00Z"),
            {"hello": "world"},
            batch,
            b'{"x":"' + b"y" * 70_000 + b'"}',
            b"z" * 400_000,
            {"ticker": "{{ticker}}", "action": "buy"},
            b"\xff\xfe",
        )
        + b'{"last": "without an end"',
    )
    assert [(one["line"], one["code"]) for one in answer["refused"]] == [
        (1, "NOT_JSON"), (2, "INVALID_PAYLOAD"), (4, "UNRECOGNISED_PAYLOAD"), (5, "INVALID_PAYLOAD"),
        (6, "BODY_TOO_LARGE"), (7, "BODY_TOO_LARGE"), (8, "INVALID_PAYLOAD"), (9, "NOT_JSON"), (10, "NOT_JSON"),
    ]  # fmt: skip
    assert answer["refused"][3]["index"] == 1
    assert answer["refused"][1]["details"][0]["field"] == "trade_id"
    assert (answer["stored"], answer["refused_count"], answer["lines"]) == (2, 9, 10)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"trade_id": None}, "trade_id"), ({"received_at": "2025-11-20T14:30:00"}, "received_at"),
        ({"mfe": "1.5"}, "mfe"), ({"body": []}, "body"), ({"warnings": [1]}, "warnings"),
        ({"symbol": "x" * 101}, "symbol"), ({"session": "a\0"}, "session"),
        ({"event_timestamp": "0001-01-01T00:00:00Z"}, "event_timestamp"),
    ],
)  # fmt: skip
def test_a_changed_line_of_an_export_is_refused(client: FlaskClient, change: dict[str, Any], field: str) -> None:
    post(client, alert("t", "ENTRY", "2025-11-20T14:30:00Z", entry_price=1))
    line = read_json(client.get(f"{BASE}/export.ndjson"))
    (refused,) = send(client, ndjson({**line, **change}))["refused"]
    assert refused["details"][0]["field"] == field


def test_a_run_that_ends_early_goes_on_where_it_stopped(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    data = ndjson(*[alert(f"t{n}", "ENTRY", "2025-11-20T14:30:00Z", entry_price=1) for n in range(25)])
    monkeypatch.setattr(imports, "AT_ONCE", 10)
    store, calls = signals.insert_known_rows, []

    def failing(connection: Any, rows: Any) -> int:
        calls.append(len(rows))
        if len(calls) == 2:
            raise RetryableDatabaseError("the database cannot be reached")
        return store(connection, rows)

    monkeypatch.setattr(signals, "insert_known_rows", failing)
    stopped = client.post(f"{BASE}/import", data=data)
    assert stopped.status_code == 503
    detail = read_json(stopped)["details"][0]
    assert (detail["field"], detail["message"]) == ("next_line", "11")
    assert int(stopped.headers["Retry-After"]) > 0
    rest = send(client, data, f"?from_line={detail['message']}")
    assert (rest["stored"], rest["duplicates"], rest["lines"]) == (15, 0, 25)


def test_a_row_that_cannot_be_stored_does_not_fail_its_neighbours(client: FlaskClient) -> None:
    post(client, alert("t", "ENTRY", "2025-11-20T14:30:00Z", entry_price=1))
    line = read_json(client.get(f"{BASE}/export.ndjson"))
    poison = {**line, "trade_id": "p", "targets": {"a": "\0"}}
    good = [alert(f"g{n}", "ENTRY", "2025-11-20T14:30:00Z", entry_price=1) for n in range(3)]
    answer = send(client, ndjson(good[0], poison, *good[1:]))
    assert ([(one["line"], one["code"]) for one in answer["refused"]], answer["stored"]) == (
        [(2, "CANNOT_BE_STORED")],
        3,
    )


def test_the_webhooks_secret_is_stored_from_no_line(database_url: str, client: FlaskClient) -> None:
    post(client, alert("exported", "ENTRY", "2025-11-20T14:30:00Z", entry_price=1, comment="hush-hush-hush"))
    exported = client.get(f"{BASE}/export.ndjson").get_data()
    run_sql(database_url, "TRUNCATE automated_signals")
    keyed = create_app(load({"DATABASE_URL": database_url, "WEBHOOK_SECRET": "hush-hush-hush"})).test_client()
    body = {"type": "ENTRY", "signal_id": "t", "secret": "hush-hush-hush", "comment": "not hush-hush-hush"}
    escaped = b'{"type":"ENTRY","signal_id":"u","note":"\\u0068ush-hush-hush"}'
    wrong = {"type": "hush-hush-hush", "signal_id": "v"}
    answer = send(keyed, ndjson(body, escaped, wrong, exported))
    assert (answer["stored"], answer["refused_count"], "hush" in str(answer)) == (3, 1, False)
    assert "hush" not in keyed.get(f"{BASE}/export.ndjson").get_data(as_text=True)


def test_values_that_nothing_may_hold_are_refused_and_named(client: FlaskClient) -> None:
    post(client, alert("t", "ENTRY", "2025-11-20T14:30:00Z", entry_price=1))
    line = client.get(f"{BASE}/export.ndjson").get_data().strip()
    nan = line.replace(b'"trade_id":"t"', b'"trade_id":"nan"').replace(b'"entry_price":1,', b'"entry_price":NaN,')
    within = line.replace(b'"body":{', b'"body":{"extra":[NaN],').replace(b'"trade_id":"t"', b'"trade_id":"inside"')
    body = dump(alert("twice", "ENTRY", "2025-11-20T14:30:00Z", entry_price=1)).encode()
    twice = body.replace(b"{", b'{"entry_price": 2, ', 1)
    long = body.replace(b"{", b'{"extra": 1' + b"0" * 64 + b", ", 1)
    assert line not in (nan, within)
    answer = send(client, ndjson(nan, within, twice, long, body))
    assert [(one["line"], one["code"]) for one in answer["refused"]] == [
        (1, "INVALID_EXPORT"), (2, "INVALID_EXPORT"), (3, "JSON_LIMIT"), (4, "JSON_LIMIT"),
    ]  # fmt: skip
    assert [one["details"][0]["field"] for one in answer["refused"][:2]] == ["entry_price", "body"]
    assert answer["stored"] == 1


def test_imports_need_the_admin_key(database_url: str) -> None:
    keys = {"DATABASE_URL": database_url, "API_KEY": "api-key-1234", "ADMIN_KEY": "admin-key-1234"}
    client = create_app(load(keys)).test_client()
    for path in ("import", "delete-trades", "bulk-delete", "purge-ghosts", "restore-trades"):
        assert client.post(f"{BASE}/{path}", data=b"{}").status_code == 401
        assert client.post(f"{BASE}/{path}", data=b"{}", headers={"X-API-Key": "api-key-1234"}).status_code == 403
    allowed = client.post(f"{BASE}/import", data=b"", headers={"X-Admin-Key": "admin-key-1234"})
    assert (allowed.status_code, read_json(allowed)["lines"]) == (200, 0)


class Breaking(BytesIO):
    """A body that ends in an error of the connection."""

    def __init__(self, data: bytes, error: Exception) -> None:
        super().__init__(data)
        self.error = error

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        if not piece:
            raise self.error
        return piece


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (None, 400, "INCOMPLETE_BODY"), (NoMoreData(), 400, "INCOMPLETE_BODY"),
        (InvalidHeader("x"), 400, "MALFORMED_CHUNKS"), (TimeoutError(), 408, "REQUEST_TIMEOUT"),
    ],
)  # fmt: skip
def test_a_body_that_is_cut_off_ends_the_run_and_its_last_line_is_not_stored(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, error: Exception | None, status: int, code: str
) -> None:
    monkeypatch.setattr(imports, "AT_ONCE", 2)
    whole = [f"6012,buy,EURUSD,price=1.{n}".encode() for n in range(6)]
    data = b"\n".join(whole)  # the last one's price may go on
    body = BytesIO(data) if error is None else Breaking(data, error)
    # as the server gives it: it knows where a body ends, and says so by giving nothing more
    given: dict[str, Any] = {"wsgi.input": body, "wsgi.input_terminated": True}
    if error is None:
        given["CONTENT_LENGTH"] = str(len(data) + 2)
    stopped = client.post(f"{BASE}/import", environ_overrides=given)
    assert (stopped.status_code, read_json(stopped)["code"]) == (status, code)
    (detail,) = read_json(stopped)["details"]
    assert 1 <= int(detail["message"]) <= 5
    assert b"price=1.5" not in client.get(f"{BASE}/export.ndjson").get_data()
    rest = send(client, b"\n".join([*whole[:5], whole[5] + b"55"]), f"?from_line={detail['message']}")
    assert (rest["lines"], len(exported(client))) == (6, 6)


def test_an_import_whose_sender_is_gone_does_not_wait_for_ever(client: FlaskClient) -> None:
    class Connection:
        waits: ClassVar[list[float | None]] = []

        def gettimeout(self) -> None:
            return None

        def settimeout(self, seconds: float | None) -> None:
            self.waits.append(seconds)

    overrides = {"gunicorn.socket": Connection()}
    assert client.post(f"{BASE}/import", data=b"", environ_overrides=overrides).status_code == 200
    assert Connection.waits == [imports.IDLE_SECONDS, None]


def test_long_lines_make_small_groups(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "BYTES_AT_ONCE", 1_000)
    sizes, store = [], signals.insert_known_rows

    def counting(connection: Any, rows: Any) -> int:
        sizes.append(len(rows))
        return store(connection, rows)

    monkeypatch.setattr(signals, "insert_known_rows", counting)
    bodies = [alert(f"t{n}", "ENTRY", "2025-11-20T14:30:00Z", entry_price=1, note="x" * 600) for n in range(6)]
    assert send(client, ndjson(*bodies))["stored"] == 6
    assert sizes == [2, 2, 2]
