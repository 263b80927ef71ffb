"""Reading snapshots back: every endpoint, its order, its bounds."""

from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from settings import VERSION, load
from state import jsontext
from tests.handlers.test_snapshots import example, get, post
from web_server import create_app

ITEM = {
    "trade_id": "T-7", "symbol": "NQ", "contract_name": "NQ H6", "metric_raw": Decimal("-0.00001234"), "metric_abs": 1,
    "individual_pnl": 2, "abs_individual_pnl": 3, "percent_change": 4, "cost_basis": 5, "qty": 6, "bid_price": 7,
    "ask_price": 8, "mid_price": 9, "mid_ts": "2026-02-11T15:00:00.5Z", "mid_mark_pnl": 10,
    "liquidity_drag": Decimal("0.1234567890123456789"), "note": "kept",
}  # fmt: skip


@pytest.fixture
def book(client: FlaskClient) -> FlaskClient:
    values = ("$1,234.56", "72.3%", "5m 2s", "171,902", "1.8x", "\u2014", "hello")
    rows = [{"kpi": name, "value": value} for name, value in zip("gfedcba", values, strict=True)]
    points = [
        {"t": "2026-02-11T15:00:00.25Z", "v": 3},
        {"t": "2026-02-11T10:00:00-05:00", "v": Decimal("2.50"), "src": "live"},
        {"t": "2026-02-11T09:59:00", "v": "1"},  # New York time
    ]
    overlay = {
        "seriesByKpi": {"g": points},
        "extremes": {"byKpi": {"g": {"hi": [ITEM, {**ITEM, "rank": 1}, {"trade_id": 5, "rank": 3}], "lo": []}}},
        "portfolioAssets": [{"trade_id": n, "symbol": "AB"[n % 2], "contract": f"c{n}"} for n in (3, 2, 1)]
        + [{"trade_id": "3", "symbol": "C"}, {"trade_id": Decimal("4.50"), "symbol": "C"}],
    }
    assert post(client, example(rows=rows, overlay=overlay)).status_code == 200
    for day, value in (("2026-02-09", "1"), ("2026-02-10", "2%")):
        assert post(client, example(date=day, rows=[{"kpi": "g", "value": value}], overlay={})).status_code == 200
    return client


def test_kpis_in_the_sent_order(book: FlaskClient) -> None:
    answer = get(book, "/v1/metrics/kpis")
    assert answer["date"] == "2026-02-11"
    assert [tuple(item.values()) for item in answer["items"]] == [
        ("g", "$1,234.56", Decimal("1234.56"), "currency", 1),
        ("f", "72.3%", Decimal("72.3"), "percent", 2),
        ("e", "5m 2s", 302, "duration", 3),
        ("d", "171,902", 171902, "number", 4),
        ("c", "1.8x", Decimal("1.8"), "ratio", 5),
        ("b", "\u2014", None, "text", 6),
        ("a", "hello", None, "text", 7),
    ]
    assert list(answer["items"][0]) == ["kpi", "value_text", "value_num", "value_kind", "sort_order"]
    assert get(book, "/v1/metrics/kpis?date=2026-02-10")["items"][0]["value_kind"] == "percent"


def test_series_in_real_time_order(book: FlaskClient) -> None:
    answer = get(book, "/v1/metrics/series?kpi=g")
    assert answer == {
        "date": "2026-02-11",
        "kpi": "g",
        "points": [
            {"t": "2026-02-11T14:59:00Z", "v": 1, "src": None},
            {"t": "2026-02-11T15:00:00Z", "v": Decimal("2.50"), "src": "live"},
            {"t": "2026-02-11T15:00:00.250000Z", "v": 3, "src": None},
        ],
    }
    archived = get(book, "/v1/trades/latest")["overlay"]["seriesByKpi"]["g"]
    assert [point["t"] for point in archived] == [point["t"] for point in answer["points"]]


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("from=2026-02-11T15:00:00Z", [2.5, 3]),
        ("to=2026-02-11T10:00:00-05:00", [1, 2.5]),
        ("from=2026-02-11T15:00:00%2B00:00&to=2026-02-11T15:00:00Z", [2.5]),
        ("from=2026-02-11&to=2026-02-11", [1, 2.5, 3]),
        ("from=2026-02-12", []),
        ("to=2026-02-10", []),
        ("limit=1", [1]),
        ("from=2026-02-11T15:00:00Z&limit=1", [2.5]),
    ],
)
def test_series_window(book: FlaskClient, query: str, values: list[float]) -> None:
    answer = get(book, f"/v1/metrics/series?kpi=g&date=2026-02-11&{query}")
    assert [float(point["v"]) for point in answer["points"]] == values


