"""Whatever a client sends: never a 500, never a secret kept, and what was stored can be read back."""

import json
import re
import subprocess
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from database.embedded import binary
from settings import load
from tests.conftest import run_sql
from tests.hostile import HOSTILE, OTHER, SECRET, echoes
from web_server import create_app

ROOT = Path(__file__).parents[1]
PAYLOADS = [
    path for path in sorted((ROOT / "test_payloads").rglob("*")) if path.is_file() and "expected" not in path.name
]
WEBHOOK = f"/api/automated-signals/webhook/{SECRET}"


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    environment = {"DATABASE_URL": database_url, "ALERTBOOK_DATA_DIR": str(tmp_path), "WEBHOOK_SECRET": SECRET}
    app = create_app(load(environment))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    yield app
    app.extensions["alertbook"].close()


def everything_reads(client: FlaskClient) -> None:
    """Every list and every trade answers."""
    for path in ("/api/automated-signals/trades?limit=1000", "/api/automated-signals/stats", "/metrics"):
        assert client.get(path).status_code == 200, path
    for path in (
        "/api/v1/quarantine?limit=1000",
        "/api/v1/intake",
        "/api/v1/intake/receipts",
        "/api/v1/intake/silence",
    ):
        assert client.get(path).status_code == 200, path
    for item in json.loads(client.get("/api/v1/quarantine?limit=1000").get_data())["items"]:
        assert client.get(f"/api/v1/quarantine/{item['id']}").status_code == 200


def spelt_out(stored: bytes) -> str:
    """What was stored, every disguise undone as often as there is one."""
    text = stored.replace(b"\x00", b"").decode("utf-8", "replace")
    before = None
    while text != before:
        before = text
        text = re.sub(r"\\+(?:u00|x|u\{)([0-9A-Fa-f]{2})\}?", lambda one: chr(int(one[1], 16)), unquote(unescape(text)))
    return text


def nowhere(url: str, folder: Path, printed: str, answers: str, *, secret: str = SECRET) -> None:
    """The secret is in no dump, no spool, no log and no answer, and neither is what only its name gives away."""
    dump = subprocess.run([binary("pg_dump"), url], capture_output=True, check=True).stdout
    assert b"automated_signals" in dump
    rows: list[Any] = run_sql(url, "SELECT raw FROM quarantine")
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    kept = [dump, *(bytes(raw) for (raw,) in rows), *files, printed.encode(), answers.encode()]
    for one in map(spelt_out, kept):
        for canary in (secret, OTHER):
            place = one.find(canary)
            assert place < 0, one[max(0, place - 200) : place + 100]


