"""The public numbers of a real server with several workers."""

import json
import os
import signal
from pathlib import Path
from urllib.request import urlopen

from tests.processes import server, wait_until


def total(url: str) -> int:
    """requests_total as whichever worker gets the connection tells it; the request that asks is not in it yet."""
    with urlopen(f"{url}/api/metrics", timeout=20) as answer:
        return int(json.load(answer)["requests_total"])


def counts_one_by_one(url: str) -> bool:
    """Whether each of 21 requests in a row, whoever answers it, tells of just one more than the one before.

    A check for the server's start that its sender gave up on may still be answered, and counted, in between.
    """
    told = [total(url) for _ in range(21)]
    return told == list(range(told[0], told[0] + 21))


def test_every_worker_tells_the_sum_of_all(database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    (folder / "counter_1.db").write_bytes(b"left by an earlier server")
    environment = {"DATABASE_URL": database_url, "WEB_CONCURRENCY": "2", "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    with server(tmp_path / "data", environment=environment) as one:

        def both_have_answered() -> bool:
            total(one.url)
            return len(list(folder.glob("counter_*.db"))) == 2

        wait_until(both_have_answered, 60, "an answer of each worker")
        wait_until(lambda: counts_one_by_one(one.url), 30, "workers that tell the same sum")
        counted = total(one.url)
        worker = int(next(folder.glob("counter_*.db")).stem.partition("_")[2])
        os.kill(worker, signal.SIGKILL)
        wait_until(one.answers, 30, "an answer after a worker was killed")
        assert total(one.url) > counted
