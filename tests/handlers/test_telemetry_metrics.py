"""The metrics' contracts: exact fields, hand calculations, nulls without data, whole windows."""

from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from settings import load
from state import jsontext
from tests.conftest import run_sql
from tests.handlers.telemetry_helpers import (
    ago,
    equity,
    health,
    latency,
    order,
    outcome,
    read,
    signal,
    take,
)
from web_server import create_app


def test_breakouts(client: FlaskClient) -> None:
    take(
        client,
        *[signal() for _ in range(5)],
        outcome(100, 110, quantity=2, signal_price=99, metadata={"exit_reason": "profit_target"}),
        outcome(100, 95, signal_price=100, exit_reason="stop_loss"),
        outcome(100, 100, signal_price=104, exit_reason="time_based"),
        outcome(100, 90, side="short", multiplier=100, exit_reason="profit_target", direction="downward"),
    )
    found = read(client, "metrics/breakout/1?days=7")
    assert (found["profile_id"], found["total_signals"], found["total_trades"]) == (1, 5, 4)
    assert (found["profitable_trades"], found["losing_trades"], found["breakeven_trades"]) == (2, 1, 1)
    assert found["success_rate"] == 50
    assert found["avg_profit_per_trade"] == Decimal("253.75")  # (20 - 5 + 0 + 1000) / 4
    assert (found["avg_win"], found["avg_loss"]) == (510, -5)
    # (1/99 + 0 - 4/104) / 3: what cost nothing counts, what told no signal's price does not
    assert float(found["avg_slippage"]) == pytest.approx((1 / 99 - 4 / 104) / 3)
    reasons = {group["exit_reason"]: group for group in found["by_exit_reason"]}
    assert reasons["profit_target"]["total_pnl"] == 1020
    assert reasons["time_based"]["success_rate"] == 0
    assert sum(group["total_trades"] for group in found["by_hour"]) == 4
    assert all(0 <= group["hour"] <= 23 for group in found["by_hour"])


def test_pnl_is_negated_only_by_the_side(client: FlaskClient) -> None:
    take(
        client,
        outcome(100, 90, direction="downward", symbol="SPY241220P00720000"),
        outcome(100, 90, side="SHORT"),
        outcome(100, 90, metadata={"side": "short", "multiplier": 50}),
    )
    assert sorted(trade["pnl"] for trade in read(client, "trades/1")) == [-10, 10, 500]


def test_equity(client: FlaskClient) -> None:
    points = [100, 120, 90, 150, 140]
    take(client, *[equity(value, 50 - place) for place, value in enumerate(points)])
    take(client, equity(130, 5, margin_used=195, unrealized_pnl="-1.5", realized_pnl="0.25"))
    found = read(client, "metrics/equity/1")
    assert (found["current_equity"], found["total_pnl"]) == (130, Decimal("-1.25"))
    assert (found["unrealized_pnl"], found["realized_pnl"]) == (Decimal("-1.5"), Decimal("0.25"))
    assert found["margin_utilization_pct"] == 150
    # the fall from 120 to 90 is the largest although a higher peak came later
    assert (found["max_drawdown"], found["max_drawdown_pct"]) == (30, 25)
    assert (found["peak_equity"], found["as_of"]) == (150, ago(5))
    assert float(found["current_drawdown_pct"]) == pytest.approx(100 * 20 / 150)
    assert [point["equity"] for point in found["series"]] == [*points, 130]


def test_the_latest_equity_is_by_its_own_time(client: FlaskClient) -> None:
    take(client, equity(200, 5))
    take(client, equity(100, 6))
    assert read(client, "metrics/equity/1")["current_equity"] == 200


def test_an_old_equity_point_is_current_but_outside_the_window(client: FlaskClient) -> None:
    take(client, equity(200, 60 * 24 * 3))
    found = read(client, "metrics/equity/1?days=1")
    assert (found["current_equity"], found["max_drawdown"], found["series"]) == (200, None, [])
    assert read(client, "metrics/equity/1?days=7")["max_drawdown"] == 0


def test_a_long_curve_keeps_every_drawdown(client: FlaskClient) -> None:
    values = [1000 + place for place in range(3000)]
    values[1234] = 10
    for start in range(0, 3000, 1000):
        take(client, *[equity(v, 3000 - start - n) for n, v in enumerate(values[start : start + 1000])])
    found = read(client, "metrics/equity/1")
    assert len(found["series"]) == 500
    assert found["max_drawdown"] == 1000 + 1233 - 10
    assert min(point["low"] for point in found["series"]) == 10
    assert found["series"][-1]["equity"] == 3999


