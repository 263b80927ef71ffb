"""Posting a day's snapshot: what is taken, what is dropped, what is refused."""

import gzip
import hashlib
import hmac
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from handlers.snapshots import BODY_LIMIT
from settings import load
from state import jsontext
from tests.conftest import run_sql
from tests.handlers.test_signals import read_json
from web_server import create_app

POST = "/v1/internal/trades/snapshot"
#: the contract's own example
EXAMPLE: dict[str, Any] = {
    "date": "2026-02-11",
    "updated_at": "2026-02-11T14:00:00.000Z",
    "headline": "Haiphen metrics for 2026-02-11",
    "summary": "",
    "rows": [{"kpi": "Daily PnL", "value": "$1,234.56"}, {"kpi": "Win rate", "value": "72.3%"}],
    "overlay": {
        "seriesByKpi": {
            "Daily PnL": [
                {"t": "2026-02-11T09:30:00Z", "v": Decimal("500.25")},
                {"t": "2026-02-11T10:00:00Z", "v": Decimal("780.50"), "src": "live"},
            ]
        },
        "extremes": {
            "byKpi": {
                "Daily PnL": {
                    "hi": [{"trade_id": 101, "symbol": "AAPL", "contract_name": "AAPL 250321C185", "metric_raw": 450}],
                    "lo": [{"trade_id": 102, "symbol": "TSLA", "contract_name": "TSLA 250321P175", "metric_raw": -120}],
                }
            }
        },
        "portfolioAssets": [{"trade_id": 101, "symbol": "AAPL", "contract_name": "AAPL 250321C185"}],
    },
    "source": "gke-trades-sync",
}


def example(**changes: Any) -> dict[str, Any]:
    return {**EXAMPLE, **changes}


def post(client: FlaskClient, body: Any, **headers: str) -> Any:
    data = body if isinstance(body, str | bytes) else jsontext.dump(body)
    return client.post(POST, data=data, content_type="application/json", headers=headers)


def get(client: FlaskClient, path: str, status: int = 200) -> Any:
    response = client.get(path)
    assert response.status_code == status, response.get_data(as_text=True)
    return read_json(response)


def test_the_example_of_the_contract(client: FlaskClient) -> None:
    response = post(client, EXAMPLE, **{"X-Request-Id": "abc123"})
    assert response.status_code == 200, response.get_data(as_text=True)
    assert read_json(response) == {
        "ok": True,
        "date": "2026-02-11",
        "updated_at": "2026-02-11T14:00:00.000Z",
        "request_id": "abc123",
        "counts": {"kpis": 2, "series_points": 2, "extremes": 2, "portfolio_assets": 1},
        "dropped": [],
        "dropped_count": 0,
    }
    stored = get(client, "/v1/trades/latest")
    assert stored == {name: EXAMPLE[name] for name in ("date", "updated_at", "headline", "summary", "rows", "overlay")}


def test_other_names_mean_the_same(client: FlaskClient) -> None:
    other = {
        "date": "2026-02-11",
        "updated_at": "2026-02-11T09:00:00-05:00",
        "kpis": [{"name": "Daily PnL", "val": "$1,234.56"}, {"kpi": " ", "label": "Win rate", "text": "72.3%"}],
        "overlay": {
            "series": {
                "Daily PnL": [
                    {"time": "2026-02-11T10:00:00Z", "value": "780.50", "src": "live"},
                    {"ts": "2026-02-11 04:30:00-05:00", "v": Decimal("500.25")},
                ]
            },
            "extremes": EXAMPLE["overlay"]["extremes"],
            "assets": [{"id": 101, "symbol": "AAPL", "contract": "AAPL 250321C185"}],
        },
    }
    answer = read_json(post(client, other))
    assert answer["dropped"] == []
    stored = get(client, "/v1/metrics/daily")
    assert stored == {name: EXAMPLE[name] for name in ("date", "updated_at", "headline", "summary", "rows", "overlay")}


