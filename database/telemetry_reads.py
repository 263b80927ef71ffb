"""Reading telemetry back: exact sums, however many rows a window has; nothing is cut off."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from database.driver import Connection
from database.hot import MAX_SAMPLES, HotStore
from database.pool import Pool
from database.queries import QUERIES
from state.r_multiple import EXACT
from state.telemetry.outcomes import seconds_of
from state.telemetry.performance import Sums, percentile

READ_SECONDS: Final = 30.0
CURVE_POINTS: Final = 500
LATENCY_WINDOW: Final = timedelta(hours=1)
_SHARES: Final = {"p50": Decimal("0.5"), "p95": Decimal("0.95"), "p99": Decimal("0.99")}
_ZERO: Final = Decimal(0)


def select_performance(pool: Pool, *, profile_id: int, since: datetime) -> Sums:
    """The sums of a profile's closed trades that were entered since then."""
    asked = {"profile_id": profile_id, "since": since}
    row = pool.read(
        lambda connection: QUERIES.telemetry_reads.select_performance(connection, **asked), timeout=READ_SECONDS
    )
    return Sums(
        trades=row.trades,
        wins=row.wins,
        losses=row.losses,
        total=row.total or _ZERO,
        gross_profit=row.gross_profit or _ZERO,
        gross_loss=row.gross_loss or _ZERO,
        squares=row.squares or _ZERO,
        loss_squares=row.loss_squares or _ZERO,
        max_drawdown=row.max_drawdown,
    )


@dataclass(frozen=True, slots=True)
class Breakouts:
    """The sums of breakout trades: all, by reason of the exit (None: not told), by UTC hour of the entry."""

    signals: int
    total: Sums
    by_exit_reason: Sequence[tuple[str | None, Sums]]
    by_hour: Sequence[tuple[int, Sums]]


def select_breakouts(pool: Pool, *, profile_id: int, since: datetime) -> Breakouts:
    """What a profile's breakouts since then came to."""
    asked = {"profile_id": profile_id, "since": since}
    rows, signals = pool.read(
        lambda connection: (
            list(QUERIES.telemetry_reads.select_breakouts(connection, **asked)),
            QUERIES.telemetry_reads.count_signals(connection, **asked),
        ),
        timeout=READ_SECONDS,
    )
    return Breakouts(
        signals=signals,
        total=next(_sums(row) for row in rows if not row.is_reason and not row.is_hour),
        by_exit_reason=[(row.exit_reason, _sums(row)) for row in rows if row.is_reason],
        by_hour=[(row.hour, _sums(row)) for row in rows if row.is_hour],
    )


def _sums(row: Any) -> Sums:
    gross_profit, gross_loss = row.gross_profit or _ZERO, row.gross_loss or _ZERO
    return Sums(
        trades=row.trades,
        wins=row.wins,
        losses=row.losses,
        total=EXACT.add(gross_profit, gross_loss),
        gross_profit=gross_profit,
        gross_loss=gross_loss,
        slippages=row.slippages,
        slippage_total=row.slippage_total or _ZERO,
    )


