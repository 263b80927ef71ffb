"""A process that sends ledger requests, for the test of the ledger's balances."""

from typing import Any

_clients: dict[str, Any] = {}


def send(url: str, requests: list[tuple[str, dict[str, Any], str | None]]) -> list[tuple[int, Any]]:
    """Send requests (path, body, key) one after the other to an application of this process."""
    from settings import load
    from state import jsontext
    from web_server import create_app

    if url not in _clients:
        _clients[url] = create_app(load({"DATABASE_URL": url, "DB_POOL_SIZE": "2"})).test_client()
    answers = []
    for path, body, key in requests:
        headers = {"Idempotency-Key": key} if key else {}
        response = _clients[url].post(path, data=jsontext.dump(body), headers=headers)
        answers.append((response.status_code, jsontext.parse(response.get_data(as_text=True))))
    return answers