def test_extremes_by_rank(book: FlaskClient) -> None:
    answer = get(book, "/v1/metrics/extremes?kpi=g&side=hi")
    assert {name: answer[name] for name in ("date", "kpi", "side")} == {"date": "2026-02-11", "kpi": "g", "side": "hi"}
    assert [(item["rank"], item["trade_id"]) for item in answer["items"]] == [(1, "T-7"), (1, "T-7"), (3, 5)]
    first = answer["items"][0]
    assert first["item"] == ITEM
    told = {name: value for name, value in ITEM.items() if name != "note"}
    assert {name: first[name] for name in told} == {**told, "mid_ts": "2026-02-11T15:00:00.500000Z"}
    assert answer["items"][2]["symbol"] is None
    assert get(book, "/v1/metrics/extremes?kpi=g&side=lo")["items"] == []
    assert len(get(book, "/v1/metrics/extremes?kpi=g&limit=2")["items"]) == 2


def test_portfolio_as_it_was_sent(book: FlaskClient) -> None:
    answer = get(book, "/v1/metrics/portfolio-assets")
    assert (answer["date"], answer["symbol"]) == ("2026-02-11", None)
    assert [item["trade_id"] for item in answer["items"]] == [3, 2, 1, "3", Decimal("4.50")]
    assert get(book, "/v1/metrics/portfolio-assets?symbol=B&limit=1")["items"] == [
        {"trade_id": 3, "symbol": "B", "contract_name": "c3"}
    ]
    assert get(book, "/v1/metrics/portfolio-assets?symbol=C")["items"][0]["contract_name"] is None
    assert get(book, "/v1/metrics/portfolio-assets?symbol=nobody")["items"] == []


