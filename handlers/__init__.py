"""HTTP in, HTTP out: one file per resource."""

from handlers import docs, health, metrics, signals, snapshots, trades
from handlers.blueprint import Blueprint

BLUEPRINTS: tuple[Blueprint, ...] = (
    health.blueprint,
    signals.blueprint,
    trades.blueprint,
    snapshots.blueprint,
    metrics.blueprint,
    docs.blueprint,
)
