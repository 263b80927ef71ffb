"""Writes handlers/examples.json: what each endpoint of the API answers over the demo's data, cut to its shape.

Run it when an endpoint is added or its answer changes: `.venv/bin/python -m tests.record_examples`. It prints the
operations that have no example yet.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from database import migrate
from database.embedded import EmbeddedPostgres
from demo.filling import fill_app
from handlers.operation_examples import FILE
from settings import load
from tests.example_requests import REQUESTS
from web_server import create_app

MOST_ITEMS: Final = 2
MOST_TEXT: Final = 300
MOST_NAMES: Final = 40
#: values of path and query parameters that mean something in the demo's data
VALUES: Final[dict[str, Any]] = {
    "trade_id": "OPENING_RANGE_20261119_1",
    "profile_id": 1,
    "quarantine_id": 1,
    "row_id": 1,
    "kpi": "Daily PnL",
    "prev_balance": "10000",
    "current_balance": "9900",
    "name": "x",
    "source": "BROKER_A",
}


def cut(value: Any, depth: int = 0) -> Any:
    """A value with its lists, texts and large objects cut to what shows their shape."""
    if isinstance(value, dict):
        names = list(value)[:MOST_NAMES]
        return {name: cut(value[name], depth + 1) for name in names}
    if isinstance(value, list):
        return [cut(item, depth + 1) for item in value[:MOST_ITEMS]]
    if isinstance(value, str) and len(value) > MOST_TEXT:
        return value[:MOST_TEXT] + "..."
    return value


class Recorder:
    """Keeps the first good answer of each operation."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}

    def keep(self, app: Flask, answer: TestResponse, sent: Any) -> None:
        request = answer.request
        endpoint, _ = app.url_map.bind("localhost").match(request.path, request.method)
        place = f"{endpoint} {request.method.lower()}"
        if place in self.found or endpoint.startswith("api-docs.") or answer.status_code >= 300:
            return
        kept: dict[str, Any] = {"status": str(answer.status_code), "type": answer.mimetype}
        kept["response"] = cut(json.loads(answer.text)) if answer.is_json else answer.text[:MOST_TEXT]
        if sent is not None:
            kept["request"] = cut(sent)
        if request.query_string:
            kept["query"] = request.query_string.decode()
        self.found[place] = kept


def recording(recorder: Recorder) -> type[FlaskClient]:
    """A client that tells the recorder."""

    class Client(FlaskClient):
        def open(self, *args: Any, **options: Any) -> TestResponse:
            answer = super().open(*args, **options)
            sent = options.get("json", options.get("data"))
            recorder.keep(self.application, answer, sent.decode() if isinstance(sent, bytes) else sent)
            return answer

    return Client


def ask_all(app: Flask, client: FlaskClient) -> None:
    """Read every address that can be read."""
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint.startswith(("dashboard.", "api-docs.")):
            continue
        values = {name: VALUES.get(name, 1) for name in rule.arguments}
        with app.test_request_context():
            address = app.url_for(rule.endpoint, **values)
        for query in (
            {},
            {"kpi": VALUES["kpi"]},
            {"prev_balance": "10000", "current_balance": "9900"},
            {"date": "2026-11-19"},
        ):
            answer = client.get(address, query_string=query)
            if answer.status_code < 300:
                break


def main() -> None:
    recorder = Recorder()
    with tempfile.TemporaryDirectory() as folder:
        postgres = EmbeddedPostgres(Path(folder) / "data")
        url = postgres.start()
        try:
            migrate.apply(url)
            demo_client = recording(recorder)
            app = create_app(load({"DATABASE_URL": url, "ALERTBOOK_DATA_DIR": folder, "LOG_LEVEL": "ERROR"}))
            app.test_client_class = demo_client
            with app.app_context():
                fill_app(app)
            client = app.test_client()
            for method, path, body in REQUESTS:
                given = {} if body is None else {"data" if isinstance(body, str) else "json": body}
                answer = client.open(path, method=method, **given)
                if answer.status_code >= 300:
                    sys.stdout.write(f"{method} {path}: {answer.status_code} {answer.text[:200]}\n")
            ask_all(app, client)
            missing = missing_examples(app, recorder.found)
        finally:
            postgres.stop()
    text = json.dumps(dict(sorted(recorder.found.items())), indent=1, ensure_ascii=False)
    FILE.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(recorder.found)} examples; without one: {missing}\n")


def missing_examples(app: Flask, found: dict[str, Any]) -> list[str]:
    """The operations of the API's description that have none."""
    told = json.loads(app.test_client().get("/openapi.json").text)
    return [
        f"{method} {path}"
        for path, operations in told["paths"].items()
        for method, operation in operations.items()
        if method != "parameters" and f"{operation['x-endpoint']} {method}" not in found
    ]


if __name__ == "__main__":
    main()
