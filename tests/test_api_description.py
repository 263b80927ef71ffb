"""The API's description tells what really happens: every operation names all its statuses, and none is a surprise."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient


@pytest.fixture
def described(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(client.get("/openapi.json").get_data())
    return found


def test_every_operation_names_its_statuses(described: dict[str, Any]) -> None:
    methods = {"get", "post", "put", "patch", "delete"}
    for path, item in described["paths"].items():
        for method in methods & set(item):
            statuses = set(item[method]["responses"])
            assert "default" not in statuses, path
            assert {"200", "404", "422", "503"} <= statuses, path
            assert method == "get" or {"201", "400", "408", "413", "415"} <= statuses, path


def test_errors_have_the_one_shape(described: dict[str, Any]) -> None:
    refused = described["paths"]["/api/v1/quarantine"]["get"]["responses"]
    for status in ("401", "403", "404", "409", "422", "429", "503"):
        named = refused[status]["$ref"].rpartition("/")[2]
        shape = described["components"]["responses"][named]["content"]["application/json"]["schema"]
        assert set(shape["required"]) == {"success", "ok", "error", "code", "details", "request_id"}
    public = described["paths"]["/healthz"]["get"]["responses"]
    assert "401" not in public
