"""HTTP in, HTTP out: one file per resource."""

from handlers import (
    builder,
    capital,
    capital_jobs,
    counts,
    database_admin,
    docs,
    governance,
    health,
    intake,
    job_runs,
    notices,
    playbooks,
    quarantine,
    research,
    signals,
    telemetry_events,
    trades,
)
from handlers.blueprint import Blueprint

BLUEPRINTS: tuple[Blueprint, ...] = (
    health.blueprint,
    signals.blueprint,
    trades.blueprint,
    quarantine.blueprint,
    intake.blueprint,
    counts.blueprint,
    telemetry_events.blueprint,
    capital.blueprint,
    capital_jobs.blueprint,
    builder.blueprint,
    job_runs.blueprint,
    notices.blueprint,
    research.blueprint,
    playbooks.blueprint,
    database_admin.blueprint,
    *governance.BLUEPRINTS,
    docs.blueprint,
)
