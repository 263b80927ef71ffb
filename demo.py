"""`./dev demo`: months of believable trades in a database of their own, for looking and for screenshots.

Made up and always the same, except that it ends today. Refuses a database that holds anything.
"""

import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import click
from flask import Flask

from database import analysis, migrate
from database.embedded import EmbeddedPostgres
from database.quarantine import Held
from database.receipts import Delivery, Outcome, insert_repeats
from database.signals import insert_events
from database.summaries import refresh
from errors import AlertbookError
from handlers import payloads
from handlers.delivery import PARSER_VERSION
from handlers.services import services
from settings import ROOT, load
from state import jsontext
from state.event import SignalEvent
from state.newyork import NEW_YORK
from web_server import create_app

DAYS: Final = 100
PEER: Final = "52.89.214.238"
BAR: Final = timedelta(minutes=5)

#: (strategy id, symbol, price, risk in points, drift of R per bar, trades a day, targets in R)
STRATEGIES: Final = (
    ("LIQUIDITY_SWEEP", "MNQ1!", 20500.0, 25.0, 0.011, 3, (1, 2, 3)),
    ("OPENING_RANGE", "MES1!", 5890.0, 6.0, 0.004, 2, (1, 2)),
    ("LONDON_FADE", "6E1!", 1.0840, 0.0009, -0.002, 1, (1, 3)),
)
SETUPS: Final = (("FVG_CORE", "HTF_ALIGNED"), ("FVG_CORE", "COUNTER_TREND"), ("SWEEP", "SESSION_HIGH"))
HOURS: Final = {"LIQUIDITY_SWEEP": (9, 10, 11, 13, 14), "OPENING_RANGE": (9, 10), "LONDON_FADE": (3, 4, 5)}


def main() -> None:
    """Fill the demo's database when it is empty, then become its server."""
    data_dir = Path(os.environ.setdefault("ALERTBOOK_DATA_DIR", str(ROOT / "data" / "demo")))
    postgres = EmbeddedPostgres(data_dir)
    url = postgres.start()
    try:
        migrate.apply(url)
        fill(url, data_dir)
    finally:
        postgres.stop()
    os.chdir(ROOT)
    os.environ["ALERTBOOK_MIGRATE_AT_START"] = "1"
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py")])


def fill(url: str, data_dir: Path) -> None:
    """Fill the database at `url`, which has every migration, unless it holds alerts already."""
    app = create_app(load({"DATABASE_URL": url, "ALERTBOOK_DATA_DIR": str(data_dir)}))
    with app.app_context():
        if analysis.any_alert(services().pool):
            click.echo("The demo's database is filled already.")
            return
        click.echo("Filling the demo's database (takes a minute, only this once) ...")
        fill_app(app)


def fill_app(app: Flask) -> None:
    """Fill the empty database of this application, within its context."""
    now = datetime.now(UTC)
    alerts(now)
    quarantined(now)
    refresh(services().pool)
    others(app, now)


def alerts(now: datetime) -> None:
    """All trades of all strategies, each alert received a moment after its own time."""
    chance = random.Random(20261120)
    today = now.astimezone(NEW_YORK).date()
    days = [today - timedelta(days=back) for back in range(DAYS, -1, -1)]
    bodies = [
        body
        for day in days
        for strategy in STRATEGIES
        for trade in range(strategy[5])
        for body in trade_alerts(chance, strategy, day, trade)
        if day.weekday() < 5 or day == today
    ]
    due = [(at, body) for at, body in bodies if at <= now]
    running = [body for strategy in STRATEGIES[:2] for body in open_alerts(strategy, now)]
    store([*due, *running], now)


def trade_alerts(
    chance: random.Random, strategy: tuple[Any, ...], day: date, place: int
) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """The alerts of one trade: entry, MFE updates on the way, break-even, exit."""
    name, symbol, price, risk, drift, _, targets = strategy
    hour = chance.choice(HOURS[name])
    start = NEW_YORK.localize(datetime.combine(day, time(hour, chance.randrange(0, 60, 5)))).astimezone(UTC)
    long = chance.random() < 0.55
    sign = 1 if long else -1
    trend = drift * (1.6 if hour in (9, 10) else 0.2)
    entry = round(price * (1 + chance.uniform(-0.012, 0.012)), 5 if price < 10 else 2)
    shared = {"schema_version": "1.0.0", "trade_id": f"{name}_{day:%Y%m%d}_{place + 1}", "symbol": symbol}
    digits = 5 if price < 10 else 2

    def at_r(r: float) -> float:
        return float(round(entry + sign * risk * r, digits))

    def alert(kind: str, at: datetime, **more: Any) -> tuple[datetime, dict[str, Any]]:
        stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return at, {**shared, "event_type": kind, "event_timestamp": stamp, **more}

    family, variant = chance.choice(SETUPS)
    yield alert(
        "ENTRY", start, direction="LONG" if long else "SHORT", timeframe="5", strategy_id=name,
        entry_price=entry, stop_loss=at_r(-1), targets={f"tp{i}_price": at_r(t) for i, t in enumerate(targets, 1)},
        setup={"setup_family": family, "setup_variant": variant},
    )  # fmt: skip
    r = best = worst = 0.0
    protected, stopped_at, exits_at_entry = False, None, name != "LIQUIDITY_SWEEP"
    for bar in range(1, 60):
        r += chance.gauss(trend, 0.28)
        best, worst = max(best, r), min(worst, r)
        at = start + bar * BAR
        if stopped_at is None and protected and r <= 0:
            stopped_at = best
        legs = {"be_mfe": round(best if stopped_at is None else stopped_at, 2), "no_be_mfe": round(best, 2)}
        if not protected and best >= 1:
            protected = True
            yield alert("BE_TRIGGERED", at, **legs)
        ended = _ended(r, best, protected and exits_at_entry, targets, bar)
        told = {**legs, "mae_global_R": round(worst, 2)}
        if ended:
            kind, at_exit = ended
            yield alert(kind, at + timedelta(seconds=7), exit_price=at_r(at_exit), final_mfe=round(best, 2), **told)
            return
        if bar % 3 == 0:
            yield alert("MFE_UPDATE", at, current_price=at_r(r), **told)


