"""The risk guard under fire: reserve and settle per second, how long a flip takes, and what the gate costs an alert.

reserve + settle  pairs per second of 16 writers over 4 processes, against the shipped server with durable commits
flip              the kill switch engaged over HTTP while the 16 writers are at work
gate              what the gate adds to a webhook request, beside the time of a whole request without a network
"""

import http.client
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median
from typing import Any

import click

from bench import report
from database import migrate
from database.embedded import EmbeddedPostgres
from settings import load
from web_server import create_app

PORT = 5216
ROOT = "/api/governance"
PROCESSES = THREADS = 4
ALERT = {"type": "ENTRY", "entry_price": 20500, "stop_loss": 20480, "direction": "Bullish"}


class Caller:
    """One kept connection to the server."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", ROOT + path, json.dumps(body), headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}: {text.decode()}")
        return json.loads(text)


def write(port: int, stop: Event, pairs: Any) -> None:
    """Four writers that reserve and settle until they are stopped."""

    def work() -> None:
        caller = Caller(port)
        while not stop.is_set():
            asked = {"engine": "WHOLESALE", "amount": 1, "actor": "bench"}
            reservation = caller.post("/risk/check-and-reserve", asked)["reservation_id"]
            if reservation is not None:
                caller.post("/risk/settle", {"reservation_id": reservation, "filled_amount": 0})
                with pairs.get_lock():
                    pairs.value += 1

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def under_fire(port: int, seconds: float, flips: int) -> tuple[float, list[float]]:
    """Pairs per second of one round, and the seconds of each flip (none: the round is undisturbed)."""
    context = multiprocessing.get_context("spawn")
    stop, pairs = context.Event(), context.Value("i", 0)
    writers = [context.Process(target=write, args=(port, stop, pairs)) for _ in range(PROCESSES)]
    for writer in writers:
        writer.start()
    give_up = time.monotonic() + 40
    while pairs.value < 20:
        if time.monotonic() > give_up:
            raise SystemExit("the writers do not get on")
        time.sleep(0.05)
    operator, took = Caller(port), []
    before, started = pairs.value, time.perf_counter()
    for _ in range(flips):
        at = time.perf_counter()
        operator.post("/go-live/kill-switch/engage", {"actor": "bench", "reason": "bench"})
        took.append(time.perf_counter() - at)
        operator.post("/go-live/kill-switch/release", {"actor": "bench"})
        time.sleep(0.05)
    time.sleep(max(0.0, seconds - (time.perf_counter() - started)))
    speed = (pairs.value - before) / (time.perf_counter() - started)
    stop.set()
    for writer in writers:
        writer.join(60)
    return speed, took


@contextmanager
def served(environment: Mapping[str, str]) -> Iterator[None]:
    """The shipped server on its port."""
    own = {"PORT": str(PORT), "LOG_LEVEL": "WARNING"}
    words = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
    process = subprocess.Popen(words, env={**environment, **own}, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=1).close()
                break
            time.sleep(0.1)
        if process.poll() is not None:
            raise SystemExit("the server did not start")
        yield
    finally:
        process.terminate()
        process.wait(30)


def gate_cost(url: str, folder: Path, rounds: int) -> dict[str, Any]:
    """Microseconds of the gate on the webhook's route, and of a whole request to it."""
    given = {"DATABASE_URL": url, "ALERTBOOK_DATA_DIR": str(folder), "LOG_LEVEL": "ERROR"}
    app = create_app(load({**given, "ENV": "production", "GO_LIVE_ENFORCE": "1"}))
    gate = next(one for one in app.before_request_funcs[None] if one.__name__ == "pass_gate")
    client = app.test_client()
    gates, requests = [], []
    for number in range(rounds):
        with app.test_request_context("/api/automated-signals/webhook", method="POST"):
            at = time.perf_counter()
            for _ in range(10_000):
                gate()
            gates.append((time.perf_counter() - at) / 10_000)
        at = time.perf_counter()
        for place in range(200):
            body = {**ALERT, "signal_id": f"gate-{number}-{place}"}
            assert client.post("/api/automated-signals/webhook", json=body).status_code == 200
        requests.append((time.perf_counter() - at) / 200)
    part = median(gates) / median(requests)
    return {
        "measure": "gate on a webhook",
        "median": f"{median(gates) * 1e6:.2f} us",
        "p99": "",
        "note": f"{part:.2%} of a request of {median(requests) * 1e6:.0f} us",
    }


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=4.0, show_default=True)
@click.option("--flips", default=30, show_default=True, help="per round")
def main(rounds: int, seconds: float, flips: int) -> None:
    """Measure the risk guard, the kill switch and the gate."""
    speeds, disturbed, took = [], [], []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = EmbeddedPostgres(folder)
        url = postgres.start()
        stack.callback(postgres.stop)
        migrate.apply(url)
        cost = gate_cost(url, folder, rounds)
        environment = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": ".", "ALERTBOOK_DATA_DIR": str(folder)}
        stack.enter_context(served(environment))
        caps = dict.fromkeys(("max_daily_loss", "max_daily_exposure", "max_open_risk"), 10**9)
        for engine in ("GLOBAL", "WHOLESALE"):
            Caller(PORT).post("/risk/policies/upsert", {**caps, "engine": engine, "actor": "bench"})
        for _ in range(rounds):
            speeds.append(under_fire(PORT, seconds, 0)[0])
            speed, flipped = under_fire(PORT, seconds, flips)
            disturbed.append(speed)
            took += flipped
    took.sort()
    rows = [
        {
            "measure": "reserve + settle, 16 writers",
            "median": f"{median(speeds):.0f} pairs/s",
            "note": "two commits each",
        },
        {"measure": "the same, being flipped", "median": f"{median(disturbed):.0f} pairs/s"},
        {
            "measure": "flip, 16 writers at work",
            "median": f"{median(took) * 1000:.1f} ms",
            "p99": f"{took[int(len(took) * 0.99)] * 1000:.1f} ms",
            "note": f"{len(took)} flips",
        },
        cost,
    ]
    report.publish("governance", rows)


if __name__ == "__main__":
    main()
