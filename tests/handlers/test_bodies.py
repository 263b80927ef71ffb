"""Bodies of ordinary routes: JSON or a form, exact numbers, errors that name the field."""

from decimal import Decimal
from typing import Any

import marshmallow as ma
import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from handlers.blueprint import Blueprint
from handlers.fields import Exact, Text, Yes
from handlers.middleware.access import Role, access
from handlers.middleware.answers import answer
from settings import Settings
from web_server import create_app


class Order(ma.Schema):
    amount = Exact(required=True, above=0, high=1000, places=2)
    note = Text(1, 10, load_default="none")
    urgent = Yes(load_default=False)


@pytest.fixture
def client(settings: Settings) -> FlaskClient:
    app: Flask = create_app(settings)
    blueprint = Blueprint("orders", __name__)

    @blueprint.post("/orders")
    @access(Role.WRITE)
    @blueprint.arguments(Order, location="json")
    def make_order(order: dict[str, Any]) -> Response:
        return answer(order)

    app.register_blueprint(blueprint)
    return app.test_client()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", '{"amount": 12.50, "urgent": true}'),
        ("application/x-www-form-urlencoded", '{"amount": "12.50", "urgent": "on"}'),
        ("application/x-www-form-urlencoded", "amount=12.50&urgent=yes"),
        ("text/plain", '{"amount": 12.50, "urgent": true}'),
    ],
)
def test_json_and_forms_say_the_same(client: FlaskClient, content_type: str, body: str) -> None:
    response = client.post("/orders", data=body, content_type=content_type)
    assert response.status_code == 200, response.get_data(as_text=True)
    assert response.get_json() == {"amount": Decimal("12.50"), "note": "none", "urgent": True}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"amount": true}', "amount"),
        ('{"amount": "1,000"}', "amount"),
        ('{"amount": "1_0"}', "amount"),
        ('{"amount": "\uff11"}', "amount"),
        ('{"amount": NaN}', "amount"),
        ('{"amount": 1e400}', "amount"),
        ('{"note": "1e400", "urgent": true, "amount": -1E+65}', "amount"),
        ('{"amount": 1' + "0" * 64 + "}", "amount"),
        ('{"amount": 1, "note": {"a": [true, {"b": 1e-400}]}}', "note.a.1.b"),
        ('{"amount": {}}', "amount"),
        ('{"amount": 0}', "amount"),
        ('{"amount": 1000.01}', "amount"),
        ('{"amount": 1.005}', "amount"),
        ('{"amount": "1e-70"}', "amount"),
        ("{}", "amount"),
        ('{"amount": 1, "note": ""}', "note"),
        ('{"amount": 1, "note": "12345678901"}', "note"),
        ('{"amount": 1, "note": "a\\u0000b"}', "note"),
        ('{"amount": 1, "note": "\\ud800"}', "note"),
        ('{"amount": 1, "note": 5}', "note"),
        ('{"amount": 1, "urgent": 1}', "urgent"),
        ('{"amount": 1, "urgent": "maybe"}', "urgent"),
        ('{"amount": 1, "amont": 2}', "amont"),
    ],
)
def test_each_fault_names_its_field(client: FlaskClient, body: str, field: str) -> None:
    response = client.post("/orders", data=body, content_type="application/json")
    assert response.status_code == 422, response.get_data(as_text=True)
    assert [detail["field"] for detail in response.get_json()["details"]] == [field]


@pytest.mark.parametrize(("body", "status"), [("", 400), ("[]", 400), ("nonsense", 400), ("{", 400)])
def test_no_json(client: FlaskClient, body: str, status: int) -> None:
    assert client.post("/orders", data=body, content_type="application/json").status_code == status


def test_neither_json_nor_form(client: FlaskClient) -> None:
    response = client.post("/orders", data="just words", content_type="application/x-www-form-urlencoded")
    assert (response.status_code, response.get_json()["code"]) == (422, "NOT_A_FORM")
