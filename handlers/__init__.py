"""HTTP in, HTTP out: one file per resource."""

from handlers import docs, governance, health, intake, quarantine, signals, trades
from handlers.blueprint import Blueprint

BLUEPRINTS: tuple[Blueprint, ...] = (
    health.blueprint,
    signals.blueprint,
    trades.blueprint,
    quarantine.blueprint,
    intake.blueprint,
    docs.blueprint,
    *governance.BLUEPRINTS,
)
