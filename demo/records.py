"""Made-up telemetry of a trading script, and daily snapshots."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any


def script_records(chance: random.Random, now: datetime) -> Iterator[dict[str, Any]]:
    """A month of one script's telemetry: signals, outcomes, equity, orders, latency, health."""
    equity = 50_000.0
    for day in range(30, -1, -1):
        base = (now - timedelta(days=day)).replace(hour=14, minute=30, second=0, microsecond=0)
        if base.weekday() >= 5:
            continue
        for trade in range(4):
            at = base + timedelta(minutes=45 * trade + chance.randrange(20))
            ended = at + timedelta(minutes=chance.randrange(4, 40))
            if ended > now:
                continue
            entry = round(5890 + chance.gauss(0, 20), 2)
            signal = round(entry - chance.uniform(0, 0.75), 2)
            won = chance.random() < 0.54
            exit_price = round(entry + (chance.uniform(2, 12) if won else -chance.uniform(2, 8)), 2)
            shared = {"profile_id": 1, "symbol": "MES"}
            yield {
                **shared, "kind": "breakout_signal", "timestamp": at.isoformat(), "direction": "LONG",
                "bar_strength": round(chance.uniform(0.4, 0.95), 2), "close_price": signal, "candle_size": 4.25,
                "volume": chance.randrange(800, 4000),
            }  # fmt: skip
            yield {
                **shared, "kind": "breakout_outcome", "timestamp": ended.isoformat(), "entry_time": at.isoformat(),
                "exit_time": ended.isoformat(), "entry_price": entry, "exit_price": exit_price, "quantity": 2,
                "signal_price": signal, "multiplier": 5, "exit_reason": "target" if won else "stop",
            }  # fmt: skip
            order = {
                **shared, "kind": "order", "script_name": "breakout.py", "order_id": f"{day}-{trade}",
                "order_type": "limit", "side": "buy", "quantity": 2, "limit_price": entry,
            }  # fmt: skip
            filled = chance.random() < 0.86
            yield {
                **order,
                "timestamp": at.isoformat(),
                "status": "pending",
                "api_latency_ms": chance.randrange(40, 190),
            }
            more = {"filled_price": entry, "filled_quantity": 2, "slippage": 0.25} if filled else {}
            at_end = (at + timedelta(seconds=chance.randrange(1, 20))).isoformat()
            yield {**order, **more, "timestamp": at_end, "status": "filled" if filled else "canceled"}
            equity += (exit_price - entry) * 10
            yield {
                "kind": "equity", "profile_id": 1, "timestamp": ended.isoformat(), "account_equity": round(equity, 2),
                "unrealized_pnl": round(chance.gauss(0, 60), 2), "realized_pnl": round(equity - 50_000, 2),
                "margin_used": 2400, "margin_available": round(equity - 2400, 2), "open_positions_count": 1,
            }  # fmt: skip
    for second in range(0, 3000, 20):
        asked = (now - timedelta(seconds=second)).isoformat()
        name = ("breakout.py", "risk_guard.py")[second // 20 % 2]
        spent = round(chance.lognormvariate(4.3, 0.4), 1)
        yield {"kind": "latency", "profile_id": 1, "timestamp": asked, "script_name": name, "latency_ms": spent}
    for name, status in (("breakout.py", "healthy"), ("risk_guard.py", "degraded")):
        yield {
            "kind": "health", "profile_id": 1, "timestamp": now.isoformat(), "script_name": name, "status": status,
            "api_rate_limit_remaining": 172, "api_rate_limit_limit": 200, "error_count": 0, "warning_count": 1,
        }  # fmt: skip


def snapshot(chance: random.Random, at: datetime) -> dict[str, Any]:
    """One day's snapshot."""
    value, points = 0.0, []
    start = at.replace(hour=14, minute=30, second=0, microsecond=0)
    for step in range(26):
        value += chance.gauss(25, 160)
        points.append({"t": (start + timedelta(minutes=15 * step)).isoformat(), "v": round(value, 2)})
    trades = [
        {"trade_id": 100 + place, "symbol": symbol, "contract_name": f"{symbol} 270115C{strike}"}
        for place, (symbol, strike) in enumerate((("AAPL", 260), ("NVDA", 210), ("TSLA", 420), ("AMD", 230)))
    ]
    items: list[dict[str, Any]] = [
        {
            **one,
            "metric_raw": round(chance.gauss(0, 300), 2),
            "individual_pnl": round(chance.gauss(0, 300), 2),
            "qty": 2,
        }
        for one in trades
    ]
    items.sort(key=lambda item: -item["metric_raw"])
    return {
        "date": f"{at:%Y-%m-%d}",
        "updated_at": at.isoformat(),
        "headline": f"Net of the day {value:+,.2f} USD over 26 points",
        "rows": [
            {"kpi": "Daily PnL", "value": f"${value:,.2f}"},
            {"kpi": "Win rate", "value": f"{chance.uniform(45, 65):.1f}%"},
            {"kpi": "Open positions", "value": "4"},
            {"kpi": "Mean holding time", "value": "2h 14m"},
        ],
        "overlay": {
            "seriesByKpi": {"Daily PnL": points},
            "extremes": {"byKpi": {"Daily PnL": {"hi": items[:2], "lo": items[:1:-1]}}},
            "portfolioAssets": trades,
        },
    }
