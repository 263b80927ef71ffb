"""How intake is doing: deliveries, latencies, spool, quarantine, silence; the same for Prometheus."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import marshmallow as ma
from flask import Response
from marshmallow import fields, validate
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from database import intake
from errors import AlertbookError, DatabaseError, Unavailable
from handlers.blueprint import Blueprint
from handlers.middleware import metrics
from handlers.middleware.access import Role, access
from handlers.middleware.answers import answer
from handlers.queries import Instant, RowPageQuery, cursor
from handlers.services import services
from state.cadence import KNOWN_DAYS, rhythm

blueprint = Blueprint("intake", __name__, description="How intake is doing.")

KINDS: Final = ("first", "resend", "repeat", "replay", "quarantined", "refused")
_QUANTILES: Final = ("p50", "p95", "p99")


class HoursQuery(ma.Schema):
    """How far back."""

    hours = fields.Integer(load_default=24, validate=validate.Range(1, 24 * 7))


class ReceiptsQuery(RowPageQuery):
    """Which receipts."""

    kind = fields.String(load_default=None, validate=validate.OneOf(["repeat", "replay", "refused"]))
    since = Instant(data_key="from", load_default=None)


@blueprint.get("/api/v1/intake")
@access(Role.READ)
@blueprint.arguments(HoursQuery, location="query")
def show_intake(query: dict[str, Any]) -> Response:
    """Deliveries by hour and kind, latencies in milliseconds, spool, quarantine, the last alert of each strategy.

    Kinds: `first` new events, `resend` the same body 4 to 20 s after we answered it with an error of ours, `repeat`
    stored before, `replay` out of quarantine, `quarantined`, `refused` with a row of their own; further names count
    what nobody let in, of which nothing else is kept.
    """
    return answer(numbers(query["hours"]))


@blueprint.get("/api/v1/intake/receipts")
@access(Role.READ)
@blueprint.arguments(ReceiptsQuery, location="query")
def list_receipts(query: dict[str, Any]) -> Response:
    """Deliveries that did not become a new event and are not in quarantine, newest first."""
    limit = query["limit"]
    page = intake.select_receipts(
        services().pool, kind=query["kind"], since=query["since"], before=query["cursor"], limit=limit + 1
    )
    more = cursor(page[limit - 1].received_at, page[limit - 1].id) if len(page) > limit else None
    return answer({"items": [dict(row._asdict()) for row in page[:limit]], "next_cursor": more})


@blueprint.get("/api/v1/intake/silence")
@access(Role.READ)
def show_silence() -> Response:
    """Strategies that have fallen silent by their own rhythm, and those near TradingView's stop of busy alerts.

    TradingView stops an alert that triggers more than 15 times in 3 minutes; from 12 on there is a warning.
    """
    return answer(silence(datetime.now(UTC)))


def silence(now: datetime) -> dict[str, Any]:
    """Each strategy's rhythm, as `/api/v1/intake/silence` answers it."""
    items = []
    for row in intake.select_cadence(services().pool, since=now - timedelta(days=KNOWN_DAYS)):
        beat = rhythm(row.times, now)
        warning = "close to TradingView's stop: more than 15 triggers in 3 minutes" if beat.near_stop else None
        facts = {name: getattr(beat, name) for name in beat.__dataclass_fields__}
        items.append({"strategy": row.strategy, "symbol": row.symbol, **facts, "warning": warning})
    return {"items": items, "silent": sum(item["silent"] for item in items), "timestamp": now}


def numbers(hours: int) -> dict[str, Any]:
    """The numbers of the last hours, as `/api/v1/intake` answers them."""
    here, now = services(), datetime.now(UTC)
    found = intake.select_numbers(here.pool, since=now - timedelta(hours=hours))
    by_hour: dict[datetime, dict[str, int]] = {}
    for hour, kind, deliveries in found["hours"]:
        counts = by_hour.setdefault(hour, dict.fromkeys(KINDS, 0))
        counts[kind] = counts.get(kind, 0) + deliveries
    totals: dict[str, int] = dict.fromkeys(KINDS, 0)
    for counts in by_hour.values():
        for kind, count in counts.items():
            totals[kind] = totals.get(kind, 0) + count
    return {
        "hours": [{"hour": hour, **counts} for hour, counts in sorted(by_hour.items())],
        "totals": totals,
        "latency_ms": {
            "alert_to_receipt": _quantiles(found["latencies"].to_receipt, found["latencies"].to_receipt_n),
            "receipt_to_commit": _quantiles(found["latencies"].to_commit, found["latencies"].to_commit_n),
        },
        "spool": spool_state(),
        "quarantine": {"waiting": found["waiting"].waiting, "oldest": found["waiting"].oldest},
        "last_alerts": [row._asdict() for row in found["last"]],
        "timestamp": now,
    }


