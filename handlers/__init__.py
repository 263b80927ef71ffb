"""HTTP in, HTTP out: one file per resource."""

from flask_smorest import Blueprint

from handlers import docs, health, signals, trades

BLUEPRINTS: tuple[Blueprint, ...] = (
    health.blueprint,
    signals.blueprint,
    trades.blueprint,
    docs.blueprint,
)
