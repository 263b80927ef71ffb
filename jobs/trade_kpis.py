"""Records the results of completed trades as measured outcomes of their strategies."""

from collections.abc import Sequence

from database.governance.regression import record_completed_trades
from database.pool import Pool
from jobs.job import Job, Outcome
from settings import Settings


def run(settings: Settings, arguments: Sequence[str]) -> Outcome:
    """One run; with KPI_FROM_TRADES unset nothing is recorded."""
    if not settings.kpi_from_trades:
        return Outcome(0, {"ran": False, "why": "KPI_FROM_TRADES is not set"})
    if settings.database_url is None:
        return Outcome(2, {"ran": False, "why": "DATABASE_URL is unset"})
    pool = Pool(settings.database_url, 2)
    try:
        return Outcome(0, {"ran": True, "trades": record_completed_trades(pool)})
    finally:
        pool.close()


JOB = Job("trade_kpis", "record completed trades as KPI events of their strategies", run)