def test_what_is_dropped_is_listed(client: FlaskClient) -> None:
    body = (
        '{"date": "2026-02-11", "color": 1,'
        ' "rows": [{"value": "1"}, {"kpi": "A", "value": 1}, {"kpi": "A", "value": 2.50}, 7,'
        ' {"kpi": "B", "value": NaN}],'
        ' "overlay": {"seriesByKpi": {"A": [{"v": 1}, {"t": "soon", "v": 1}, {"t": "2026-02-11T15:00:00Z", "v": null},'
        ' {"t": "2026-02-11T15:00:00Z", "v": NaN}, {"t": "2026-02-11T15:00:00Z", "v": "1,5"},'
        ' {"t": "2026-02-11T15:00:00Z", "v": true}, {"t": "2026-02-11T15:00:00Z", "v": 1},'
        ' {"t": "2026-02-11T10:00:00-05:00", "v": 2}]},'
        ' "extremes": {"byKpi": {"A": {"hi": [{"trade_id": 1, "metric_raw": Infinity, "rank": 0}, {}], "mid": []}}},'
        ' "portfolioAssets": [{"symbol": "X"}, {"trade_id": "1"}, {"trade_id": 1}]}}'
    )
    answer = read_json(post(client, body))
    assert {(drop["path"], drop["reason"]) for drop in answer["dropped"]} == {
        ("color", "unknown field"),
        ("rows[0]", "no KPI name"),
        ("rows[1]", "duplicate KPI: a later row wins"),
        ("rows[3]", "not an object"),
        ("rows[4].value", "neither text nor a finite number"),
        *((f"overlay.seriesByKpi.A[{index}]", "no time") for index in (0, 1)),
        *((f"overlay.seriesByKpi.A[{index}]", "no finite value") for index in (2, 3, 4, 5)),
        ("overlay.seriesByKpi.A[6]", "duplicate timestamp: a later point wins"),
        ("overlay.extremes.byKpi.A.mid", "unknown field"),
        ("overlay.extremes.byKpi.A.hi[0].rank", "not a whole number from 1: its position is taken"),
        ("overlay.extremes.byKpi.A.hi[0].metric_raw", "not a finite number"),
        ("overlay.extremes.byKpi.A.hi[1]", "names no trade, symbol or contract"),
        ("overlay.portfolioAssets[0]", "no trade id"),
        ("overlay.portfolioAssets[1]", "duplicate asset: a later one wins"),
    }
    assert answer["dropped_count"] == len(answer["dropped"]) == 18
    assert answer["counts"] == {"kpis": 2, "series_points": 1, "extremes": 1, "portfolio_assets": 1}
    kpis = get(client, "/v1/metrics/kpis")["items"]
    assert [(row["kpi"], row["value_text"], row["value_num"]) for row in kpis] == [
        ("A", "2.50", Decimal("2.50")),
        ("B", "", None),
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"date": None}, "date"),
        ({"date": "2026-13-45"}, "date"),
        ({"date": "2026-02-30"}, "date"),
        ({"date": "2026-2-1"}, "date"),
        ({"date": "\u0662026-02-11"}, "date"),
        ({"date": "2026-02-11\n"}, "date"),
        ({"date": 20260211}, "date"),
        ({"updated_at": "yesterday"}, "updated_at"),
        ({"updated_at": "2026-02-11T14:00:00"}, "updated_at"),
        ({"updated_at": True}, "updated_at"),
        ({"updated_at": "9999-12-31T23:59:59-14:00"}, "updated_at"),
        ({"headline": {}}, "headline"),
        ({"summary": "a\x00b"}, "summary"),
        ({"rows": [{"kpi": "\ud800"}]}, "rows[0].kpi"),
        ({"allow_empty": "yes"}, "allow_empty"),
        ({"rows": [{"kpi": str(n)} for n in range(1001)]}, "rows"),
    ],
)
def test_bad_snapshots_name_the_field(client: FlaskClient, change: dict[str, Any], field: str) -> None:
    response = post(client, jsontext.dump(example(**change), ascii_only=True))
    assert response.status_code == 422, response.get_data(as_text=True)
    assert [detail["field"] for detail in read_json(response)["details"]] == [field]
    assert get(client, "/v1/metrics/daily", 404)["code"] == "NO_SNAPSHOT"


def test_too_many_points(client: FlaskClient) -> None:
    points = [{"t": 1_770_000_000 + second, "v": 1} for second in range(50_001)]
    refused = post(client, {"date": "2026-02-11", "overlay": {"series": {"A": points}}})
    assert (refused.status_code, read_json(refused)["details"][0]["code"]) == (422, "TOO_MANY_POINTS")
    taken = read_json(post(client, {"date": "2026-02-11", "overlay": {"series": {"A": points[1:]}}}))
    assert taken["counts"]["series_points"] == 50_000


@pytest.mark.parametrize("body", ["", "[]", "nonsense", "null", "0"])
def test_not_a_snapshot(client: FlaskClient, body: str) -> None:
    assert post(client, body).status_code == 400


def test_gzip_is_unpacked_within_bounds(client: FlaskClient) -> None:
    packed = gzip.compress(jsontext.dump(EXAMPLE).encode())
    assert post(client, packed, **{"Content-Encoding": "gzip"}).status_code == 200
    bomb = gzip.compress(b" " * (BODY_LIMIT + 1))
    assert post(client, bomb, **{"Content-Encoding": "gzip"}).status_code == 413
    assert post(client, bomb + bomb, **{"Content-Encoding": "gzip"}).status_code == 413
    assert post(client, packed[:-9], **{"Content-Encoding": "gzip"}).status_code == 400
    assert post(client, b"{}", **{"Content-Encoding": "gzip"}).status_code == 400
    assert post(client, packed, **{"Content-Encoding": "br"}).status_code == 415
    assert post(client, b" " * (BODY_LIMIT + 1)).status_code == 413


