"""What the handlers work with: made once per process by create_app, found through the application."""

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, NamedTuple, cast

from flask import Flask, current_app

from database.caretaker import Caretaker
from database.counts import Counter
from database.durable import Breaker, DurableStore
from database.folding import Folder
from database.pool import Pool
from database.receipts import Tally
from database.replica import PoolWithReplica
from database.spool import Spool
from database.writer import SignalWriter
from handlers.gate import Gate
from handlers.trade_feed import TradeFeed
from settings import Settings
from state.failures import Blocked

_KEY: Final = "alertbook"


class JobFacts(NamedTuple):
    """What the API says about a job that a scheduler starts."""

    name: str
    summary: str
    nightly: bool


@dataclass(frozen=True, slots=True)
class Services:
    """One process's settings, connections and writer."""

    settings: Settings
    pool: Pool
    risk_pool: Pool
    store: DurableStore
    spool: Spool
    tally: Tally
    caretaker: Caretaker
    folder: Folder
    counter: Counter
    trade_feed: TradeFeed | None
    jobs: tuple[JobFacts, ...] = ()
    blocked: Blocked = field(default_factory=Blocked)
    gate: Gate = field(default_factory=Gate)
    started: float = field(default_factory=time.monotonic)

    def close(self) -> None:
        """Write what is pending, report what was counted, and close the connections."""
        self.store.close()
        self.folder.stop()
        self.caretaker.stop()
        self.pool.close()
        self.risk_pool.close()


def make(settings: Settings, database_url: str, jobs: tuple[JobFacts, ...] = ()) -> Services:
    """One process's services; nothing is connected and nothing runs yet."""
    pool = _pool(settings, database_url)
    max_age = timedelta(hours=settings.spool_max_age_hours)
    spool, breaker, tally = Spool(settings.spool_dir, max_mb=settings.spool_max_mb, max_age=max_age), Breaker(), Tally()
    return Services(
        settings=settings,
        pool=pool,
        risk_pool=Pool(database_url, settings.risk_pool_size),
        store=DurableStore(SignalWriter(database_url), spool, breaker),
        spool=spool,
        tally=tally,
        caretaker=Caretaker(pool, spool, breaker, tally),
        folder=Folder(pool),
        counter=Counter(pool),
        trade_feed=TradeFeed(pool) if settings.kpi_from_trades else None,
        jobs=jobs,
    )


def _pool(settings: Settings, database_url: str) -> Pool:
    size, replica_url = settings.db_pool_size, settings.database_read_url
    if replica_url is None:
        return Pool(database_url, size)
    max_lag = settings.database_read_max_lag_seconds
    return PoolWithReplica(database_url, size, replica_url=replica_url, max_lag=max_lag)


def install(app: Flask, made: Services) -> None:
    """Give the application its services."""
    app.extensions[_KEY] = made


def services() -> Services:
    """The services of the application that handles this request."""
    return cast(Services, current_app.extensions[_KEY])
