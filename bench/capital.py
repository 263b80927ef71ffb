"""What the ledger takes and what counting costs: `python bench/capital.py`.

A server with two workers over a PostgreSQL with durable commits. First deposits from 16 connections for some seconds;
then a million telemetry events and a million ledger records, and /api/metrics: the first count, the later ones, and
what a plain count of the same tables takes.
"""

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psycopg2

from bench.report import publish
from database import migrate
from database.embedded import EmbeddedPostgres

ROOT: Final = Path(__file__).resolve().parents[1]
SENDERS: Final = 16
SECONDS: Final = 8.0
#: Of each of two tables; another number may be given.
ROWS: Final = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
BODY: Final = b'{"source": "bench", "currency": "CAD", "amount": 1234.56, "note": "one deposit of many"}'


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(url: str, port: int, data: Path) -> subprocess.Popen[bytes]:
    """A server that answers."""
    environment = {**os.environ, "DATABASE_URL": url, "PORT": str(port), "ALERTBOOK_DATA_DIR": str(data)}
    server = subprocess.Popen([sys.executable, "web_server.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return server
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()


def deposit(port: int, until: float, took: list[float]) -> None:
    """Deposit after deposit on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while time.perf_counter() < until:
        started = time.perf_counter()
        connection.request("POST", "/api/capital/intake", BODY, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        assert response.status == 201, response.status
        took.append(time.perf_counter() - started)
    connection.close()


def deposits(port: int) -> dict[str, Any]:
    """Deposits per second from all senders, and how long one takes."""
    took: list[float] = []
    until = time.perf_counter() + SECONDS
    threads = [threading.Thread(target=deposit, args=(port, until, took)) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took.sort()
    return {
        "what": f"deposits, {SENDERS} connections",
        "per_second": round(len(took) / SECONDS),
        "p50_ms": round(1000 * took[len(took) // 2], 1),
        "p95_ms": round(1000 * took[int(len(took) * 0.95)], 1),
    }


def ask(port: int) -> float:
    """Milliseconds of one /api/metrics."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    started = time.perf_counter()
    connection.request("GET", "/api/metrics")
    assert b'"ok":true' in connection.getresponse().read()
    connection.close()
    return 1000 * (time.perf_counter() - started)


def counting(url: str, port: int) -> list[dict[str, Any]]:
    """What /api/metrics takes over large tables, and a plain count of them."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("INSERT INTO telemetry_events (kind) SELECT 'bench' FROM generate_series(1, %s)", (ROWS,))
    cursor.execute(
        "INSERT INTO capital_intake (source, amount) SELECT 'bench', 1 + n %% 100 FROM generate_series(1, %s) AS n",
        (ROWS,),
    )
    cursor.execute("VACUUM ANALYZE telemetry_events, capital_intake")
    started = time.perf_counter()
    cursor.execute("SELECT (SELECT count(*) FROM telemetry_events) + (SELECT count(*) FROM capital_intake)")
    plain = 1000 * (time.perf_counter() - started)
    connection.close()
    first = ask(port)
    later = []
    for _ in range(5):
        time.sleep(2.2)
        later.append(ask(port))
    between = sorted(ask(port) for _ in range(50))
    rows = f"2 tables of {ROWS:,} rows"
    return [
        {"what": f"/api/metrics, the first, {rows}", "p50_ms": round(first, 1)},
        {"what": "/api/metrics, counted anew", "p50_ms": round(sorted(later)[2], 1), "p95_ms": round(max(later), 1)},
        {"what": "/api/metrics, between two counts", "p50_ms": round(between[25], 1), "p95_ms": round(between[47], 1)},
        {"what": f"plain count(*) of the {rows}", "p50_ms": round(plain, 1)},
    ]


def main() -> None:
    """Run and publish."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "data")
        url = postgres.start()
        try:
            migrate.apply(url)
            port = free_port()
            server = serve(url, port, Path(folder) / "server")
            try:
                publish("capital" if ROWS == 1_000_000 else f"capital-{ROWS}", [deposits(port), *counting(url, port)])
            finally:
                server.terminate()
                server.wait()
        finally:
            postgres.stop()


if __name__ == "__main__":
    main()
