"""Playbooks: public when enabled, written with the key."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from settings import load
from web_server import create_app

PATH = "/api/playbooks"
KEY = {"X-API-Key": "api-key-12345"}


@pytest.fixture
def guarded(database_url: str) -> FlaskClient:
    return create_app(load({"DATABASE_URL": database_url, "API_KEY": KEY["X-API-Key"]})).test_client()


def write(client: FlaskClient, **fields: Any) -> Any:
    body = {"slug": "open-a-trade", "title": "Open a trade", "body_md": "# Open", "tags": "a,b", **fields}
    return client.post(PATH, json=body, headers=KEY)


def test_public_to_read_guarded_to_write(guarded: FlaskClient) -> None:
    assert guarded.post(PATH, json={}).status_code == 401
    made = write(guarded)
    assert (made.status_code, made.get_json()["ok"]) == (200, True)
    write(guarded, slug="hidden", enabled=False)
    assert [book["slug"] for book in guarded.get(PATH).get_json()] == ["open-a-trade"]
    assert guarded.get(f"{PATH}/open-a-trade").get_json()["body_md"] == "# Open"
    assert guarded.get(f"{PATH}/hidden").status_code == 404
    assert guarded.put(f"{PATH}/open-a-trade", json={}).status_code == 401
    assert guarded.delete(f"{PATH}/open-a-trade").status_code == 401


def test_a_slug_is_taken_once(client: FlaskClient) -> None:
    write(client)
    again = write(client)
    assert (again.status_code, again.get_json()["code"]) == (400, "DUPLICATE_SLUG")
    write(client, slug="other", tags=["x", "y"])
    assert client.get(f"{PATH}/other").get_json()["tags"] == "x,y"
    assert client.put(f"{PATH}/other", json={"slug": "open-a-trade"}).status_code == 400
    moved = client.put(f"{PATH}/other", json={"slug": "moved", "title": "Moved"}).get_json()
    assert (moved["slug"], moved["title"], moved["body_md"]) == ("moved", "Moved", "# Open")
    assert client.delete(f"{PATH}/moved").status_code == 200
    assert client.delete(f"{PATH}/moved").status_code == 404
    assert client.put(f"{PATH}/moved", json={}).status_code == 404


@pytest.mark.parametrize("fields", [{"slug": "a b"}, {"slug": "-a"}, {"slug": ""}, {"title": ""}, {"body_md": None}])
def test_limits_name_the_field(client: FlaskClient, fields: dict[str, Any]) -> None:
    response = write(client, **fields)
    assert response.status_code == 422
    assert response.get_json()["details"][0]["field"] == next(iter(fields))


def test_pages(client: FlaskClient) -> None:
    for number in range(3):
        write(client, slug=f"book-{number}")
    first = client.get(f"{PATH}?limit=2")
    rest = client.get(f"{PATH}?limit=2&cursor={first.headers['X-Next-Cursor']}").get_json()
    assert [book["slug"] for book in first.get_json() + rest] == ["book-2", "book-1", "book-0"]
