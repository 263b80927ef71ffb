"""The ledger over HTTP: what it takes, what it refuses, what it answers twice."""

from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import run_sql
from tests.handlers.test_signals import read_json

INTAKE = "/api/capital/intake"


def record(client: FlaskClient, key: str | None = None, **fields: Any) -> Any:
    body = {"source": "fx", "currency": "CAD", "amount": "100.00", "note": "n", **fields}
    return client.post(INTAKE, json=body, headers={"Idempotency-Key": key} if key else {})


def test_an_intake_is_answered_as_it_is_kept(client: FlaskClient) -> None:
    body = b'{"source": "wholesaling", "currency": "CAD", "amount": 15000.00, "note": "Deal #42 closed"}'
    response = client.post(INTAKE, data=body, content_type="application/json")
    made = read_json(response)
    assert response.status_code == 201
    assert list(made) == ["id", "source", "currency", "amount", "note", "created_at"]
    assert b'"amount":15000.00' in response.data
    assert read_json(client.get(INTAKE)) == [made]


def test_the_currency_is_cad_unless_said_and_in_capitals(client: FlaskClient) -> None:
    assert client.post(INTAKE, json={"source": "a", "amount": 1}).get_json()["currency"] == "CAD"
    assert record(client, currency="usd").get_json()["currency"] == "USD"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", 0),
        ("amount", "0.00"),
        ("amount", "1.005"),
        ("amount", "nan"),
        ("amount", "1_000"),
        ("amount", True),
        ("amount", None),
        ("amount", "10000000000000000.00"),
        ("amount", "1e40"),
        ("source", ""),
        ("source", "x" * 121),
        ("source", "a\x00b"),
        ("currency", "CA"),
        ("currency", "C" * 13),
        ("currency", "C$D"),
        ("note", "x" * 281),
        ("surprise", 1),
    ],
)
def test_limits_name_the_field(client: FlaskClient, field: str, value: Any) -> None:
    response = record(client, **{field: value})
    assert response.status_code == 422
    assert [detail["field"] for detail in response.get_json()["details"]] == [field]
    assert client.get(INTAKE).get_json() == []


def test_a_withdrawal_needs_a_note(client: FlaskClient) -> None:
    refused = record(client, amount=-5, note="  ")
    assert (refused.status_code, refused.get_json()["details"][0]["field"]) == (422, "note")
    assert record(client, amount=-5, note="rent").status_code == 201


def test_the_largest_amount_is_exact(client: FlaskClient) -> None:
    made = read_json(record(client, amount="9999999999999999.99"))
    assert made["amount"] == Decimal("9999999999999999.99")


