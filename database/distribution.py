"""Where each table lies on a Citus cluster: one line per table, with the reason where it is not plain.

Whoever adds a table adds its line here. What is written with an alert is co-located by the trade, telemetry by its
profile; what must be exact for everybody at once (switches, caps, leases, audit) stays on the coordinator, where
its row locks are PostgreSQL's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Kind = Literal["distributed", "reference", "local"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table lies: by which column its rows are spread, and why."""

    kind: Kind
    why: str
    column: str | None = None


def _by_trade(why: str, column: str = "trade_id") -> Place:
    return Place("distributed", why, column)


def _by_profile(why: str) -> Place:
    return Place("distributed", why, "profile_id")


def _on_coordinator(why: str) -> Place:
    return Place("local", why)


_LOCKED: Final = "decides for everybody at once, under row locks of one server"
_BY_HAND: Final = "people add its rows: few"
_DAILY: Final = "a few thousand rows a day, replaced by the day in one transaction"

TABLES: Final[Mapping[str, Place]] = MappingProxyType(
    {
        # the first of each group is the one that the others are co-located with
        "automated_signals": _by_trade("every alert; a trade is always read whole"),
        "signal_window": _by_trade("claimed in the transaction that stores an alert"),
        "trade_dirty": _by_trade("marked by the statement that stores an alert"),
        "feed_pending": _by_trade("queued by the statement that stores an alert"),
        "feed": _by_trade("joined with the alert that it points to"),
        "trade_summary": _by_trade("folded from one stream's alerts", "stream_id"),
        "position_gap": _by_trade("folded from one stream's alerts", "stream_id"),
        "position_checkpoint": _by_trade("folded from one stream's alerts", "stream_id"),
        "position_stream": _by_trade("folded from one stream's alerts", "stream_id"),
        "dd_telemetry_batch": _by_profile("claims a profile's part of a batch"),
        "dd_api_latency": _by_profile("read for one profile"),
        "dd_breakout_signals": _by_profile("read for one profile"),
        "dd_equity_points": _by_profile("read for one profile"),
        "dd_order_metrics": _by_profile("read for one profile"),
        "dd_orders": _by_profile("read for one profile"),
        "dd_system_health": _by_profile("read for one profile"),
        "dd_telemetry_dirty": _by_profile("marked with the rows of a profile"),
        "dd_telemetry_metrics": _by_profile("computed from one profile's rows"),
        "dd_trade_performance": _by_profile("read for one profile"),
        # small, seldom written, and what reports join with alerts or telemetry on their workers
        "capital_rates": Place("reference", "what a currency is worth: joined by reports on every worker"),
        "capital_risk_profiles": Place("reference", "thresholds of sources: joined by reports on every worker"),
        "auth_failure": _on_coordinator("counts wrong keys per address for every web process at once"),
        "deleted_event": _on_coordinator("held row by row while it is put back; no more than people delete"),
        "trade_deletion": _on_coordinator(_BY_HAND),
        "quarantine": _on_coordinator("one body at a time is held by whoever replays it"),
        "receipt": _on_coordinator("what is no event has no trade for certain; a page of it is read by time"),
        "intake_hour": _on_coordinator("a few rows an hour"),
        "trade_tally": _on_coordinator("parts of the totals over all trades, put together now and then"),
        "result_day": _on_coordinator("a row a day"),
        "result_month": _on_coordinator("a row a month"),
        "result_day_dirty": _on_coordinator("marks of days, counted by one reader at a time"),
        "go_live_state": _on_coordinator(_LOCKED),
        "risk_policy": _on_coordinator(_LOCKED),
        "risk_ledger_day": _on_coordinator(_LOCKED),
        "risk_reservation": _on_coordinator(_LOCKED),
        "risk_event": _on_coordinator("written in the transaction of a reservation"),
        "governance_audit": _on_coordinator("one chain, numbered under the lock of its head"),
        "governance_audit_head": _on_coordinator(_LOCKED),
        "heimdall_policy": _on_coordinator(_BY_HAND),
        "heimdall_scorecard_day": _on_coordinator("added to under row locks"),
        "heimdall_recommendation": _on_coordinator("used once, under its row lock"),
        "heimdall_event": _on_coordinator("written with a recommendation"),
        "kpi_event": _on_coordinator("the newest of a metric are read in order, for a wire that acts once"),
        "regression_policy": _on_coordinator(_BY_HAND),
        "regression_state": _on_coordinator(_LOCKED),
        "job_lease": _on_coordinator(_LOCKED),
        "job_runs": _on_coordinator("a few rows a day"),
        "notice": _on_coordinator("one per fact, written in the fact's transaction"),
        "notice_delivery": _on_coordinator("one worker at a time holds a delivery"),
        "capital_intake": _on_coordinator(_BY_HAND),
        "telemetry_events": _on_coordinator("has no profile; read by time and kind"),
        "row_count": _on_coordinator("one row per table that is counted"),
        "builder_tasks": _on_coordinator(_BY_HAND),
        "builder_events": _on_coordinator(_BY_HAND),
        "research_sources": _on_coordinator(_BY_HAND),
        "research_docs": _on_coordinator(_BY_HAND),
        "playbooks": _on_coordinator(_BY_HAND),
        "metrics_daily": _on_coordinator(_DAILY),
        "metrics_daily_versions": _on_coordinator(_DAILY),
        "metrics_extremes_items": _on_coordinator(_DAILY),
        "metrics_kpi_values": _on_coordinator(_DAILY),
        "metrics_portfolio_assets": _on_coordinator(_DAILY),
        "metrics_series_points": _on_coordinator(_DAILY),
    }
)


def tables(kind: Kind) -> list[str]:
    """The names of all tables of a kind, in the order in which they are to be made."""
    return [name for name, place in TABLES.items() if place.kind == kind]


def anchor(name: str) -> str | None:
    """The table that a distributed one is co-located with; None when it is the first of its group."""
    by_profile = TABLES[name].column == "profile_id"
    first = next(one for one in tables("distributed") if (TABLES[one].column == "profile_id") == by_profile)
    return None if first == name else first
