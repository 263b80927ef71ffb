"""The API's description: an example of every operation and of each of its errors."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def description(client: FlaskClient) -> Any:
    return json.loads(client.get("/openapi.json").text)


@pytest.fixture
def refusals(description: Any) -> dict[str, Any]:
    found: dict[str, Any] = description["components"]["responses"]
    return found


@pytest.fixture
def operations(description: Any) -> dict[str, dict[str, object]]:
    return {
        f"{method} {path}": operation
        for path, found in description["paths"].items()
        for method, operation in found.items()
        if method in METHODS
    }


def test_every_operation_has_an_example_of_its_answer(operations: dict[str, dict[str, object]]) -> None:
    without = [
        name
        for name, operation in operations.items()
        if not any(
            "example" in content
            for status, response in operation["responses"].items()  # type: ignore[attr-defined]
            if status.startswith("2")
            for content in response.get("content", {}).values()
        )
    ]
    assert len(operations) > 100
    assert without == [], "run `python -m tests.record_examples`"


def test_every_error_has_an_example_in_the_one_shape(
    operations: dict[str, dict[str, object]], refusals: dict[str, Any]
) -> None:
    for name, operation in operations.items():
        errors = {
            status: response
            for status, response in operation["responses"].items()  # type: ignore[attr-defined]
            if status.startswith(("4", "5"))
        }
        assert {"404", "503"} <= set(errors), name
        for status, response in errors.items():
            shared = refusals[response["$ref"].rpartition("/")[2]]
            example = shared["content"]["application/json"]["example"]
            assert (example["success"], example["ok"]) == (False, False), (name, status)
            assert example["code"], (name, status)


def test_every_body_that_is_needed_has_an_example(operations: dict[str, dict[str, object]]) -> None:
    needed = {name: one["requestBody"] for name, one in operations.items() if "requestBody" in one}
    without = [
        name
        for name, body in needed.items()
        if not any("example" in content for content in body["content"].values())  # type: ignore[index]
    ]
    assert without == []
