"""Events of the system's own life over HTTP."""

from typing import Any

import pytest
from flask.testing import FlaskClient

PATH = "/api/telemetry"


def test_an_event_is_kept_as_it_was_sent(client: FlaskClient) -> None:
    text = '{"version": "3.4",  "n": 0.10}'
    made = client.post(PATH, json={"kind": "deployment", "message": "hello", "meta_json": text})
    assert made.status_code == 201
    assert list(made.get_json()) == ["ok", "id", "kind", "created_at"]
    as_object = client.post(PATH, data=b'{"kind": "build", "meta_json": {"task": 42, "share": 0.10}}')
    assert as_object.status_code == 201
    listed = client.get(PATH).get_json()["items"]
    assert [(item["kind"], item["meta_json"]) for item in listed] == [
        ("build", '{"task":42,"share":0.10}'),
        ("deployment", text),
    ]


def test_kind_filters_and_pages(client: FlaskClient) -> None:
    for number in range(5):
        client.post(PATH, json={"kind": "a" if number % 2 else "b", "message": str(number)})
    first = client.get(f"{PATH}?kind=b&limit=2").get_json()
    rest = client.get(f"{PATH}?kind=b&limit=2&cursor={first['next_cursor']}").get_json()
    assert [item["message"] for item in first["items"] + rest["items"]] == ["4", "2", "0"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"kind": ""},
        {"kind": "x" * 81},
        {"kind": 7},
        {"message": "a\x00b"},
        {"meta_json": "not json"},
        {"meta_json": [1]},
        {"meta_json": "[1, NaN]"},
        {"meta_json": '"\\ud800"\x00'},
        {"more": 1},
    ],
)
def test_limits_name_the_field(client: FlaskClient, change: dict[str, Any]) -> None:
    response = client.post(PATH, json={"kind": "k", **change})
    assert response.status_code == 422
    assert response.get_json()["details"][0]["field"] == next(iter(change))


def test_nan_inside_an_object_is_refused(client: FlaskClient) -> None:
    assert client.post(PATH, data=b'{"kind": "k", "meta_json": {"a": NaN}}').status_code == 422


def test_the_same_key_records_once(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "one"}
    first, again = (client.post(PATH, json={"kind": "k"}, headers=headers) for _ in range(2))
    assert (first.data, again.status_code) == (again.data, 201)
    assert client.post(PATH, json={"kind": "other"}, headers=headers).status_code == 409
