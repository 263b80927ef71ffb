"""What a trading script calls. No call here raises (unless `strict`), waits, or reads or writes anything."""

from __future__ import annotations

import atexit
import functools
import inspect
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any, TypeVar

from telemetry_client import checks
from telemetry_client.orders import track_order
from telemetry_client.records import BUILDS, NotedCall, Record, made
from telemetry_client.sender import Sender, in_child_of_multiprocessing
from telemetry_client.spool import Spool
from telemetry_client.storage import Storage

Call = TypeVar("Call", bound=Callable[..., Any])

if TYPE_CHECKING:
    from typing import Concatenate, ParamSpec

    P = ParamSpec("P")

EXIT_SECONDS = 2.0


def _recorded(
    build: Callable[Concatenate[TelemetryManager, P], Record],
) -> Callable[Concatenate[TelemetryManager, P], None]:
    """A method that notes its arguments and the time, nothing else: the thread makes the record of them.

    So a call costs as little as a call can, and not even wrong arguments reach the script: they are found later. The
    note names its method instead of holding it: a tuple of plain values is none of the garbage collector's business.
    """
    name = build.__name__
    parameters = list(inspect.signature(build).parameters)
    kept_at = parameters.index("metadata") - 1 if "metadata" in parameters else len(parameters)
    BUILDS[name] = build

    @functools.wraps(build)
    def record(self: TelemetryManager, *args: Any, **kwargs: Any) -> None:
        sender = self._sender
        if kwargs.get("metadata") is not None:
            kwargs["metadata"] = _copy(kwargs["metadata"])
        elif len(args) > kept_at:
            args = (*args[:kept_at], _copy(args[kept_at]), *args[kept_at + 1 :])
        if len(sender.raw) < sender.room:
            sender.raw.append((name, time_ns(), args, kwargs))
        else:
            self._record_with_care((name, time_ns(), args, kwargs))

    recorded: Any = record
    return recorded  # type: ignore[no-any-return]


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
        spool = Spool(spool_path) if spool_path is not None else None
        self._sender = Sender(storage, batch_size, flush_interval_seconds, spool, max_queue, enabled and not strict)
        self._knows_exit = False
        if enabled:
            _watch(self)
            self._begin()

    def _record_with_care(self, call: NotedCall) -> None:
        """The calls that are not the usual ones: disabled, closed, strict, too many, or the first after a fork."""
        if not self.enabled:
            return
        if self.strict:
            found = checks.wrong(made(call))
            if found is not None:
                raise ValueError(found)
        sender = self._sender
        if not sender.take(call):
            sender.dropped.add()
        elif not sender.started:
            self._begin()

    def _begin(self) -> None:
        self._sender.start()
        if not self._knows_exit and in_child_of_multiprocessing():
            self._knows_exit = True
            from multiprocessing import util

            util.Finalize(None, self._at_exit, exitpriority=100)

    @_recorded
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
    ) -> Record:
        """A breakout was seen. `bar_strength` is from 0 to 1, `timestamp` has a time zone (now, unless given)."""
        return {
            "kind": "breakout_signal",
            "profile_id": profile_id,
            "timestamp": timestamp,
            "symbol": symbol,
            "direction": direction,
            "bar_strength": bar_strength,
            "close_price": close_price,
            "candle_size": candle_size,
            "volume": volume,
            "metadata": metadata,
        }

    @_recorded
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
    ) -> Record:
        """A trade was closed. Long with a multiplier of 1, unless `side` ("short") and `multiplier` say otherwise."""
        return {
            "kind": "breakout_outcome",
            "profile_id": profile_id,
            "timestamp": exit_time,
            "symbol": symbol,
            "entry_price": entry_price,
            "exit_price": exit_price,
            "quantity": quantity,
            "entry_time": entry_time,
            "exit_time": exit_time,
            "bar_strength": bar_strength,
            "direction": direction,
            "signal_price": signal_price,
            "side": side,
            "multiplier": multiplier,
            "exit_reason": exit_reason,
            "metadata": metadata,
        }

    @_recorded
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
    ) -> Record:
        """The account as it stands, in its currency."""
        return {
            "kind": "equity",
            "profile_id": profile_id,
            "timestamp": timestamp,
            "account_equity": account_equity,
            "unrealized_pnl": unrealized_pnl,
            "realized_pnl": realized_pnl,
            "margin_used": margin_used,
            "margin_available": margin_available,
            "open_positions_count": open_positions_count,
            "metadata": metadata,
        }

    @_recorded
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
    ) -> Record:
        """An order is in a state: pending, partially_filled, filled, canceled, expired, converted or rejected."""
        return {
            "kind": "order",
            "profile_id": profile_id,
            "timestamp": timestamp,
            "symbol": symbol,
            "order_type": order_type,
            "side": side,
            "status": status,
            "quantity": quantity,
            "order_id": order_id,
            "limit_price": limit_price,
            "filled_price": filled_price,
            "filled_quantity": filled_quantity,
            "slippage": slippage,
            "api_latency_ms": api_latency_ms,
            "script_name": script_name,
            "metadata": metadata,
        }

    @_recorded
    def record_api_latency(self, profile_id: int, script_name: str, latency_ms: float) -> Record:
        """A call of the broker's API took so many milliseconds."""
        return {
            "kind": "latency",
            "profile_id": profile_id,
            "timestamp": None,
            "script_name": script_name,
            "latency_ms": latency_ms,
        }

    @_recorded
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
    ) -> Record:
        """How a script is: healthy, degraded or error."""
        return {
            "kind": "health",
            "profile_id": profile_id,
            "timestamp": timestamp,
            "script_name": script_name,
            "status": status,
            "api_latency_avg_ms": api_latency_avg_ms,
            "api_rate_limit_remaining": api_rate_limit_remaining,
            "api_rate_limit_limit": api_rate_limit_limit,
            "error_count": error_count,
            "warning_count": warning_count,
            "metadata": metadata,
        }

    @contextmanager
    def measure_latency(self, profile_id: int, script_name: str) -> Iterator[None]:
        """Record how long the block takes, also when it fails."""
        started = perf_counter()
        try:
            yield
        finally:
            self.record_api_latency(profile_id, script_name, (perf_counter() - started) * 1000)

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
    """The script may go on changing its own dict. One that cannot be copied is found out when it is looked at."""
    try:
        return dict(metadata) if isinstance(metadata, dict) else metadata
    except Exception:  # noqa: BLE001 - a dict of the script's own making; no record call raises
        return metadata


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