def test_the_same_key_records_once(client: FlaskClient) -> None:
    first, again = record(client, "k-1", amount="5"), record(client, "k-1", amount="5.00")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.data == again.data
    other = record(client, "k-1", amount="6")
    assert (other.status_code, other.get_json()["code"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert record(client, "x" * 201).status_code == 422
    assert len(client.get(INTAKE).get_json()) == 1


def test_a_record_is_reversed_once(client: FlaskClient) -> None:
    made = read_json(record(client, amount="12.34"))
    path = f"{INTAKE}/{made['id']}/reverse"
    undone = read_json(client.post(path, json={"note": "typed twice"}, headers={"Idempotency-Key": "r"}))
    assert (undone["amount"], undone["reverses_id"], undone["note"]) == (Decimal("-12.34"), made["id"], "typed twice")
    again = client.post(path, json={"note": "typed twice"}, headers={"Idempotency-Key": "r"})
    assert (again.status_code, read_json(again)) == (201, undone)
    second = client.post(path)
    assert (second.status_code, second.get_json()["code"]) == (409, "ALREADY_REVERSED")
    back = client.post(f"{INTAKE}/{undone['id']}/reverse")
    assert (back.status_code, back.get_json()["code"]) == (409, "REVERSAL_OF_A_REVERSAL")
    assert client.post(f"{INTAKE}/999/reverse").status_code == 404
    assert client.post(f"{INTAKE}/{2**70}/reverse").status_code == 422
    assert read_json(client.get("/api/jobs/forecast/month"))["current_total"] == 0


def test_the_list_is_bounded_filtered_and_paged(client: FlaskClient) -> None:
    for number in range(1, 8):
        record(client, amount=number, source="a" if number % 2 else "b", currency="CAD" if number < 5 else "USD")
    pages, cursor = [], ""
    while True:
        response = client.get(f"{INTAKE}?limit=3{cursor}")
        pages.append([row["amount"] for row in read_json(response)])
        if "X-Next-Cursor" not in response.headers:
            break
        cursor = "&cursor=" + response.headers["X-Next-Cursor"]
    assert pages == [[7, 6, 5], [4, 3, 2], [1]]
    assert [row["amount"] for row in read_json(client.get(f"{INTAKE}?source=b"))] == [6, 4, 2]
    assert [row["amount"] for row in read_json(client.get(f"{INTAKE}?source=b&currency=usd"))] == [6]
    for query in ("limit=0", "limit=1001", "cursor=x", "currency=%24", "source=" + "x" * 121):
        assert client.get(f"{INTAKE}?{query}").status_code == 422


def test_a_cursor_of_another_list_is_refused(client: FlaskClient) -> None:
    import base64

    cursor = base64.urlsafe_b64encode(b"2026-01-01T00:00:00+00:00|trade-7").decode()
    assert client.get(f"{INTAKE}?cursor={cursor}").status_code == 422


def test_forecast_of_several_currencies(client: FlaskClient) -> None:
    record(client, amount="50000.00")
    record(client, amount="100.10", currency="USD")
    record(client, amount="7", currency="EUR")
    found = read_json(client.get("/api/jobs/forecast/month"))
    assert found == {
        "ok": True,
        "current_total": Decimal(50000),
        "forecast_yield": Decimal("0.04"),
        "projected_balance": Decimal(52000),
        "currency": "CAD",
        "note": "Projected balance one month ahead with 4% yield",
        "by_currency": {
            "EUR": {"current_total": 7, "projected_balance": Decimal("7.28")},
            "USD": {"current_total": Decimal("100.10"), "projected_balance": Decimal("104.104")},
        },
        "converted": None,
    }
    assert client.post("/api/capital/rates", json={"currency": "USD", "rate": "1.25"}).status_code == 201
    found = read_json(client.get("/api/jobs/forecast/month?currency=CAD"))["converted"]
    assert found == {
        "currency": "CAD",
        "current_total": Decimal("50125.125"),
        "projected_balance": Decimal("52130.13"),
        "without": ["EUR"],
    }
    in_usd = read_json(client.get("/api/jobs/forecast/month?currency=usd"))
    assert in_usd["converted"]["current_total"] == Decimal("40100.10")


def test_rates_are_added_never_edited(client: FlaskClient) -> None:
    at = {"currency": "USD", "as_of": "2026-01-02T00:00:00Z"}
    for rate, status in (("1.30", 201), ("1.30", 201), ("1.31", 409)):
        assert client.post("/api/capital/rates", json={**at, "rate": rate}).status_code == status
    client.post("/api/capital/rates", json={"currency": "USD", "rate": "2", "as_of": "2099-01-01T00:00:00Z"})
    assert [item["rate"] for item in read_json(client.get("/api/capital/rates"))["items"]] == [Decimal("1.30")]
    for wrong in ({"rate": 0}, {"rate": -1}, {"rate": "x"}, {"currency": "CAD", "rate": 1}, {"as_of": "2026"}):
        assert client.post("/api/capital/rates", json={**at, "rate": 1, **wrong}).status_code == 422


def test_trends_have_flows_balance_and_drawdown(client: FlaskClient, database_url: str) -> None:
    for amount, note in ((100, ""), (50, ""), (-30, "rent")):
        record(client, amount=amount, note=note)
    wrong = record(client, amount=40).get_json()
    client.post(f"{INTAKE}/{wrong['id']}/reverse")
    record(client, amount=9, source="other", currency="USD")
    # 04:59:59Z is still the day before in New York
    run_sql(database_url, "UPDATE capital_intake SET created_at = '2026-01-15T04:59:59Z' WHERE amount = 100")
    run_sql(database_url, "UPDATE capital_intake SET created_at = '2026-01-15T05:00:00Z' WHERE amount = 50")
    run_sql(database_url, "UPDATE capital_intake SET created_at = '2026-02-02T12:00:00Z' WHERE abs(amount) IN (30, 40)")
    items = read_json(client.get("/api/capital/trends?source=fx"))["items"]
    shown = [(i["start"], i["inflow"], i["outflow"], i["balance"], i["drawdown"], i["drawdown_pct"]) for i in items]
    assert shown == [
        ("2026-02-02", 0, 30, 120, 30, Decimal("0.2")),
        ("2026-01-15", 50, 0, 150, 0, 0),
        ("2026-01-14", 100, 0, 100, 0, 0),
    ]
    months = read_json(client.get("/api/capital/trends?bucket=month&source=fx"))["items"]
    assert [(month["start"], month["balance"]) for month in months] == [("2026-02-01", 120), ("2026-01-01", 150)]
    late = read_json(client.get("/api/capital/trends?from=2026-01-15&to=2026-01-31&source=fx"))["items"]
    assert [(day["start"], day["balance"]) for day in late] == [("2026-01-15", 150)]
    weeks = read_json(client.get("/api/capital/trends?bucket=week"))
    assert (len(weeks["items"]), weeks["next_cursor"]) == (3, None)
    paged: list[Any] = []
    cursor = ""
    while cursor is not None:
        page = read_json(
            client.get(f"/api/capital/trends?bucket=week&limit=1&cursor={cursor}".removesuffix("&cursor="))
        )
        paged, cursor = paged + page["items"], page["next_cursor"]
    assert paged == weeks["items"]
    for query in ("bucket=year", "from=x", "limit=0", "cursor=x"):
        assert client.get(f"/api/capital/trends?{query}").status_code == 422


def test_the_key_is_asked_for(database_url: str) -> None:
    from settings import load
    from web_server import create_app

    client = create_app(load({"DATABASE_URL": database_url, "HEIMDALL_BUILDER_API_KEY": "builder-key-1"})).test_client()
    refused = client.post(INTAKE, json={"source": "a", "amount": 1})
    assert (refused.status_code, refused.get_json()["error"]) == (401, "Invalid X-API-Key")
    made = client.post(INTAKE, json={"source": "a", "amount": 1}, headers={"X-API-Key": "builder-key-1"})
    assert made.status_code == 201
    assert client.get("/api/metrics").status_code == 200
