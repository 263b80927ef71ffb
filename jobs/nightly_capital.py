"""Every night: the forecast, and the freeze check of the New York day that is over."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from database import capital, freezes
from database.balances import balances_of_record
from database.pool import Pool
from jobs.job import Job, Outcome
from settings import Settings
from state.forecast import forecast
from state.nightly import bounds, check_all


def run(settings: Settings, arguments: Sequence[str]) -> Outcome:
    """Forecast and freeze check for the day that is the argument. A freeze is told once per day and source."""
    assert settings.database_url is not None
    day = date.fromisoformat(arguments[0])
    pool = Pool(settings.database_url, 1)
    try:
        return Outcome(0, _find(pool, settings, day))
    finally:
        pool.close()


def _find(pool: Pool, settings: Settings, day: date) -> dict[str, Any]:
    since, until = bounds(day)
    currency = settings.capital_base_currency
    rates = {row.currency: row.rate for row in capital.select_rates(pool, until=until)} | {currency: 1}
    thresholds = {row.source: row.freeze_drawdown_pct for row in capital.select_profiles(pool)}
    checks = check_all(balances_of_record(pool, since, until, currency), thresholds, settings.freeze_drawdown_pct)
    frozen = [check for check in checks if check["frozen"]]
    for check in frozen:
        freezes.record_freeze(
            pool,
            fact=f"freeze:nightly:{day}:{check['source']}",
            title=f"{check['message']} of {check['source']} on {day}",
            detail={"day": day, **check},
        )
    totals = capital.select_totals(pool, until=until)
    return {
        "day": day,
        "frozen": [check["source"] for check in frozen],
        "freeze": checks,
        "forecast": forecast(totals, rates, currency, settings.forecast_monthly_yield),
    }


JOB: Final = Job("nightly-capital", "Forecast and freeze check of the New York day that is over.", run, nightly=True)
