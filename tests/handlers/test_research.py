"""Research: sources, texts, questions, and fetching from nowhere but the public internet."""

import socket
from typing import Any

import pytest
from flask.testing import FlaskClient

from handlers import fetching
from handlers.fetching import is_public
from settings import load
from tests.handlers.test_signals import read_json
from tests.jobs.receiver import receiving
from web_server import create_app

SOURCES = "/api/research/sources"


def add(client: FlaskClient, **fields: Any) -> Any:
    body = {"name": "desk", "url": "https://example.com/x", **fields}
    return client.post(SOURCES, json=body)


def ingest(client: FlaskClient, **fields: Any) -> Any:
    return client.post("/api/research/ingest", json=fields)


def ask(client: FlaskClient, q: str, **more: Any) -> Any:
    return read_json(client.post("/api/research/query", json={"q": q, **more}))


def test_sources_are_made_changed_and_removed(client: FlaskClient) -> None:
    made = add(client).get_json()
    assert (made["kind"], made["ttl_seconds"], made["enabled"], made["last_ingested_at"]) == ("web", 86400, True, None)
    path = f"{SOURCES}/{made['id']}"
    changed = client.put(path, json={"enabled": False, "ttl_seconds": 60}).get_json()
    assert (changed["name"], changed["enabled"], changed["ttl_seconds"]) == ("desk", False, 60)
    assert client.get(path).get_json() == changed
    ingest(client, source_id=made["id"], text="words")
    assert [source["id"] for source in client.get(SOURCES).get_json()] == [made["id"]]
    assert client.delete(path).get_json() == {"ok": True, "source_id": made["id"], "docs_deleted": 0}
    for method in (client.get, client.delete):
        assert method(path).status_code == 404
    assert client.put(path, json={}).status_code == 404
    assert client.get(f"{SOURCES}/{2**80}").status_code == 404


def test_forms_say_the_same_as_json(client: FlaskClient) -> None:
    made = client.post(SOURCES, data={"name": "desk", "url": "https://example.com/x", "ttl_seconds": "60"}).get_json()
    assert made["ttl_seconds"] == 60
    assert client.post("/api/research/ingest", data={"source_id": str(made["id"]), "text": "fees"}).status_code == 200
    found = client.post("/api/research/query", data={"q": "fees", "limit": "1"}).get_json()
    assert found["result_count"] == 1
    for wrong in ("x", "1.5", "-1", "\u0661", "1" * 65):
        refused = client.post("/api/research/query", data={"q": "fees", "limit": wrong})
        assert (refused.status_code, refused.get_json()["details"][0]["field"]) == (422, "limit")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"url": "ftp://example.com"},
        {"url": "https://"},
        {"url": "http://[::1"},
        {"url": "javascript:alert(1)"},
        {"url": "https://a b"},
        {"kind": "x" * 51},
        {"ttl_seconds": 0},
        {"ttl_seconds": "60"},
        {"enabled": "maybe"},
    ],
)
def test_limits_of_a_source(client: FlaskClient, fields: dict[str, Any]) -> None:
    response = add(client, **fields)
    assert response.status_code == 422
    assert response.get_json()["details"][0]["field"] == next(iter(fields))


def test_a_question_finds_the_best_first(client: FlaskClient) -> None:
    desk = add(client).get_json()["id"]
    first = ingest(client, source_id=desk, title="Slippage", text="How slippage grows in a thin market.")
    assert first.get_json() == {"ok": True, "source_id": desk, "doc_count": 1, "message": "Ingested 1 documents"}
    ingest(client, source_id=desk, text="Spreads, fees, and once more slippage: costs of trading.")
    ingest(client, source_id=desk, text="Nothing about it.")
    found = ask(client, "slippage")
    assert (found["query"], found["result_count"]) == ("slippage", 2)
    best = found["results"][0]
    assert list(best) == ["source_name", "doc_id", "title", "url", "snippet", "relevance_score"]
    assert (best["title"], best["source_name"], best["url"]) == ("Slippage", "desk", "https://example.com/x")
    assert "**slippage**" in best["snippet"]
    assert best["relevance_score"] > found["results"][1]["relevance_score"] > 0
    assert ask(client, "slippage", limit=1)["result_count"] == 1
    assert ask(client, "slippage -fees")["result_count"] == 1
    assert ask(client, "& | ! ( :* '")["result_count"] == 0
    client.put(f"{SOURCES}/{desk}", json={"enabled": False})
    assert ask(client, "slippage")["result_count"] == 0


