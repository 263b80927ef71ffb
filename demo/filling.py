"""Fills an empty database with months of believable trades, telemetry, capital and snapshots."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
from flask import Flask

from database.quarantine import Held
from database.receipts import Delivery, Outcome, insert_repeats
from database.signals import insert_events
from database.summaries import refresh
from demo.records import script_records, snapshot
from demo.trades import Alert, alerts
from errors import AlertbookError
from handlers import payloads
from handlers.delivery import PARSER_VERSION
from handlers.services import services
from state import jsontext
from state.event import SignalEvent

PEER: Final = "52.89.214.238"


def fill_app(app: Flask) -> None:
    """Fill the empty database of this application, within its context."""
    now = datetime.now(UTC)
    store(alerts(now), now)
    quarantined(now)
    refresh(services().pool)
    others(app, now)


def store(due: list[Alert], now: datetime) -> None:
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
