"""What a trading script calls. No call here raises (unless `strict`), waits, or reads or writes anything."""

from __future__ import annotations

import atexit
import functools
import os
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar, cast

from telemetry_client import checks
from telemetry_client.orders import track_order
from telemetry_client.sender import FAULTS, Sender, in_child_of_multiprocessing
from telemetry_client.spool import Spool
from telemetry_client.storage import Storage

Call = TypeVar("Call", bound=Callable[..., Any])

EXIT_SECONDS = 2.0


def _never_raises(call: Call) -> Call:
    """Whatever is wrong with a call's arguments is counted; `strict` managers raise it."""

    @functools.wraps(call)
    def guarded(self: TelemetryManager, *args: Any, **kwargs: Any) -> None:
        try:
            call(self, *args, **kwargs)
        except FAULTS as error:
            if self.strict:
                raise
            self._count_fault(f"{call.__name__}: {type(error).__name__}")

    return cast(Call, guarded)


class TelemetryManager:
    """Records signals, outcomes, equity, orders, latencies and health for a storage that sends them in batches.

    A batch goes when `batch_size` records wait or `flush_interval_seconds` have passed. At most `max_queue` records
    wait; more are dropped and counted. With `spool_path` what could not be sent at exit goes to a file and is sent by
    the next run. `strict` raises ValueError for bad values, which are otherwise counted and reported by `stats()`.
    """

    def __init__(
        self,
        storage: Storage,
        batch_size: int = 50,
        flush_interval_seconds: float = 10.0,
        enabled: bool = True,
        max_queue: int = 100_000,
        strict: bool = False,
        spool_path: str | os.PathLike[str] | None = None,
    ) -> None:
        if batch_size < 1 or max_queue < 1 or flush_interval_seconds <= 0:
            raise ValueError("batch_size, max_queue and flush_interval_seconds must be more than 0")
        self.enabled = enabled
        self.strict = strict
        self._max_queue = max_queue
        spool = Spool(spool_path) if spool_path is not None else None
        self._sender = Sender(storage, batch_size, flush_interval_seconds, spool)
        self._knows_exit = False
        if enabled:
            _watch(self)
            self._begin()

    def _record(self, item: tuple[Any, ...]) -> None:
        """Put a record into the queue, as cheaply as can be: the thread looks at what it holds."""
        sender = self._sender
        if self.strict:
            found = checks.wrong(checks.record_of(item)) if self.enabled else None
            if found is not None:
                raise ValueError(found)
        if not self.enabled:
            return
        if sender.closed or len(sender.raw) + len(sender.queue) >= self._max_queue:
            sender.dropped.add()
            return
        sender.raw.append(item)
        sender.queued.add()
        if not sender.started:
            self._begin()

    def _count_fault(self, reason: str) -> None:
        if self.enabled:
            self._sender.count_invalid(reason)

    def _begin(self) -> None:
        self._sender.start()
        if not self._knows_exit and in_child_of_multiprocessing():
            self._knows_exit = True
            from multiprocessing import util

            util.Finalize(None, self._at_exit, exitpriority=100)

    @_never_raises
    def record_breakout_signal(
        self,
        profile_id: int,
        symbol: str,
        direction: str,
        bar_strength: float,
        close_price: float,
        candle_size: float,
        volume: float,
        timestamp: datetime | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """A breakout was seen. `bar_strength` is from 0 to 1, `timestamp` has a time zone (now, unless given)."""
        self._record(
            (
                "breakout_signal",
                profile_id,
                time.time_ns() if timestamp is None else timestamp,
                symbol,
                direction,
                bar_strength,
                close_price,
                candle_size,
                volume,
                _copy(metadata),
            )
        )

    @_never_raises
    def record_breakout_outcome(
        self,
        profile_id: int,
        symbol: str,
        entry_price: float,
        exit_price: float,
        quantity: float,
        entry_time: datetime,
        exit_time: datetime,
        bar_strength: float | None = None,
        direction: str | None = None,
        signal_price: float | None = None,
        metadata: dict[str, Any] | None = None,
        *,
        side: str | None = None,
        multiplier: float | None = None,
        exit_reason: str | None = None,
    ) -> None:
        """A trade was closed. Long with a multiplier of 1, unless `side` ("short") and `multiplier` say otherwise."""
        self._record(
            (
                "breakout_outcome",
                profile_id,
                exit_time,
                symbol,
                entry_price,
                exit_price,
                quantity,
                entry_time,
                exit_time,
                bar_strength,
                direction,
                signal_price,
                side,
                multiplier,
                exit_reason,
                _copy(metadata),
            )
        )

    @_never_raises
    def record_equity_update(
        self,
        profile_id: int,
        account_equity: float,
        unrealized_pnl: float,
        realized_pnl: float,
        margin_used: float,
        margin_available: float,
        open_positions_count: int,
        timestamp: datetime | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """The account as it stands, in its currency."""
        self._record(
            (
                "equity",
                profile_id,
                time.time_ns() if timestamp is None else timestamp,
                account_equity,
                unrealized_pnl,
                realized_pnl,
                margin_used,
                margin_available,
                open_positions_count,
                _copy(metadata),
            )
        )

    @_never_raises
    def record_order_metric(
        self,
        profile_id: int,
        symbol: str,
        order_type: str,
        side: str,
        status: str,
        quantity: float,
        order_id: str | None = None,
        limit_price: float | None = None,
        filled_price: float | None = None,
        filled_quantity: float | None = None,
        slippage: float | None = None,
        api_latency_ms: float | None = None,
        timestamp: datetime | None = None,
        metadata: dict[str, Any] | None = None,
        *,
        script_name: str | None = None,
    ) -> None:
        """An order is in a state: pending, partially_filled, filled, canceled, expired, converted or rejected."""
        self._record(
            (
                "order",
                profile_id,
                time.time_ns() if timestamp is None else timestamp,
                symbol,
                order_type,
                side,
                status,
                quantity,
                order_id,
                limit_price,
                filled_price,
                filled_quantity,
                slippage,
                api_latency_ms,
                script_name,
                _copy(metadata),
            )
        )

    @_never_raises
    def record_api_latency(self, profile_id: int, script_name: str, latency_ms: float) -> None:
        """A call of the broker's API took so many milliseconds."""
        self._record(("latency", profile_id, time.time_ns(), script_name, latency_ms))

    @_never_raises
    def record_system_health(
        self,
        profile_id: int,
        script_name: str,
        status: str,
        api_latency_avg_ms: float | None = None,
        api_rate_limit_remaining: int | None = None,
        api_rate_limit_limit: int | None = None,
        error_count: int = 0,
        warning_count: int = 0,
        timestamp: datetime | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """How a script is: healthy, degraded or error."""
        self._record(
            (
                "health",
                profile_id,
                time.time_ns() if timestamp is None else timestamp,
                script_name,
                status,
                api_latency_avg_ms,
                api_rate_limit_remaining,
                api_rate_limit_limit,
                error_count,
                warning_count,
                _copy(metadata),
            )
        )

    @contextmanager
    def measure_latency(self, profile_id: int, script_name: str) -> Iterator[None]:
        """Record how long the block takes, also when it fails."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.record_api_latency(profile_id, script_name, (time.perf_counter() - started) * 1000)

    def order(self, profile_id: int, script_name: str | None = None, **told: Any) -> Callable[[Call], Call]:
        """Decorate a function that places an order: see `telemetry_client.orders.track_order`."""
        return track_order(self.record_order_metric, profile_id, script_name, told)

    def flush(self, timeout: float | None = None) -> bool:
        """Send now what was recorded until now; True when all of it was settled within `timeout` seconds."""
        return self._sender.flush(timeout) if self.enabled else True

    def close(self, timeout: float = EXIT_SECONDS) -> None:
        """Send what waits for at most `timeout` seconds; what is left goes to the spool or is counted as lost."""
        self._sender.close(timeout)

    def stats(self) -> dict[str, Any]:
        """What became of every record: see `telemetry_client.sender.Sender.stats`."""
        return self._sender.stats()

    def _at_exit(self) -> None:
        self._sender.close(EXIT_SECONDS)

    def _after_fork(self) -> None:
        self._sender.storage.after_fork()
        self._sender.reset()
        self._knows_exit = False


def _copy(metadata: dict[str, Any] | None) -> dict[str, Any] | None:
    """The script may go on changing its own dict."""
    return dict(metadata) if isinstance(metadata, dict) else metadata


def _watch(manager: TelemetryManager) -> None:
    """Close at exit and begin anew after a fork. The script's end closes a manager that nobody refers to, too."""
    atexit.register(manager._at_exit)
    if hasattr(os, "register_at_fork"):
        known = weakref.ref(manager)

        def begin_anew() -> None:
            there = known()
            if there is not None:
                there._after_fork()

        os.register_at_fork(after_in_child=begin_anew)