def _ended(r: float, best: float, protected: bool, targets: tuple[int, ...], bar: int) -> tuple[str, float] | None:
    if best >= targets[-1]:
        return "EXIT_TAKE_PROFIT", float(targets[-1])
    if protected and r <= 0:
        return "EXIT_BREAK_EVEN", 0.0
    if r <= -1:
        return "EXIT_STOP_LOSS", -1.0
    return ("EXIT_MANUAL", round(r, 2)) if bar == 59 else None


def open_alerts(strategy: tuple[Any, ...], now: datetime) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """The alerts of a trade that runs right now."""
    name, symbol, price, risk, *_ = strategy
    start = now - timedelta(minutes=40)
    shared = {"schema_version": "1.0.0", "trade_id": f"{name}_{start:%Y%m%d}_OPEN", "symbol": symbol}

    def alert(kind: str, minutes: int, **more: Any) -> tuple[datetime, dict[str, Any]]:
        at = start + timedelta(minutes=minutes)
        return at, {**shared, "event_type": kind, "event_timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"), **more}

    yield alert(
        "ENTRY", 0, direction="LONG", timeframe="5", strategy_id=name, entry_price=price, stop_loss=price - risk,
        targets={"tp1_price": price + risk, "tp2_price": price + 2 * risk},
        setup={"setup_family": "FVG_CORE", "setup_variant": "HTF_ALIGNED"},
    )  # fmt: skip
    for minutes, r in ((10, 0.3), (20, 0.7), (30, 0.6), (38, 0.9)):
        price_now = round(price + risk * r, 2)
        yield alert("MFE_UPDATE", minutes, current_price=price_now, be_mfe=r, no_be_mfe=max(r, 0.7), mae_global_R=-0.2)


def store(due: list[tuple[datetime, dict[str, Any]]], now: datetime) -> None:
    """Store alerts as if each had come a moment after its own time; some came twice."""
    chance, pool = random.Random(7), services().pool
    events: list[tuple[SignalEvent, Delivery]] = []
    for at, body in due:
        received = min(now, at + timedelta(milliseconds=round(400 + chance.expovariate(1 / 700))))
        exact = jsontext.parse(json.dumps(body))
        reading = payloads.read(exact, payloads.Context(received_at=received, naive_zone="America/New_York"))
        new = [(outcome, Delivery(received, PEER)) for outcome in reading.outcomes if isinstance(outcome, SignalEvent)]
        events += new
        if chance.random() < 0.02:
            events += [(event, Delivery(received + timedelta(seconds=9), PEER)) for event, _ in new]
    for first in range(0, len(events), 500):
        group = events[first : first + 500]
        with pool.transaction(timeout=60) as connection:
            places = insert_events(connection, [event for event, _ in group])
            told = [
                Outcome(event.trade_id, event.body_hash, place, delivery)
                for (event, delivery), place in zip(group, places, strict=True)
            ]
            insert_repeats(connection, told)
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE automated_signals SET created_at = received_at + random() * interval '6 ms' "
                    "WHERE created_at > received_at + interval '1 second'"
                )


def quarantined(now: datetime) -> None:
    """A few alerts that could not become events."""
    wrong = (
        (95, '{"trade_id": "LIQUIDITY_SWEEP_X1", "event_type": "ENTRYY", "direction": "LONG", "entry_price": 20512.5}'),
        (41, '{"trade_id": "OPENING_X2", "event_type": "ENTRY", "direction": "LONG", "entry_price": "{{close}}"}'),
        (12, "Order buy filled on MNQ1!"),
    )
    with services().pool.transaction() as connection:
        for minutes, raw in wrong:
            error = _fault_of(raw, now)
            Held(
                received_at=now - timedelta(minutes=minutes),
                peer=PEER,
                raw=raw.encode(),
                reason=error.code,
                message=error.message,
                details=error.details,
                payload_version=None,
                parser_version=PARSER_VERSION,
            ).insert(connection, per_peer=1000, total=1000)