def select_equity(
    pool: Pool, *, profile_id: int, since: datetime
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The newest equity point (however old), and the window's curve: its points, or CURVE_POINTS stretches of time.

    A stretch has the time, equity and running peak of its last point, its low and high, and the deepest `fall`
    and `fall_pct` below the running peak of any of its points. A point is a stretch of its own.
    """

    def read(connection: Connection) -> tuple[Any, list[dict[str, Any]]]:
        latest = QUERIES.telemetry_reads.select_latest_equity(connection, profile_id=profile_id)
        return latest, [row._asdict() for row in _curve(connection, profile_id, since)]

    latest, curve = pool.read(read, timeout=READ_SECONDS)
    return (latest._asdict() if latest else None), curve


def _curve(connection: Connection, profile_id: int, since: datetime) -> Iterable[Any]:
    queries = QUERIES.telemetry_reads
    span = queries.select_equity_span(connection, profile_id=profile_id, since=since)
    if span.points <= CURVE_POINTS:
        points: Iterable[Any] = queries.select_equity_points(connection, profile_id=profile_id, since=since)
        return points
    width = (span.last_at - span.first_at) // CURVE_POINTS + timedelta(microseconds=1)
    bounds = [span.first_at + place * width for place in range(CURVE_POINTS + 1)]
    stretches: Iterable[Any] = queries.select_equity_stretches(
        connection, profile_id=profile_id, starts=bounds[:-1], ends=bounds[1:]
    )
    return stretches


def select_orders(pool: Pool, *, profile_id: int, script: str | None, since: datetime) -> dict[str, Any]:
    """Counts and sums of a profile's orders first seen since then, of their API calls, and of records without id."""
    given = {"profile_id": profile_id, "script": script, "since": since}
    orders, calls, unnamed = pool.read(
        lambda connection: (
            QUERIES.telemetry_reads.select_orders(connection, **given)._asdict(),
            QUERIES.telemetry_reads.select_latency_sums(connection, **given),
            QUERIES.telemetry_reads.count_unnamed_orders(connection, **given),
        ),
        timeout=READ_SECONDS,
    )
    for name in ("fill_p50", "fill_p95"):
        orders[name] = None if orders[name] is None else seconds_of(orders[name])
    return {**orders, "calls": calls.samples, "latency_total": calls.total, "records_without_order_id": unnamed}


def select_systems(
    pool: Pool, hot: HotStore, *, profile_id: int, script: str | None, now: datetime
) -> list[dict[str, Any]]:
    """What is known of every script that a profile ever ran, or of one: latest health, latencies of the last hour."""
    refills: dict[str, list[tuple[int, datetime, Decimal]]] = {}
    with pool.transaction(timeout=READ_SECONDS) as connection:
        rows = QUERIES.telemetry_reads.select_scripts(connection, profile_id=profile_id)
        names = [row.script_name for row in rows if script is None or row.script_name == script]
        systems = [_system(connection, hot, profile_id, name, now, refills) for name in names]
    for name, samples in refills.items():
        hot.refill(profile_id, name, samples)
    return systems


def _system(
    connection: Connection, hot: HotStore, profile_id: int, script: str, now: datetime, refills: dict[str, Any]
) -> dict[str, Any]:
    queries = QUERIES.telemetry_reads
    given = {"profile_id": profile_id, "script": script}
    window = {**given, "since": now - LATENCY_WINDOW}
    health = queries.select_latest_health(connection, **given)
    sums = queries.select_latency_sums(connection, **window)
    found = dict.fromkeys(_SHARES) if not sums.samples else None
    if found is None and sums.samples <= MAX_SAMPLES:
        found = _hot_percentiles(hot, sums, window)
        if found is None and hot.is_on:
            refills[script] = [tuple(r) for r in queries.select_latencies(connection, **window, limit=MAX_SAMPLES)]
    if found is None:
        found = queries.select_latency_percentiles(connection, **window)._asdict()
    return {
        "script_name": script,
        "health": health._asdict() if health else None,
        "samples": sums.samples,
        "latency_total": sums.total,
        "last_latency": queries.select_last_latency(connection, **given),
        **found,
    }


def _hot_percentiles(hot: HotStore, sums: Any, window: dict[str, Any]) -> dict[str, Decimal | None] | None:
    """The percentiles of the hot samples, when these are the very ones that PostgreSQL counts and sums."""
    samples = hot.latencies(**window)
    if samples is None or len(samples) != sums.samples or _exact_sum(samples) != sums.total:
        return None
    return {name: percentile(samples, share) for name, share in _SHARES.items()}


def _exact_sum(values: Sequence[Decimal]) -> Decimal:
    total = _ZERO
    for value in values:
        total = EXACT.add(total, value)
    return total


def select_performance_rows(
    pool: Pool,
    *,
    profile_id: int,
    since: datetime,
    symbol: str | None,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """A page of a profile's closed trades, newest entry first."""
    before_time, before_id = before or (None, None)
    asked = {
        "profile_id": profile_id,
        "since": since,
        "symbol": symbol,
        "before_time": before_time,
        "before_id": before_id,
        "limit": limit,
    }
    rows = pool.read(
        lambda connection: list(QUERIES.telemetry_reads.select_performance_rows(connection, **asked)),
        timeout=READ_SECONDS,
    )
    return [row._asdict() for row in rows]


def select_profiles(pool: Pool, *, limit: int = 200) -> list[int]:
    """The profiles that ever sent anything, in order: one step along the index for each."""
    found: list[int] = []
    with pool.transaction(timeout=READ_SECONDS) as connection:
        while len(found) < limit:
            after = found[-1] if found else None
            profile_id = QUERIES.telemetry_reads.select_next_profile(connection, after=after)
            if profile_id is None:
                break
            found.append(profile_id)
    return found
