"""Telemetry measured: a script through an outage, ingest per second, and each metrics endpoint at a million rows.

    ./dev bench telemetry outage     two minutes at 500 records a second: up, stopped, frozen, restarted
    ./dev bench telemetry ingest     batches of 1,000 records from four senders
    ./dev bench telemetry reads      every endpoint over 1,000,000 rows of each kind
    ./dev bench telemetry call       the record call alone, in a loop

Each starts a server of its own, with its own database, in a temporary folder.
"""

import gzip
import json
import os
import runpy
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2

from database import migrate
from database.embedded import EmbeddedPostgres
from telemetry_client import HttpStorage, TelemetryManager

ROOT = Path(__file__).resolve().parent.parent
RECORDS = 1_000_000


class Server:
    """Alertbook on a free port, over a database that outlives its restarts."""

    def __init__(self, database_url: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, "DATABASE_URL": database_url, "PORT": str(self.port), "HOST": "127.0.0.1"}

    def start(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="bench-data-")
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "web_server.py")],
            env={**self.environment, "ALERTBOOK_DATA_DIR": self.folder},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)

    def signal(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def stop(self) -> None:
        """End as an operator ends it, and leave nothing behind."""
        self.signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.folder)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def serving() -> Iterator[tuple[Server, str]]:
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    postgres = EmbeddedPostgres(folder)
    url = postgres.start()
    migrate.apply(url)
    server = Server(url)
    server.start()
    try:
        yield server, url
    finally:
        server.signal(signal.SIGCONT)
        server.kill()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def say(**numbers: Any) -> None:
    sys.stdout.write(json.dumps(numbers) + "\n")
    sys.stdout.flush()


