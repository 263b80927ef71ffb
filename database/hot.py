"""The hot values of telemetry in Redis: the latest of everything, for an hour.

Redis is a convenience for readers that want a value in under a millisecond, never the truth: it is written after
the rows are committed, a failure here fails nothing, and what the API answers from it is first held against
PostgreSQL. Without REDIS_URL, or while Redis is away, nothing here does anything.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import structlog

from database.telemetry import latency_samples
from state import jsontext
from state.telemetry.records import EQUITY, HEALTH, ORDER, SIGNAL, Row
from state.values import number

log = structlog.get_logger()

TTL_SECONDS: Final = 3600
#: An hour's samples of one script beyond this number are read from PostgreSQL, which is quicker then.
MAX_SAMPLES: Final = 5_000
MAX_SIGNALS: Final = 1_000
ANSWER_SECONDS: Final = 0.25
#: How long a Redis that failed is left alone.
REST_SECONDS: Final = 5.0

#: Sets a value unless a newer one stands there; times are ISO 8601 in UTC with microseconds, so they sort as text.
_SET_IF_NEWER: Final = """
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'string' then
    local read, held = pcall(cjson.decode, redis.call('GET', KEYS[1]))
    if read and type(held) == 'table' and type(held.timestamp) == 'string' and held.timestamp > ARGV[2] then
        return 0
    end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return 1
"""


def equity_key(profile_id: int) -> str:
    return f"telemetry:equity:{profile_id}:latest"


def health_key(profile_id: int, script: str) -> str:
    return f"telemetry:health:{profile_id}:{script}:latest"


def latency_key(profile_id: int, script: str) -> str:
    return f"telemetry:latency:{profile_id}:{script}"


def signals_key(profile_id: int) -> str:
    return f"telemetry:breakout:{profile_id}:signals"


def order_key(profile_id: int, order_id: str) -> str:
    return f"telemetry:orders:{profile_id}:{order_id}"


class HotStore:
    """One process's way to Redis; with no URL it holds nothing."""

    def __init__(self, url: str | None) -> None:
        self._redis: Any = None
        self._library: Any = None
        self._rest_until = 0.0
        if url is not None:
            import redis  # a tenth of a worker's start, which only those who use it need wait for

            self._library = redis
            self._redis = redis.Redis.from_url(
                url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, decode_responses=True
            )

    @property
    def is_on(self) -> bool:
        """Whether there is a Redis to ask at this moment."""
        return self._redis is not None and time.monotonic() >= self._rest_until

    def put(self, rows: Sequence[Row], batch_id: str) -> None:
        """Write the hot values of the records of one batch, which are committed."""
        self._try(lambda: self._put(rows, batch_id))

    def latencies(self, profile_id: int, script: str, since: datetime) -> list[Decimal] | None:
        """The samples of a script since then, ascending; None when Redis cannot say."""
        found: list[Decimal] | None = self._try(lambda: self._latencies(profile_id, script, since))
        return found

    def refill(self, profile_id: int, script: str, samples: Iterable[tuple[int, datetime, Decimal]]) -> None:
        """Replace a script's samples by (row number, time, milliseconds) as PostgreSQL has them."""
        members = {f"{jsontext.plain(ms)}|r{row}": at.timestamp() for row, at, ms in samples}
        self._try(lambda: self._refill(latency_key(profile_id, script), members))

    def _try(self, work: Callable[[], Any]) -> Any:
        if not self.is_on:
            return None
        try:
            return work()
        except (self._library.ConnectionError, self._library.TimeoutError) as error:
            self._rest_until = time.monotonic() + REST_SECONDS
            log.warning("redis_away", error=type(error).__name__)
        except (self._library.RedisError, UnicodeError) as error:
            log.warning("redis_failed", error=type(error).__name__)
        return None

    def _put(self, rows: Sequence[Row], batch_id: str) -> None:
        pipe = self._redis.pipeline(transaction=False)
        for key, row in _latest(rows).items():
            text = jsontext.dump(_shown(row))
            pipe.eval(_SET_IF_NEWER, 1, key, text, _time_text(row.recorded_at), TTL_SECONDS)
        _put_latencies(pipe, rows, batch_id)
        _put_signals(pipe, rows)
        # Each command stands for itself: a key of a wrong type must not keep the others from being written.
        failed = [found for found in pipe.execute(raise_on_error=False) if isinstance(found, self._library.RedisError)]
        if failed:
            log.warning("redis_failed", error=type(failed[0]).__name__, commands=len(failed))

    def _latencies(self, profile_id: int, script: str, since: datetime) -> list[Decimal] | None:
        key = latency_key(profile_id, script)
        members = self._redis.zrangebyscore(key, since.timestamp(), "+inf", start=0, num=MAX_SAMPLES + 1)
        values = [number(member.partition("|")[0]) for member in members]
        known = [value for value in values if value is not None]
        return sorted(known) if len(known) == len(values) else None

    def _refill(self, key: str, members: dict[str, float]) -> None:
        pipe = self._redis.pipeline(transaction=True)
        pipe.delete(key)
        if members:
            pipe.zadd(key, members)
            pipe.expire(key, TTL_SECONDS)
        pipe.execute()


@lru_cache(maxsize=8)
def store(url: str | None) -> HotStore:
    """The store of this process for this URL."""
    return HotStore(url)


def _time_text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def _shown(row: Row) -> dict[str, Any]:
    return {"profile_id": row.profile_id, "timestamp": _time_text(row.recorded_at), **row.columns}


def _latest(rows: Iterable[Row]) -> dict[str, Row]:
    """The newest record of every key that holds one value."""
    newest: dict[str, Row] = {}
    for row in rows:
        key = _single_key(row)
        if key is not None and (key not in newest or newest[key].recorded_at <= row.recorded_at):
            newest[key] = row
    return newest


def _single_key(row: Row) -> str | None:
    if row.kind == EQUITY:
        return equity_key(row.profile_id)
    if row.kind == HEALTH:
        return health_key(row.profile_id, row.columns["script_name"])
    if row.kind == ORDER and row.columns["order_id"] is not None:
        return order_key(row.profile_id, row.columns["order_id"])
    return None


def _put_latencies(pipe: Any, rows: Iterable[Row], batch_id: str) -> None:
    members: dict[str, dict[str, float]] = {}
    for place, sample in enumerate(latency_samples(rows)):
        key = latency_key(sample["profile_id"], sample["script_name"])
        # The place makes the member its own: equal latencies are different samples.
        member = f"{jsontext.plain(sample['latency_ms'])}|{batch_id}:{place}"
        members.setdefault(key, {})[member] = sample["recorded_at"].timestamp()
    hour_ago = time.time() - TTL_SECONDS
    for key, samples in members.items():
        pipe.zadd(key, samples)
        pipe.zremrangebyscore(key, "-inf", hour_ago)
        pipe.zremrangebyrank(key, 0, -MAX_SAMPLES - 2)
        pipe.expire(key, TTL_SECONDS)


def _put_signals(pipe: Any, rows: Iterable[Row]) -> None:
    signals: dict[str, list[str]] = {}
    for row in sorted((row for row in rows if row.kind == SIGNAL), key=lambda row: row.recorded_at):
        signals.setdefault(signals_key(row.profile_id), []).append(jsontext.dump(_shown(row)))
    for key, texts in signals.items():
        pipe.lpush(key, *texts)
        pipe.ltrim(key, 0, MAX_SIGNALS - 1)
        pipe.expire(key, TTL_SECONDS)