def test_the_same_text_is_one_document(client: FlaskClient) -> None:
    desk = add(client).get_json()["id"]
    text = "word " * 5000
    assert ingest(client, source_id=desk, text=text).get_json()["doc_count"] == 7
    assert ingest(client, source_id=desk, text=text).get_json() == {
        "ok": True,
        "source_id": desk,
        "doc_count": 0,
        "message": "Nothing new",
    }
    assert client.get("/api/metrics").get_json()["research_docs"] == 7


def test_what_is_refused(client: FlaskClient) -> None:
    desk = add(client, enabled=False).get_json()["id"]
    assert ingest(client, source_id=999, text="x").status_code == 404
    assert ingest(client, source_id=desk, text="x").status_code == 400
    assert ingest(client, source_id=desk, text="").status_code == 422
    client.put(f"{SOURCES}/{desk}", json={"enabled": True})
    off = ingest(client, source_id=desk)
    assert (off.status_code, off.get_json()["code"]) == (409, "FETCHING_IS_OFF")
    for body in ({"q": ""}, {"q": "x", "limit": 51}, {"q": "x", "limit": 0}, {}):
        assert client.post("/api/research/query", json=body).status_code == 422


@pytest.fixture
def fetcher(database_url: str) -> FlaskClient:
    return create_app(load({"DATABASE_URL": database_url, "RESEARCH_FETCH": "1"})).test_client()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f.1:{port}/",
        "http://0.0.0.0:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
    ],
)
def test_private_addresses_are_never_asked(fetcher: FlaskClient, url: str) -> None:
    with receiving() as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        source = add(fetcher, url=url.format(port=port)).get_json()["id"]
        refused = ingest(fetcher, source_id=source)
        assert refused.get_json()["code"] in ("ADDRESS_NOT_PUBLIC", "CANNOT_FETCH")
        assert receiver.requests == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.fixture
def anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback passes for public, so that a real server can be fetched from."""
    monkeypatch.setattr(fetching, "is_public", lambda address: True)


PAGE = b"<html><head><title>On  gaps</title><script>secret()</script></head><body><p>Gaps fill.</p></body></html>"


def serve(answer: bytes) -> tuple[socket.socket, str]:
    import threading

    server = socket.create_server(("127.0.0.1", 0))

    def once() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    threading.Thread(target=once, daemon=True).start()
    return server, f"http://127.0.0.1:{server.getsockname()[1]}/page?a=1"


def reply(body: bytes, status: str = "200 OK", media: str = "text/html; charset=utf-8", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.usefixtures("anywhere")
def test_a_page_is_fetched_as_text(fetcher: FlaskClient) -> None:
    server, url = serve(reply(PAGE))
    with server:
        source = add(fetcher, url=url).get_json()["id"]
        assert ingest(fetcher, source_id=source).get_json()["doc_count"] == 1
    found = ask(fetcher, "gaps")["results"][0]
    assert (found["title"], found["snippet"]) == ("On gaps", "**Gaps** fill")
    assert ask(fetcher, "secret")["result_count"] == 0


@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize(
    "answer",
    [
        reply(b"", "302 Found", more="Location: http://127.0.0.1/\r\n"),
        reply(b"", "404 Not Found"),
        reply(b"x", media="image/png"),
        reply(b"x" * (fetching.MAX_BYTES + 1)),
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_what_is_no_page_is_an_answer_of_502(fetcher: FlaskClient, answer: bytes) -> None:
    server, url = serve(answer)
    with server:
        source = add(fetcher, url=url).get_json()["id"]
        refused = ingest(fetcher, source_id=source)
    assert (refused.status_code, refused.get_json()["code"]) == (502, "CANNOT_FETCH")


@pytest.mark.usefixtures("anywhere")
def test_a_slow_source_is_left_after_the_deadline(fetcher: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = add(fetcher, url=f"http://127.0.0.1:{silent.getsockname()[1]}/").get_json()["id"]
        assert ingest(fetcher, source_id=source).status_code == 502