def test_dates_page_by_page(book: FlaskClient) -> None:
    seen, cursor = [], ""
    for _ in range(5):
        page = get(book, f"/v1/metrics/dates?limit=2{cursor}")
        seen += [item["date"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["2026-02-11", "2026-02-10", "2026-02-09"]
    archive = get(book, "/v1/trades/dates?limit=1")["items"]
    assert archive[0]["updated_at"] == "2026-02-11T14:00:00.000Z"
    assert get(book, archive[0]["json"])["date"] == "2026-02-11"


def test_history_keeps_every_replaced_version(book: FlaskClient) -> None:
    before = get(book, "/v1/trades/latest")
    for number in (1, 2):
        assert post(book, example(updated_at=None, headline=f"version {number}")).status_code == 200
    answer = get(book, "/v1/metrics/history?date=2026-02-11")
    assert [(item["version"], item["headline"]) for item in answer["items"]] == [
        (2, "version 1"),
        (1, "Haiphen metrics for 2026-02-11"),
    ]
    assert answer["items"][1]["counts"] == {"kpis": 7, "series_points": 3, "extremes": 3, "portfolio_assets": 5}
    first = get(book, "/v1/metrics/history?date=2026-02-11&version=1")
    assert {name: first[name] for name in before} == before
    page = get(book, "/v1/metrics/history?date=2026-02-11&limit=1")
    rest = get(book, f"/v1/metrics/history?date=2026-02-11&limit=1&cursor={page['next_cursor']}")
    assert [item["version"] for item in rest["items"]] == [1]
    get(book, "/v1/metrics/history?date=2026-02-11&version=3", 404)


def test_trend_over_days(book: FlaskClient) -> None:
    items = get(book, "/v1/metrics/kpi-trend?kpi=g")["items"]
    assert [(item["date"], item["value_num"]) for item in items] == [
        ("2026-02-09", 1),
        ("2026-02-10", 2),
        ("2026-02-11", Decimal("1234.56")),
    ]
    window = get(book, "/v1/metrics/kpi-trend?kpi=g&from=2026-02-09&to=2026-02-10&limit=1")["items"]
    assert [item["date"] for item in window] == ["2026-02-10"]
    get(book, "/v1/metrics/kpi-trend?kpi=nobody", 404)


def test_an_etag_saves_the_bulk(book: FlaskClient) -> None:
    for path in ("/v1/trades/latest", "/v1/metrics/daily?date=2026-02-11"):
        tag = book.get(path).headers["ETag"]
        again = book.get(path, headers={"If-None-Match": f'"other", {tag}'})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
        assert book.get(path, headers={"If-None-Match": f"W/{tag}"}).status_code == 304
        assert book.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    post(book, example(updated_at=None))
    assert book.get("/v1/trades/latest", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/trades/latest?date=2026-13-45", "date"),
        ("/v1/metrics/daily?date=latest", "date"),
        ("/v1/metrics/kpis?date=", "date"),
        ("/v1/trades/dates?limit=101", "limit"),
        ("/v1/metrics/dates?limit=0", "limit"),
        ("/v1/metrics/dates?cursor=nonsense", "cursor"),
        ("/v1/metrics/series", "kpi"),
        ("/v1/metrics/series?kpi=", "kpi"),
        ("/v1/metrics/series?kpi=g&limit=ten", "limit"),
        ("/v1/metrics/series?kpi=g&limit=2001", "limit"),
        ("/v1/metrics/series?kpi=g&from=soon", "from"),
        ("/v1/metrics/series?kpi=g&to=2026-02-11T10:00:00", "to"),
        ("/v1/metrics/extremes?kpi=g&side=high", "side"),
        ("/v1/metrics/extremes?kpi=g&limit=51", "limit"),
        ("/v1/metrics/portfolio-assets?limit=-1", "limit"),
        ("/v1/metrics/history", "date"),
        ("/v1/metrics/history?date=2026-02-11&cursor=MjAyNi0wMi0xMQ==", "cursor"),
        ("/v1/metrics/kpi-trend?kpi=g&from=2026-02-11T00:00:00Z", "from"),
    ],
)
def test_bad_parameters_are_named(client: FlaskClient, path: str, field: str) -> None:
    assert [detail["field"] for detail in get(client, path, 422)["details"]] == [field]


@pytest.mark.parametrize(
    "path",
    ["trades/latest", "metrics/daily", "metrics/kpis", "metrics/series?kpi=g", "metrics/extremes?kpi=g",
     "metrics/portfolio-assets", "metrics/history?date=2026-02-11", "metrics/kpi-trend?kpi=g"],
)  # fmt: skip
def test_no_data_is_not_found(client: FlaskClient, path: str) -> None:
    get(client, f"/v1/{path}", 404)


@pytest.mark.parametrize("path", ["trades/latest?", "metrics/kpis?", "metrics/series?kpi=g&", "metrics/extremes?kpi=g&",
                                  "metrics/portfolio-assets?", "metrics/history?"])  # fmt: skip
def test_an_unknown_date_is_not_found(book: FlaskClient, path: str) -> None:
    assert get(book, f"/v1/{path}date=2026-02-12", 404)["code"] == "NO_SNAPSHOT"


def test_an_unknown_kpi_is_not_found(book: FlaskClient) -> None:
    for path in ("series", "extremes"):
        assert get(book, f"/v1/metrics/{path}?kpi=nobody", 404)["code"] == "NO_KPI"
    assert get(book, "/v1/metrics/series?kpi=a")["points"] == []
    assert get(book, "/v1/metrics/extremes?kpi=a")["items"] == []


def test_health(client: FlaskClient) -> None:
    answer = get(client, "/v1/health")
    assert (answer["ok"], answer["version"]) == (True, VERSION)
    assert answer["time"].endswith("Z")
    away = create_app(load({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})).test_client()
    response = away.get("/v1/health")
    assert (response.status_code, jsontext.parse(response.get_data(as_text=True))["ok"]) == (503, False)


def test_the_routes_are_described(client: FlaskClient) -> None:
    paths: dict[str, Any] = get(client, "/openapi.json")["paths"]
    assert "requestBody" in paths["/v1/internal/trades/snapshot"]["post"]
    assert {parameter["name"] for parameter in paths["/v1/metrics/series"]["get"]["parameters"]} == {
        "date", "kpi", "from", "to", "limit",
    }  # fmt: skip
