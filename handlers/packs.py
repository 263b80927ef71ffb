"""The feature packs and a health check for each: what the go-live checklist means by "packs installed".

To add one: a line in PACKS. A check returns None, or a sentence that says what is wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass

from database.governance.go_live import missing_tables
from handlers.services import Services


@dataclass(frozen=True, slots=True)
class Pack:
    """A feature by its name, with a check that asks whether it works here."""

    name: str
    check: Callable[[Services], str | None]


def has_tables(*names: str) -> Callable[[Services], str | None]:
    """A check that these tables are there."""

    def check(services: Services) -> str | None:
        missing = missing_tables(services.pool, list(names))
        return f"tables are missing: {', '.join(missing)}" if missing else None

    return check


def builder_has_its_folder(services: Services) -> str | None:
    """The builder's tables, and the folder it may write to where one is set."""
    root = services.settings.builder_root
    if root is not None and not root.is_dir():
        return "BUILDER_ROOT names no folder"
    return has_tables("builder_tasks", "builder_events")(services)


PACKS: tuple[Pack, ...] = (
    Pack("signals", has_tables("automated_signals", "signal_window")),
    Pack("trades", has_tables("trade_summary", "trade_dirty")),
    Pack("intake", has_tables("quarantine", "receipt", "intake_hour")),
    Pack("notices", has_tables("notice", "notice_delivery")),
    Pack("jobs", has_tables("job_lease", "job_runs")),
    Pack("metrics_capital", has_tables("capital_intake", "telemetry_events", "capital_rates")),
    Pack("builder", builder_has_its_folder),
    Pack("research", has_tables("research_sources", "research_docs")),
    Pack("playbooks", has_tables("playbooks")),
    Pack("telemetry", has_tables("dd_telemetry_batch", "dd_trade_performance", "dd_equity_points")),
    Pack("snapshots", has_tables("metrics_daily", "metrics_daily_versions", "metrics_kpi_values")),
    Pack("go_live", has_tables("go_live_state", "governance_audit", "governance_audit_head")),
    Pack("risk_guard", has_tables("risk_policy", "risk_ledger_day", "risk_reservation", "risk_event")),
    Pack(
        "heimdall",
        has_tables("heimdall_policy", "heimdall_scorecard_day", "heimdall_recommendation", "heimdall_event"),
    ),
    Pack("tripwire", has_tables("regression_policy", "regression_state", "kpi_event")),
)