def test_orders(client: FlaskClient) -> None:
    take(client, order("a", "filled", 5, slippage="0.01"), order("a", "pending", 8, api_latency_ms=30))
    take(client, order("b", "canceled", 5), order("b", "pending", 6), order("c", "expired", 4))
    take(client, order("d", "converted", 3), order("e", "pending", 2), order(None, "pending"))
    take(client, latency(10), latency(10), latency(30, script="other"))
    found = read(client, "metrics/orders/1")
    counts = ("total_orders", "filled_orders", "canceled_orders", "expired_orders", "converted_orders", "open_orders")
    assert [found[name] for name in counts] == [5, 1, 1, 1, 1, 1]
    assert (found["conversion_rate"], found["fill_rate"]) == (20, 20)
    assert (found["avg_api_latency_ms"], found["avg_slippage"]) == (20, Decimal("0.01"))
    assert found["time_to_fill"] == {"p50": 180, "p95": 180, "sample_count": 1}
    assert found["records_without_order_id"] == 1


def test_orders_of_one_script(client: FlaskClient) -> None:
    take(client, order("a", "pending", script_name="s1", api_latency_ms=4), order("a", "filled", 9))
    take(client, order("b", "pending", metadata={"script_name": "s2"}))
    found = read(client, "metrics/orders/1?script_name=s1")
    assert (found["total_orders"], found["filled_orders"], found["avg_api_latency_ms"]) == (1, 1, 4)
    assert read(client, "metrics/orders/1?script_name=s2")["total_orders"] == 1
    assert read(client, "metrics/orders/1?script_name=s3")["total_orders"] == 0


def test_systems(client: FlaskClient) -> None:
    take(client, *[latency(value, script="b") for value in range(1, 101)], latency(9999, 61, script="b"))
    take(client, health(3, "a", status="degraded", api_latency_avg_ms="7.5", error_count=2, warning_count=3))
    take(client, health(4, "a", api_rate_limit_remaining=1), health(0, "c", api_rate_limit_limit=200))
    a, b, c = read(client, "metrics/system/1")
    assert (a["script_name"], a["status"], a["error_count"], a["warning_count"]) == ("a", "degraded", 2, 3)
    assert (a["api_latency_avg_ms"], a["api_latency_p95_ms"], a["sample_count"]) == (Decimal("7.5"), None, 0)
    assert (b["script_name"], b["status"], b["sample_count"], b["last_seen"]) == ("b", None, 100, ago(10))
    assert (b["api_latency_avg_ms"], b["api_latency_p50_ms"]) == (Decimal("50.5"), 50)
    assert (b["api_latency_p95_ms"], b["api_latency_p99_ms"]) == (95, 99)
    assert (a["stale"], b["stale"], c["stale"]) == (False, True, False)
    assert c["rate_limit_limit"] == 200
    assert [one["script_name"] for one in read(client, "metrics/system/1?script_name=b")] == ["b"]


def test_equal_latencies_do_not_collapse(client: FlaskClient) -> None:
    take(client, *[latency(5) for _ in range(99)], latency(1000))
    (found,) = read(client, "metrics/system/1")
    assert (found["sample_count"], found["api_latency_p95_ms"]) == (100, 5)
    assert found["api_latency_avg_ms"] == Decimal("14.95")


def test_performance(client: FlaskClient) -> None:
    results = [10, -5, 0, 20, -15]
    take(client, *[outcome(100, 100 + result, 50 - place) for place, result in enumerate(results)])
    found = read(client, "trades/1/performance")
    assert (found["total_trades"], found["winning_trades"], found["losing_trades"]) == (5, 2, 2)
    assert (found["total_pnl"], found["avg_pnl"], found["expectancy"], found["win_rate"]) == (10, 2, 2, 40)
    assert (found["avg_win"], found["avg_loss"], found["profit_factor"]) == (15, -10, Decimal("1.5"))
    assert (found["max_drawdown"], found["sample_size"]) == (15, 5)
    assert found["win_rate_interval_95"]["low"] < 40 < found["win_rate_interval_95"]["high"]
    assert found["expectancy_interval_95"]["low"] < 2 < found["expectancy_interval_95"]["high"]
    assert found["annualisation"] == "none: per trade"


def test_a_loss_from_the_start_is_a_drawdown(client: FlaskClient) -> None:
    take(client, outcome(100, 90, 9), outcome(100, 95, 8))
    assert read(client, "trades/1/performance")["max_drawdown"] == 15


@pytest.mark.parametrize(
    ("path", "nothing"),
    [
        ("metrics/breakout/9", {"total_signals": 0, "total_trades": 0, "profitable_trades": 0, "losing_trades": 0}),
        ("metrics/equity/9", {"series": []}),
        ("metrics/orders/9", {"total_orders": 0, "filled_orders": 0, "time_to_fill": None}),
        ("trades/9/performance", {"total_trades": 0, "sample_size": 0, "winning_trades": 0, "losing_trades": 0}),
    ],
)
def test_an_unknown_profile_has_nulls(client: FlaskClient, path: str, nothing: dict[str, Any]) -> None:
    found = read(client, path)
    assert found.pop("profile_id") == 9
    known = {"days", "annualisation", "script_name", "api_calls", "breakeven_trades", "open_orders", "by_hour"}
    known |= {"by_exit_reason", "canceled_orders", "expired_orders", "converted_orders", "rejected_orders"}
    known |= {"records_without_order_id"}
    for name, value in found.items():
        if name in nothing and nothing[name] is not None:
            assert value == nothing[name]
        elif name not in known and name not in nothing:
            assert value is None, name


