"""The balances of record: each profile's equity where trading telemetry exists, else the capital ledger's totals."""

from datetime import datetime
from typing import Any

from database import capital
from database.pool import Pool
from database.queries import QUERIES
from state.capital import NOTHING
from state.nightly import Balance


def balances_of_record(pool: Pool, since: datetime, until: datetime, currency: str) -> list[Balance]:
    """What is compared for the day from `since` to before `until`, with what was deposited and withdrawn in between.

    A profile's deposits and withdrawals are the ledger's records in `currency` whose source is the profile's number.
    """
    return equity_balances(pool, since, until, currency) or ledger_balances(pool, since, until)


def equity_balances(pool: Pool, since: datetime, until: datetime, currency: str) -> list[Balance]:
    """Each profile that has an equity point on the day; none where there is no trading telemetry."""
    with pool.transaction(timeout=30) as connection:
        if not QUERIES.balances.has_equity_points(connection):
            return []
        rows = list(QUERIES.balances.select_last_points(connection, since=since, until=until))
        before = [
            QUERIES.balances.select_point_before(connection, profile_id=row.profile_id, since=since) for row in rows
        ]
    return [_equity(pool, row, previous, currency) for row, previous in zip(rows, before, strict=True)]


def _equity(pool: Pool, row: Any, previous: Any, currency: str) -> Balance:
    name = str(row.profile_id)
    if previous is None:
        return Balance(name, NOTHING, row.account_equity, NOTHING)
    flows = capital.select_flows(pool, since=previous.recorded_at, until=row.recorded_at)
    return Balance(name, previous.account_equity, row.account_equity, flows.get((name, currency), NOTHING))


def ledger_balances(pool: Pool, since: datetime, until: datetime) -> list[Balance]:
    """Each currency of the ledger. All that moves these are deposits and withdrawals, which are no drawdown."""
    before = capital.select_totals(pool, until=since)
    return [
        Balance(f"capital {currency}", before.get(currency, NOTHING), total, total - before.get(currency, NOTHING))
        for currency, total in capital.select_totals(pool, until=until).items()
    ]