def _quantiles(values: list[float] | None, count: int) -> dict[str, Any]:
    rounded: list[float | None] = [round(value, 1) for value in values or ()]
    rounded = rounded or [None] * len(_QUANTILES)
    return {**dict(zip(_QUANTILES, rounded, strict=True)), "n": count}


def spool_state() -> dict[str, Any]:
    """{state: on, off or unusable, depth, oldest} of this machine's spool."""
    here = services()
    if here.settings.spool_dir is None:
        return {"state": "off", "depth": 0, "oldest": None}
    try:
        depth = here.spool.depth()
    except AlertbookError:
        return {"state": "unusable", "depth": None, "oldest": None}
    return {"state": "on", "depth": depth.count, "oldest": depth.oldest}


Sample = tuple[str, dict[str, str], float]

_PLAIN_METRICS: Final = {
    "alertbook_database_up": "Whether the numbers that the database holds could be read",
    "alertbook_deliveries": "Deliveries of the last 24 hours by kind",
    "alertbook_latency_ms": "Latency quantiles of the last 24 hours in milliseconds",
    "alertbook_spool_depth": "Deliveries waiting in the spool",
    "alertbook_spool_oldest_seconds": "Age of the oldest delivery in the spool",
    "alertbook_quarantine_waiting": "Bodies waiting in quarantine",
    "alertbook_last_alert_timestamp_seconds": "Time of the last alert of each strategy",
}


def samples() -> list[Sample]:
    """The numbers as (metric, labels, value), for Prometheus; of the spool alone while the database is away."""
    try:
        found = numbers(24)
    except (DatabaseError, Unavailable):
        return [("alertbook_database_up", {}, 0.0), *_spool_samples(spool_state(), datetime.now(UTC))]
    return [
        ("alertbook_database_up", {}, 1.0),
        *_spool_samples(found["spool"], found["timestamp"]),
        *_stored_samples(found),
    ]


def _spool_samples(spool: dict[str, Any], now: datetime) -> list[Sample]:
    if spool["depth"] is None:
        return []
    age = (now - spool["oldest"]).total_seconds() if spool["oldest"] else 0.0
    return [("alertbook_spool_depth", {}, float(spool["depth"])), ("alertbook_spool_oldest_seconds", {}, age)]


def _stored_samples(found: dict[str, Any]) -> list[Sample]:
    rows: list[Sample] = [
        ("alertbook_deliveries", {"kind": kind}, float(count)) for kind, count in found["totals"].items()
    ]
    for stage, quantiles in found["latency_ms"].items():
        for name in _QUANTILES:
            if quantiles[name] is not None:
                rows.append(("alertbook_latency_ms", {"stage": stage, "quantile": name}, float(quantiles[name])))
    rows.append(("alertbook_quarantine_waiting", {}, float(found["quarantine"]["waiting"])))
    for row in found["last_alerts"]:
        last = row["last_received_at"].timestamp()
        rows.append(("alertbook_last_alert_timestamp_seconds", {"strategy": row["strategy"]}, last))
    return rows


@blueprint.get("/metrics")
@access(Role.READ)
def show_metrics() -> Response:
    """The numbers of intake and of all requests, in Prometheus' text format."""
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    for name, labels, value in samples():
        if name not in gauges:
            gauges[name] = Gauge(name, _PLAIN_METRICS[name], list(labels), registry=registry)
        (gauges[name].labels(**labels) if labels else gauges[name]).set(value)
    text = generate_latest(registry) + metrics.exposition()
    return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")
