"""HTTP in, HTTP out: one file per resource."""

from handlers import docs, health, job_runs, signals, trades
from handlers.blueprint import Blueprint

BLUEPRINTS: tuple[Blueprint, ...] = (
    health.blueprint,
    signals.blueprint,
    trades.blueprint,
    job_runs.blueprint,
    docs.blueprint,
)
