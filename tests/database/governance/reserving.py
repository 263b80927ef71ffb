"""What the processes of these tests do: reserve, settle, hold a lock, look at a wire."""

import threading
import time
from collections.abc import Callable
from decimal import Decimal
from multiprocessing.context import SpawnContext
from multiprocessing.synchronize import Event
from typing import Any

from database.governance import go_live, regression, risk, settlements
from database.governance.audit import Who
from database.governance.risk import Request, Rules
from database.governance.settlements import Fill
from database.pool import Pool

RULES = Rules("UTC", enforced=False, ttl_seconds=900)
TESTER = Who("tester")
OPERATOR = Who("operator", reason="test")


def reserve(pool: Pool, amount: object, engine: str = "WHOLESALE", **fields: Any) -> dict[str, Any]:
    return risk.reserve(pool, TESTER, Request(engine, Decimal(str(amount)), **fields), RULES)


def settle(pool: Pool, reservation_id: str, loss: object = 0, filled: object | None = None) -> dict[str, Any]:
    amount = None if filled is None else Decimal(str(filled))
    fill = Fill(None, None, amount, Decimal(str(loss)))
    return settlements.settle(pool, TESTER, reservation_id, fill, zone="UTC")


def release(pool: Pool, reservation_id: str) -> dict[str, Any]:
    return settlements.release(pool, TESTER, reservation_id)


def open_caps(pool: Pool, cap: int, engines: tuple[str, ...] = ("GLOBAL", "WHOLESALE")) -> None:
    caps = dict.fromkeys(("max_daily_loss", "max_daily_exposure", "max_open_risk"), Decimal(cap))
    for engine in engines:
        risk.upsert_policy(pool, OPERATOR, engine, {**caps, "enabled": True})


def in_threads(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def in_processes(context: SpawnContext, count: int, target: Callable[..., None], *args: Any) -> list[Any]:
    processes = [context.Process(target=target, args=args) for _ in range(count)]
    for process in processes:
        process.start()
    return processes


def reserve_many(url: str, threads: int, each: int, amount: str, start: Event) -> None:
    pool = Pool(url, threads)

    def work() -> None:
        start.wait()
        for _ in range(each):
            reserve(pool, amount)

    in_threads(threads, work)


def reserve_until(url: str, threads: int, stop: Event) -> None:
    pool = Pool(url, threads)

    def work() -> None:
        while not stop.is_set():
            reserve(pool, 1)

    in_threads(threads, work)


def hold_the_lock(url: str, held: Event) -> None:
    with Pool(url, 1).transaction() as connection:
        go_live.lock_global(connection)
        held.set()
        time.sleep(600)


def look_at_wire(url: str, start: Event) -> None:
    pool = Pool(url, 2)
    start.wait()
    for _ in range(5):
        regression.evaluate(pool, TESTER, "WHOLESALE", "contract_rate")