def _fault_of(raw: str, now: datetime) -> AlertbookError:
    try:
        body = jsontext.parse(raw)
        payloads.read(body, payloads.Context(received_at=now, naive_zone="America/New_York"))
    except jsontext.JsonTextError as error:
        return AlertbookError(f"No JSON payload: {error}.", code="NOT_JSON")
    except AlertbookError as error:
        return error
    raise ValueError(f"nothing is wrong with {raw}")


def others(app: Flask, now: datetime) -> None:
    """What the other parts show, sent through the API like anybody's."""
    client = app.test_client()
    chance = random.Random(3)

    def post(path: str, body: Any) -> None:
        answer = client.post(path, json=body)
        if answer.status_code >= 400:
            raise click.ClickException(f"{path} answered {answer.status_code}: {answer.text[:300]}")

    records = list(script_records(chance, now))
    for first in range(0, len(records), 4000):
        lines = "\n".join(json.dumps(record) for record in records[first : first + 4000])
        answer = client.post("/api/v1/telemetry/ingest", data=lines)
        if (answer.json or {}).get("rejected") != []:
            raise click.ClickException(f"telemetry was refused: {answer.text[:300]}")
    for days, source, currency, amount, note in CAPITAL:
        body = {"source": source, "currency": currency, "amount": amount, "note": note}
        post("/api/capital/intake", body)
        with services().pool.transaction() as connection, connection.cursor() as cursor:
            cursor.execute(
                "UPDATE capital_intake SET created_at = %s WHERE id = (SELECT max(id) FROM capital_intake)",
                (now - timedelta(days=days),),
            )
    post("/api/capital/rates", {"currency": "USD", "rate": "1.37"})
    for day in range(20, -1, -1):
        post("/v1/internal/trades/snapshot", snapshot(chance, now - timedelta(days=day)))
    governed(post, chance)


#: (days ago, source, currency, amount, note)
CAPITAL: Final = (
    (90, "BROKER_A", "CAD", "25000.00", "opening"),
    (74, "BROKER_B", "USD", "10000.00", "opening"),
    (60, "BROKER_A", "CAD", "5000.00", None),
    (41, "BROKER_A", "CAD", "-2500.00", "monthly withdrawal"),
    (30, "BROKER_B", "USD", "1500.00", None),
    (11, "BROKER_A", "CAD", "-2500.00", "monthly withdrawal"),
    (4, "BROKER_A", "CAD", "3200.00", "profit swept in"),
)


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


def governed(post: Callable[[str, Any], None], chance: random.Random) -> None:
    """A day of the four levers: reservations granted and refused, trials, outcomes, a wire that has seen enough."""
    who = {"actor": "demo"}
    post("/api/governance/go-live/enable", {**who, "reason": "opening of the demo", "override": True})
    for engine, amount in (("WHOLESALE", 240), ("WHOLESALE", 120), ("CAPITAL", 300), ("CAPITAL", 9000), ("NOTIFY", 10)):
        request = {**who, "engine": engine, "amount": amount, "ttl_seconds": 86_400}
        post("/api/governance/risk/check-and-reserve", request)
    held = {**who, "engine": "WHOLESALE", "amount": 200, "reservation_id": "demo-1"}
    post("/api/governance/risk/check-and-reserve", held)
    spent = {"reservation_id": "demo-1", "filled_amount": 180, "realized_loss": 65}
    post("/api/governance/risk/settle", {**who, **spent})
    for _ in range(60):
        confidence = round(chance.uniform(0.7, 0.99), 2)
        trial = {**who, "domain": "BUYER_MATCH", "confidence": confidence, "success": chance.random() < confidence}
        post("/api/governance/heimdall/sandbox/trial", trial)
    advice = {"domain": "BUYER_MATCH", "recommendation": "follow up", "evidence": {}}
    for number in range(1, 41):
        confidence = round(chance.uniform(0.55, 0.98), 2)
        post("/api/governance/heimdall/recommend", {**who, **advice, "confidence": confidence})
        outcome = {**who, "success": chance.random() < confidence - 0.05, "followed": False}
        post(f"/api/governance/heimdall/recommendations/{number}/outcome", outcome)
    wire = {"domain": "WHOLESALE", "metric": "contract_rate", "enabled": True}
    post("/api/governance/regression/policies/upsert", {**who, **wire, "reason": "enough events"})
    kpis = [{"domain": "WHOLESALE", "metric": "contract_rate", "success": chance.random() < 0.9} for _ in range(260)]
    post("/api/governance/regression/kpi/batch", {**who, "events": kpis})


if __name__ == "__main__":
    main()
