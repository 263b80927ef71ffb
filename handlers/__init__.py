"""HTTP in, HTTP out: one file per resource."""

from handlers import docs, health, signals, telemetry, telemetry_metrics, trades
from handlers.blueprint import Blueprint

BLUEPRINTS: tuple[Blueprint, ...] = (
    health.blueprint,
    signals.blueprint,
    trades.blueprint,
    telemetry.blueprint,
    telemetry_metrics.blueprint,
    docs.blueprint,
)
