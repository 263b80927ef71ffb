"""HTTP in, HTTP out: one file per resource."""

from handlers import docs, governance, health, signals, trades
from handlers.blueprint import Blueprint

BLUEPRINTS: tuple[Blueprint, ...] = (
    health.blueprint,
    signals.blueprint,
    trades.blueprint,
    docs.blueprint,
    *governance.BLUEPRINTS,
)
