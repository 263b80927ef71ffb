"""Brings the hourly and daily aggregates of telemetry up to date."""

from collections.abc import Sequence

from database import alert_trades, telemetry_aggregates
from database.pool import Pool
from errors import DatabaseError, Unavailable
from jobs.job import Job, Outcome
from settings import Settings


def run(settings: Settings, arguments: Sequence[str]) -> Outcome:
    """Derive closed trades from completed alert trades, then recompute every window whose rows changed.

    The result tells how many of each; a database that is away is exit code 1, and the next run does all of it.
    """
    if settings.database_url is None or arguments:
        return Outcome(2, {"error": "Set DATABASE_URL; this job takes no arguments."})
    pool = Pool(settings.database_url, 2)
    try:
        trades = alert_trades.refresh(pool, dict(settings.strategy_profiles))
        windows = telemetry_aggregates.recompute(pool)
    except (DatabaseError, Unavailable) as error:
        return Outcome(1, {"error": error.message})
    finally:
        pool.close()
    return Outcome(0, {"alert_trades": trades, "windows": windows})


JOB = Job("telemetry-aggregates", "Recompute hourly and daily telemetry aggregates; run every few minutes.", run)
