"""The facts of the Monday review, gathered in one place for the API and for `deploy.py review`."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from database.governance import audit, go_live, heimdall, regression, risk
from database.pool import Pool
from database.queries import QUERIES
from state.governance import review

WEEK: Final = timedelta(days=7)


def select_review(pool: Pool, zone: str) -> dict[str, Any]:
    """Switches, today's ledger and scorecard, wires, a week of denials and breaches, and a verdict with reasons."""
    now = datetime.now(UTC)
    since = now - WEEK
    with pool.transaction() as connection:
        denials = {row.reason: row.denials for row in QUERIES.risk.select_denials(connection, since=since)}
        stale = [row._asdict() for row in QUERIES.risk.select_stale_reservations(connection)]
        breaches = [row._asdict() for row in QUERIES.risk.select_breaches(connection, since=since)]
        trips = review.trips([tuple(row) for row in QUERIES.audit.select_trips(connection, since=since)])
    facts: dict[str, Any] = {
        "generated_at": now,
        "go_live": go_live.select_switches(pool).as_dict(),
        "ledger_today": risk.select_today(pool, zone),
        "regression": regression.select_states(pool),
        "scorecard_today": heimdall.select_scorecards(pool, zone),
        "denials": denials,
        "stale_reservations": stale,
        "breaches": breaches,
        "trips": trips,
        "mean_seconds_to_reenable": review.mean_seconds(trips),
        "audit": audit.verify(pool).as_dict(),
    }
    verdict, reasons = review.judge(facts)
    return {"verdict": verdict, "reasons": reasons, **facts}