def test_an_older_snapshot_is_refused(client: FlaskClient) -> None:
    assert post(client, example()).status_code == 200
    older = post(client, example(updated_at="2026-02-11T13:59:59.999Z", headline="late"))
    assert (older.status_code, read_json(older)["code"]) == (409, "OLDER_SNAPSHOT")
    assert post(client, example(headline="same time")).status_code == 200
    assert get(client, "/v1/trades/latest")["headline"] == "same time"


def test_an_empty_snapshot_replaces_nothing_unless_told_to(client: FlaskClient) -> None:
    empty: dict[str, Any] = {"date": "2026-02-11", "rows": [], "overlay": {}}
    assert post(client, empty).status_code == 200
    assert post(client, example(updated_at=None)).status_code == 200
    refused = post(client, empty)
    assert (refused.status_code, read_json(refused)["code"]) == (409, "EMPTY_SNAPSHOT")
    assert len(get(client, "/v1/metrics/kpis")["items"]) == 2
    assert post(client, {**empty, "allow_empty": True}).status_code == 200
    assert get(client, "/v1/metrics/kpis")["items"] == []


def test_a_repeat_changes_nothing(client: FlaskClient, database_url: str) -> None:
    first, again = post(client, EXAMPLE), post(client, EXAMPLE)
    assert (first.status_code, again.status_code) == (200, 200)
    assert run_sql(database_url, "SELECT version FROM metrics_daily") == [(1,)]
    assert get(client, "/v1/metrics/history?date=2026-02-11")["items"] == []


def test_replacing_leaves_nothing_of_the_one_before(client: FlaskClient, database_url: str) -> None:
    post(client, EXAMPLE)
    post(client, example(updated_at=None, rows=[{"kpi": "Only", "value": 1}], overlay={}))
    counts = run_sql(
        database_url,
        "SELECT (SELECT count(*) FROM metrics_kpi_values), (SELECT count(*) FROM metrics_series_points),"
        " (SELECT count(*) FROM metrics_extremes_items), (SELECT count(*) FROM metrics_portfolio_assets)",
    )
    assert counts == [(1, 0, 0, 0)]


@pytest.fixture
def guarded(database_url: str) -> Iterator[FlaskClient]:
    yield create_app(
        load(
            {
                "DATABASE_URL": database_url,
                "INTERNAL_TOKEN": "token-1234,token-5678",
                "SIGNING_SECRET": "secret-1234",
                "API_KEY": "api-key-1234",
                "ADMIN_KEY": "admin-key-1234",
            }
        )
    ).test_client()


def test_token_and_signature(guarded: FlaskClient) -> None:
    body = jsontext.dump(EXAMPLE).encode()
    right = hmac.new(b"secret-1234", body, hashlib.sha256).hexdigest()
    packed = gzip.compress(body)
    of_packed = hmac.new(b"secret-1234", packed, hashlib.sha256).hexdigest()
    for headers, status in (
        ({}, 401),
        ({"X-Internal-Token": "wrong", "X-Signature": right}, 401),
        ({"X-Admin-Key": "admin-key-1234", "X-Signature": right}, 401),
        ({"X-Internal-Token": "token-5678"}, 401),
        ({"X-Internal-Token": "token-5678", "X-Signature": right[:-1] + "g"}, 401),
        ({"X-Internal-Token": "token-5678", "X-Signature": "caf\u00e9"}, 401),
        ({"X-Internal-Token": "token-5678", "X-Signature": right}, 200),
    ):
        assert post(guarded, body, **headers).status_code == status, headers
    gzipped = {"X-Internal-Token": "token-1234", "Content-Encoding": "gzip"}
    assert post(guarded, packed, **gzipped, **{"X-Signature": right}).status_code == 401
    assert post(guarded, packed, **gzipped, **{"X-Signature": of_packed}).status_code == 200


def test_reading_needs_a_key_but_health_does_not(guarded: FlaskClient) -> None:
    assert guarded.get("/v1/health").status_code == 200
    for path in ("/v1/trades/latest", "/v1/trades/dates", "/v1/metrics/kpis", "/v1/metrics/history?date=2026-02-11"):
        assert guarded.get(path).status_code == 401
        assert guarded.get(path, headers={"X-Internal-Token": "token-1234"}).status_code == 401
    assert guarded.get("/v1/metrics/dates", headers={"X-API-Key": "api-key-1234"}).status_code == 200