def test_no_hostile_body_gets_more_than_a_refusal_and_no_secret_stays(
    app: Flask, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client, answers = app.test_client(), []
    for name, body in HOSTILE.items():
        response = client.post(WEBHOOK, data=body)
        assert response.status_code in (200, 400, 413, 422), (name, response.status_code)
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        text = response.get_data(as_text=True)
        assert not any(word in text for word in ("Traceback", "psycopg2", "SELECT", "/handlers/")), name
        answers.append(text)
    everything_reads(client)
    nowhere(database_url, tmp_path, "".join(capsys.readouterr()), "".join(answers))


def test_strangers_with_hostile_bodies_get_in_nowhere(app: Flask, database_url: str) -> None:
    client = app.test_client()
    for number, (name, body) in enumerate(HOSTILE.items()):
        if name in ("wrapped_secret", "telemetry_secret_inside"):
            continue
        status = client.post(
            "/api/automated-signals/webhook", data=body, environ_base={"REMOTE_ADDR": f"10.1.1.{number}"}
        ).status_code
        assert status in (401, 413), (name, status)
    assert run_sql(database_url, "SELECT count(*) FROM quarantine") == [(0,)]
    assert run_sql(database_url, "SELECT count(*) FROM automated_signals") == [(0,)]


@pytest.mark.parametrize("where", ["path", "body", "both"])
def test_the_secret_goes_through_every_sample_and_stays_nowhere(
    app: Flask, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    client, answers = app.test_client(), []
    path = "/api/automated-signals/webhook" if where == "body" else WEBHOOK
    for file in PAYLOADS:
        try:
            body = json.loads(file.read_text())
        except ValueError:
            body = None
        raw = file.read_bytes()
        if isinstance(body, dict) and where != "path":
            raw = raw.rstrip()[:-1] + b'%s"secret":"%s"}' % (b"," if body else b"", SECRET.encode())
        response = client.post(path, data=raw)
        assert response.status_code in (200, 400, 401, 422), (file, response.status_code)
        answers.append(response.get_data(as_text=True))
    assert len(answers) > 100
    assert run_sql(database_url, "SELECT count(*) > 50 FROM automated_signals") == [(True,)]
    everything_reads(client)
    nowhere(database_url, tmp_path, "".join(capsys.readouterr()), "".join(answers))


def test_the_spool_keeps_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment = {"DATABASE_URL": "postgresql://x@127.0.0.1:1/x", "ALERTBOOK_DATA_DIR": str(tmp_path)}
    client = create_app(load({**environment, "WEBHOOK_SECRET": SECRET})).test_client()
    for name, body in HOSTILE.items():
        assert client.post(WEBHOOK, data=body).status_code in (200, 400, 413, 422), name
    spool = (tmp_path / "spool" / "spool.sqlite-wal").read_bytes() + (tmp_path / "spool" / "spool.sqlite").read_bytes()
    assert b"a *** b" in spool
    assert SECRET.encode() not in spool
    assert SECRET not in "".join(capsys.readouterr())


NUMBER = "8675309142857"


def test_a_secret_of_digits_is_no_number_either(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {"DATABASE_URL": database_url, "ALERTBOOK_DATA_DIR": str(tmp_path), "WEBHOOK_SECRET": NUMBER}
    app = create_app(load(environment))
    client, answers = app.test_client(), []
    spelt = [NUMBER, f"-{NUMBER}", f"{NUMBER}.50", f"1{NUMBER}", f"{NUMBER[0]}.{NUMBER[1:]}e12", f"{NUMBER}e3"]
    for number in spelt:
        for body in (
            f'{{"type":"ENTRY","signal_id":"d","entry_price":1,"deep":[{{"a":{number}}}],"b":1.25}}',
            f'{{"type":"ENTRY","signal_id":"d","entry_price":{number}}}',
            f'{{"type":"ENTRY","signal_id":{number},"entry_price":1}}',
            f'{{"type":"ENTRY","entry_price":[{number}], oops',
        ):
            answers.append(client.post(f"/api/automated-signals/webhook/{NUMBER}", data=body).get_data(as_text=True))
    for raw in echoes(NUMBER).values():
        answers.append(client.post(f"/api/automated-signals/webhook/{NUMBER}", data=raw).get_data(as_text=True))
    taken = client.post("/api/automated-signals", data=f'{{"ticker":"NQ1!","action":"buy","secret":{NUMBER},"b":7}}')
    assert taken.status_code == 200
    everything_reads(client)
    stored = run_sql(
        database_url, "SELECT count(*), count(*) FILTER (WHERE legacy_payload -> 'b' = '1.25') FROM automated_signals"
    )
    assert stored[0] > (5, 4)
    nowhere(database_url, tmp_path, "".join(capsys.readouterr()), "".join(answers), secret=NUMBER)
    app.extensions["alertbook"].close()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    ["type", "event_type", "signal_id", "trade_id", "entry_price", "timestamp", "schema_version", "attributes",
     "signals", "targets", "direction", "mfe_R", "secret", "symbol", "strategy_id", "event_timestamp", "stop_loss"]
)  # fmt: skip


def test_no_body_at_all_is_our_fault(app: Flask) -> None:
    client = app.test_client()

    @settings(max_examples=300)
    @given(
        st.dictionaries(names | st.text(max_size=5), json_values, max_size=8) | json_values,
        st.sampled_from(["ENTRY", "MFE_UPDATE_BATCH", None]),
    )
    def send(body: Any, event: str | None) -> None:
        if isinstance(body, dict) and event:
            body["event_type"] = event
        response = client.post(WEBHOOK, data=json.dumps(body))
        assert response.status_code in (200, 400, 413, 422), response.get_json()

    send()
    everything_reads(client)