def micros(took: list[int]) -> dict[str, float]:
    took = sorted(took)
    return {"p50_us": took[len(took) // 2] / 1000, "p99_us": took[int(len(took) * 0.99)] / 1000}


class Bare:
    """What this machine makes of a call that only appends its arguments to a list: the floor of the record call."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: self.kept.append((args, kwargs))


def outage() -> None:
    """Thirty seconds each: up, killed, frozen, up again; before them a bare call for comparison."""
    walk = runpy.run_path(str(ROOT / "docs" / "examples" / "telemetry_random_walk.py"))
    say(state="bare list", **micros(walk["run"](Bare(), 1, 20, 500, 1)))
    with serving() as (server, url):
        telemetry = TelemetryManager(HttpStorage(server.url, timeout=2.0), flush_interval_seconds=1.0)

        def disturb() -> None:
            time.sleep(30)
            server.kill()
            time.sleep(30)
            server.start()
            server.signal(signal.SIGSTOP)
            time.sleep(28)
            server.signal(signal.SIGCONT)

        helper = threading.Thread(target=disturb)
        helper.start()
        took = walk["run"](telemetry, 1, 120, 500, 1)
        helper.join()
        flushed = telemetry.flush(60)
        for place, state in enumerate(("up", "stopped", "frozen", "restarted")):
            say(state=state, **micros(took[place * 15_000 : (place + 1) * 15_000]))
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT sum(accepted) FROM dd_telemetry_batch")
            stored = cursor.fetchone()
        say(flushed=flushed, stored=int(stored[0]) if stored else 0, stats=telemetry.stats())
        telemetry.close()


def call() -> None:
    """The record call in a loop that pauses now and then, against nothing, against a frozen and a living server."""
    with serving() as (server, _):
        for state in ("up", "frozen", "down"):
            if state == "frozen":
                server.signal(signal.SIGSTOP)
            telemetry = TelemetryManager(
                HttpStorage(server.url if state != "down" else "http://127.0.0.1:1"), max_queue=1_000_000
            )
            took = []
            for place in range(100_000):
                began = time.perf_counter_ns()
                telemetry.record_order_metric(1, "SPY", "limit", "buy", "pending", 5, "o1", limit_price=500.25)
                took.append(time.perf_counter_ns() - began)
                if place % 500 == 0:
                    time.sleep(0.005)
            say(state=state, **micros(took))
            telemetry.close(0.1)


def ingest() -> None:
    """Records per second that are answered as stored, from four senders at once."""
    with serving() as (server, _):
        at = datetime.now(UTC).isoformat()
        record = {"kind": "latency", "profile_id": 1, "timestamp": at, "script_name": "s", "latency_ms": 12.5}
        body = gzip.compress("\n".join([json.dumps(record)] * 1000).encode(), 1)
        until = time.perf_counter() + 10
        counts = [0] * 4

        def post(place: int) -> None:
            while time.perf_counter() < until:
                headers = {"Content-Encoding": "gzip", "X-Batch-Id": f"{place}-{counts[place]}"}
                request = urllib.request.Request(f"{server.url}/api/v1/telemetry/ingest", body, headers)
                with urllib.request.urlopen(request, timeout=30) as answer:
                    assert json.load(answer)["accepted"] == 1000
                counts[place] += 1000

        senders = [threading.Thread(target=post, args=(place,)) for place in range(4)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        say(records_per_second=round(sum(counts) / 10))


FILL = (
    "INSERT INTO dd_trade_performance (profile_id, symbol, trade_type, side, entry_price, exit_price, quantity,"
    " multiplier, pnl, slippage, exit_reason, entry_time, exit_time, duration_seconds, source, created_at)"
    " SELECT 1, 'SPY', 'breakout', 'long', 500.25, 500.25 + p, 5, 1, 5 * p, 0.0012,"
    " (ARRAY['profit_target', 'stop_loss'])[1 + n % 2], now() - n * interval '2 s', now() - n * interval '1 s', 60,"
    " 'telemetry', now() FROM (SELECT n, round((random() - 0.5)::numeric, 2) AS p FROM generate_series(1, {0}) n) AS x",
    "INSERT INTO dd_breakout_signals (profile_id, recorded_at, symbol, direction, bar_strength, close_price,"
    " candle_size, volume, created_at) SELECT 1, now() - n * interval '2 s', 'SPY', 'up', 0.5, 500, 1, 1, now()"
    " FROM generate_series(1, {0}) AS n",
    "INSERT INTO dd_equity_points (profile_id, recorded_at, account_equity, unrealized_pnl, realized_pnl, margin_used,"
    " margin_available, open_positions_count, created_at) SELECT 1, now() - n * interval '2 s',"
    " 10000 + round((1000 * random())::numeric, 2), 1, 2, 3, 4, 5, now() FROM generate_series(1, {0}) AS n",
    "INSERT INTO dd_orders (profile_id, order_id, script_name, status, status_rank, status_at, first_at, opened_at,"
    " filled_at) SELECT 1, n::text, 's', (ARRAY['filled', 'canceled'])[1 + n % 2], 6, now(),"
    " now() - n * interval '2 s', now() - n * interval '2 s', now() - n * interval '1 s'"
    " FROM generate_series(1, {0}) AS n",
    "INSERT INTO dd_api_latency (profile_id, recorded_at, script_name, latency_ms, created_at)"
    " SELECT 1, now() - n * interval '3 ms', 's' || n % 3, round((50 * random())::numeric, 2), now()"
    " FROM generate_series(1, {0}) AS n",
    "INSERT INTO dd_system_health (profile_id, recorded_at, script_name, status, error_count, warning_count,"
    " created_at) SELECT 1, now() - n * interval '2 s', 's' || n % 3, 'healthy', 0, 0, now()"
    " FROM generate_series(1, {0}) AS n",
)
PATHS = (
    "metrics/breakout/1?days=365",
    "metrics/equity/1?days=365",
    "metrics/orders/1?days=365",
    "metrics/system/1",
    "trades/1?days=365&limit=100",
    "trades/1/performance?days=365",
)


def reads() -> None:
    """The median of five answers of each endpoint, the whole million in the window (latencies: in the hour)."""
    with serving() as (server, url):
        connection = psycopg2.connect(url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in FILL:
                cursor.execute(statement.format(RECORDS))
            cursor.execute("VACUUM ANALYZE")
        connection.close()
        for path in PATHS:
            took = []
            for _ in range(5):
                began = time.perf_counter()
                with urllib.request.urlopen(f"{server.url}/api/v1/{path}", timeout=60) as answer:
                    answer.read()
                took.append(time.perf_counter() - began)
            say(path=path, milliseconds=round(1000 * statistics.median(took)))


if __name__ == "__main__":
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    parts = {"outage": outage, "ingest": ingest, "reads": reads, "call": call}
    if wanted not in parts:
        sys.stdout.write(__doc__ or "")
        raise SystemExit(2)
    parts[wanted]()