def test_an_unknown_profile_has_empty_lists(client: FlaskClient) -> None:
    assert read(client, "metrics/system/9") == []
    assert read(client, "trades/9") == []


PATHS = ("metrics/breakout/1", "metrics/equity/1", "metrics/orders/1", "trades/1", "trades/1/performance")


def refusal(client: FlaskClient, path: str) -> tuple[int, str]:
    """The status and the field that an answer blames."""
    response = client.get(f"/api/v1/{path}")
    details = jsontext.parse(response.get_data(as_text=True))["details"]
    return response.status_code, details[0]["field"]


@pytest.mark.parametrize("path", PATHS)
def test_days_outside_their_bounds(client: FlaskClient, path: str) -> None:
    for days in ("0", "366", "-1", "week", "1.5", ""):
        assert refusal(client, f"{path}?days={days}") == (422, "days")


@pytest.mark.parametrize("path", [*PATHS, "metrics/system/1"])
def test_a_profile_that_is_no_number(client: FlaskClient, path: str) -> None:
    for profile in ("abc", "-1", "1.5", "9" * 20, "1_0", "１"):
        assert refusal(client, path.replace("/1", f"/{profile}")) == (422, "profile_id")


def test_pages_outside_their_bounds(client: FlaskClient) -> None:
    for limit in ("0", "1001", "all"):
        assert refusal(client, f"trades/1?limit={limit}") == (422, "limit")
    # not base64, no time, and a row number that is none
    for place in ("x", "MXwx", "MjAyNi0wMS0wMVQwMDowMDowMCswMDowMHx4eA=="):
        assert refusal(client, f"trades/1?cursor={place}") == (422, "cursor")


def test_pages_of_trades(client: FlaskClient) -> None:
    take(client, *[outcome(100, 100 + place, 50, symbol="SPY" if place % 2 else "QQQ") for place in range(25)])
    seen: list[Decimal] = []
    path = "/api/v1/trades/1?limit=10"
    while path:
        response = client.get(path)
        page = jsontext.parse(response.get_data(as_text=True))
        assert isinstance(page, list)
        seen.extend(trade["pnl"] for trade in page)
        following = response.headers.get("X-Next-Cursor")
        path = f"/api/v1/trades/1?limit=10&cursor={following}" if following else ""
    # all were entered at the same instant: the order is total all the same
    assert seen == list(range(24, -1, -1))
    assert len(read(client, "trades/1?symbol=SPY")) == 12
    assert read(client, "trades/1?symbol=SP") == []


def test_a_trade_keeps_its_metadata_as_an_object(client: FlaskClient) -> None:
    take(client, outcome(100, 101, metadata={"note": "ü", "deep": {"n": [1, "0.10"]}}), outcome(1, 2, 5))
    newest, oldest = read(client, "trades/1")
    assert newest["metadata"] == {}
    assert oldest["metadata"] == {"note": "ü", "deep": {"n": [1, "0.10"]}}
    assert isinstance(oldest["id"], int)


def test_windows_are_by_entry_and_whole(client: FlaskClient, database_url: str) -> None:
    day = 60 * 24
    take(client, outcome(100, 101, 2 * day, exit_time=ago(1)), outcome(100, 103, 1))
    assert read(client, "trades/1/performance?days=1")["total_pnl"] == 3
    assert read(client, "metrics/breakout/1?days=3")["total_trades"] == 2
    run_sql(
        database_url,
        "INSERT INTO dd_trade_performance (profile_id, symbol, trade_type, side, entry_price, exit_price, quantity,"
        " multiplier, pnl, entry_time, exit_time, duration_seconds, source, created_at) SELECT 2, 'S', 'breakout',"
        " 'long', 1, 2, 1, 1, 1, now() - n * interval '1 second', now(), 1, 'telemetry', now()"
        " FROM generate_series(1, 3000) AS n",
    )
    assert read(client, "trades/2/performance")["total_pnl"] == 3000
    assert read(client, "metrics/breakout/2")["total_trades"] == 3000


def test_reads_need_the_key(database_url: str) -> None:
    client = create_app(load({"DATABASE_URL": database_url, "API_KEY": "api-key-12345"})).test_client()
    for path in (*PATHS, "metrics/system/1"):
        assert client.get(f"/api/v1/{path}").status_code == 401
        assert client.get(f"/api/v1/{path}", headers={"X-API-Key": "api-key-12345"}).status_code == 200
