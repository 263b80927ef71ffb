"""The capital ledger: records are added, never changed; a correction is a reversal."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from database.pool import Pool
from database.queries import QUERIES
from errors import Conflict, NotFound
from state.capital import Entry


def insert_intake(
    pool: Pool,
    *,
    source: str,
    currency: str,
    amount: Decimal,
    note: str | None,
    key: str | None,
    request_hash: str,
) -> Any:
    """Record an amount, once per key. Raises Conflict when the key was used for something else."""
    with pool.transaction() as connection:
        return _insert(
            connection,
            source=source,
            currency=currency,
            amount=amount,
            note=note,
            idempotency_key=key,
            request_hash=request_hash,
            reverses_id=None,
        )


def reverse_intake(pool: Pool, row_id: int, *, note: str | None, key: str | None, request_hash: str) -> Any:
    """Record the opposite of a record, once. Raises NotFound, or Conflict when it is reversed already."""
    with pool.transaction() as connection:
        QUERIES.capital.lock_intake(connection, row_id=row_id)
        if key is not None and (made := _by_key(connection, key, request_hash)):
            return made
        record = QUERIES.capital.select_intake(connection, row_id=row_id)
        if record is None:
            raise NotFound(f"There is no capital record {row_id}.", code="CAPITAL_RECORD_NOT_FOUND")
        if record.reverses_id is not None:
            raise Conflict(
                f"Record {row_id} is itself the reversal of {record.reverses_id}: record the amount anew instead.",
                code="REVERSAL_OF_A_REVERSAL",
            )
        if record.reversal_id is not None:
            raise Conflict(
                f"Record {row_id} was already reversed by record {record.reversal_id}.", code="ALREADY_REVERSED"
            )
        return _insert(
            connection,
            source=record.source,
            currency=record.currency,
            amount=-record.amount,
            note=note or f"Reversal of {row_id}",
            idempotency_key=key,
            request_hash=request_hash,
            reverses_id=row_id,
        )


def _insert(connection: Any, **values: Any) -> Any:
    made = QUERIES.capital.insert_intake(connection, **values)
    if made is not None:
        return made
    key = values["idempotency_key"]
    if key is not None and (made := _by_key(connection, key, values["request_hash"])):
        return made
    raise Conflict(f"Record {values['reverses_id']} was already reversed.", code="ALREADY_REVERSED")


def _by_key(connection: Any, key: str, request_hash: str) -> Any:
    made = QUERIES.capital.select_intake_by_key(connection, idempotency_key=key)
    if made is not None and made.request_hash != request_hash:
        raise Conflict("This Idempotency-Key was used for another request.", code="IDEMPOTENCY_KEY_REUSED")
    return made


def select_intakes(
    pool: Pool, *, source: str | None, currency: str | None, before: tuple[datetime, str] | None, limit: int
) -> list[Any]:
    """A page of records, newest first: id, source, currency, amount, note, created_at, reverses_id."""
    before_time, before_id = before or (None, None)
    with pool.transaction() as connection:
        return list(
            QUERIES.capital.select_intakes(
                connection,
                source=source,
                currency=currency,
                before_time=before_time,
                before_id=before_id,
                limit=limit,
            )
        )


def select_entries(pool: Pool) -> list[Entry]:
    """The whole ledger, for whoever checks the balances."""
    with pool.transaction(timeout=60) as connection:
        rows = QUERIES.capital.select_intakes(
            connection, source=None, currency=None, before_time=None, before_id=None, limit=None
        )
        return [Entry(row.id, row.source, row.currency, row.amount, row.reverses_id) for row in rows]


def select_totals(pool: Pool, *, until: datetime | None = None) -> dict[str, Decimal]:
    """The balance of each currency, of the records before `until`."""
    with pool.transaction(timeout=20) as connection:
        return {row.currency: row.total for row in QUERIES.capital.select_totals(connection, until=until)}


def select_flows(pool: Pool, *, since: datetime, until: datetime) -> dict[tuple[str, str], Decimal]:
    """The net flow of each (source, currency) from `since` to before `until`."""
    with pool.transaction(timeout=20) as connection:
        rows = QUERIES.capital.select_flows(connection, since=since, until=until)
        return {(row.source, row.currency): row.net for row in rows}


def select_trends(pool: Pool, **wanted: Any) -> list[Any]:
    """Flows and balances per bucket, newest first: source, currency, start, inflow, outflow, balance, peak.

    `after`, if it is given, is the bucket (start, source, currency) that the page before ended with.
    """
    start, source, currency = wanted.pop("after", None) or (None, None, None)
    place = {"after_start": start, "after_source": source, "after_currency": currency}
    with pool.transaction(timeout=20) as connection:
        return list(QUERIES.capital.select_trends(connection, **place, **wanted))


def insert_rate(pool: Pool, *, currency: str, rate: Decimal, as_of: datetime) -> Any:
    """Note a rate. The same again answers the same; another rate for the same time is a Conflict."""
    with pool.transaction() as connection:
        made = QUERIES.capital.insert_rate(connection, currency=currency, as_of=as_of, rate=rate)
        if made is None:
            made = QUERIES.capital.select_rate(connection, currency=currency, as_of=as_of)
            if made.rate != rate:
                raise Conflict(
                    f"{currency} has another rate for that time: rates are added, never edited.", code="RATE_EXISTS"
                )
        return made


def select_rates(pool: Pool, *, until: datetime) -> list[Any]:
    """The rate that holds for each currency: currency, rate, as_of."""
    with pool.transaction() as connection:
        return list(QUERIES.capital.select_rates(connection, until=until))


def upsert_profile(pool: Pool, *, source: str, threshold: Decimal, note: str | None) -> Any:
    """Set a source's threshold: source, freeze_drawdown_pct, note, updated_at."""
    with pool.transaction() as connection:
        return QUERIES.capital.upsert_profile(connection, source=source, freeze_drawdown_pct=threshold, note=note)


def delete_profile(pool: Pool, source: str) -> None:
    """Take a source's threshold away. Raises NotFound."""
    with pool.transaction() as connection:
        if not QUERIES.capital.delete_profile(connection, source=source):
            raise NotFound("This source has no threshold of its own.", code="RISK_PROFILE_NOT_FOUND")


def select_profiles(pool: Pool, source: str | None = None) -> list[Any]:
    """All thresholds, or that of one source: source, freeze_drawdown_pct, note, updated_at."""
    with pool.transaction() as connection:
        return list(QUERIES.capital.select_profiles(connection, source=source))
