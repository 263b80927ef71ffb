"""Stored alerts per second, beside what bounds them and what they replace, all in one interleaved run.

alertbook    the shipped server: validation, authentication, repeats recognised, durable commits
(a) parse    the same server settings, a route that parses, answers and stores nothing
(b) older    connect, insert, commit, close for every alert
(c) asyncio  FastAPI, uvicorn and an asyncpg pool doing the same insert
(d) pgbench  the same insert without any web server
"""

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import click

from bench import report
from bench.baselines.insert import INSERT
from bench.load import PLACE, TEMPLATE, Load, Result
from database import migrate
from database.embedded import EmbeddedPostgres, binary

ROOT = Path(__file__).resolve().parents[1]
PATH = "/api/automated-signals/webhook"
PYTHON = sys.executable
PORTS = {"alertbook": 5201, "parse": 5202, "older": 5203, "asyncio": 5204}


def _command(name: str) -> list[str]:
    if name == "asyncio":
        return [PYTHON, "-m", "bench.baselines.asyncio_server", str(PORTS[name])]
    conf = "gunicorn.conf.py" if name == "alertbook" else "bench/baselines/gunicorn_plain.py"
    return [PYTHON, "-m", "gunicorn", "-c", conf]


@contextmanager
def served(name: str, environment: Mapping[str, str]) -> Iterator[int]:
    """One of the servers, on its port."""
    apps = {"parse": "bench.baselines.parse_only:app", "older": "bench.baselines.older_design:app"}
    own = {"PORT": str(PORTS[name]), "BASELINE_APP": apps.get(name, ""), "LOG_LEVEL": "WARNING"}
    secret = {"WEBHOOK_SECRET": "bench-secret-1"} if name == "alertbook" else {}
    process = subprocess.Popen(
        _command(name),
        env={**environment, **own, **secret},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(name)
        yield PORTS[name]
    finally:
        process.terminate()
        process.wait(30)


def _wait(name: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORTS[name]}/nowhere", timeout=1).close()
        except urllib.error.HTTPError:
            return  # an answer all the same
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{name} does not answer")


def pgbench(url: str, seconds: int, senders: int) -> float:
    """(d): transactions per second of the same insert."""
    body = TEMPLATE.replace(PLACE, b"pgb").decode().replace("'", "''").replace("\n", " ")
    statement = INSERT.replace("$1", f"'{body}'").replace("$2", "now()").replace("$3", "gen_random_uuid()::text")
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(" ".join(statement.split()) + ";\n")
        script.flush()
        words = [
            str(binary("pgbench")),
            "-n",
            "-M",
            "simple",
            "-c",
            str(min(senders, 32)),
            "-j",
            "2",
            "-T",
            str(seconds),
        ]
        run = subprocess.run([*words, "-f", script.name, url], capture_output=True, text=True, check=True)
    return float(next(line for line in run.stdout.splitlines() if line.startswith("tps")).split()[2])


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=4.0, show_default=True)
@click.option("--only", multiple=True, type=click.Choice([*PORTS, "pgbench"]), help="leave the others out")
def main(rounds: int, seconds: float, only: tuple[str, ...]) -> None:
    """Measure stored alerts per second against the baselines."""
    report.require("fastapi==0.165.0", "uvicorn==0.54.0", "asyncpg==0.32.0")
    wanted = [name for name in (*PORTS, "pgbench") if not only or name in only]
    shapes = [(32, True), (128, True), (32, False), (128, False)]
    figures: dict[str, dict[str, list[Any]]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # the older design has a connection for each sender
        postgres = EmbeddedPostgres(folder, settings={"max_connections": "200"})
        url = postgres.start()
        stack.callback(postgres.stop)
        migrate.apply(url)
        environment = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(ROOT), "ALERTBOOK_DATA_DIR": str(folder)}
        ports = {name: stack.enter_context(served(name, environment)) for name in wanted if name in PORTS}
        for senders, keep in shapes:
            shape = f"{senders} senders, {'kept' if keep else 'new'} connections"
            for _ in range(rounds):
                for name, port in ports.items():
                    path = f"{PATH}/bench-secret-1" if name == "alertbook" else PATH
                    run = Load(port, path, senders=senders, keep=keep).run(seconds)
                    figures.setdefault(shape, {}).setdefault(name, []).append(run)
                if "pgbench" in wanted and keep:
                    figures[shape].setdefault("pgbench", []).append(pgbench(url, int(seconds), senders))
        if "alertbook" in ports:
            figures["half load, 32 senders"] = {"alertbook": _half_load(ports["alertbook"], figures, rounds, seconds)}
    report.publish("webhook", _rows(figures))


def _half_load(port: int, figures: dict[str, dict[str, list[Any]]], rounds: int, seconds: float) -> list[Result]:
    """Alerts at half the speed that the same senders reached when they did not rest."""
    full = median(one.per_second for one in figures["32 senders, kept connections"]["alertbook"])
    pause = 32 / (full / 2) - 0.003
    path = f"{PATH}/bench-secret-1"
    return [Load(port, path, senders=32, keep=True, pause=pause).run(seconds) for _ in range(rounds)]


def _rows(figures: dict[str, dict[str, list[Any]]]) -> list[dict[str, Any]]:
    rows = []
    for shape, runs in figures.items():
        speed = {name: [_speed(one) for one in several] for name, several in runs.items()}
        for name, several in runs.items():
            row: dict[str, Any] = {"load": shape, "server": name, "per_second": round(median(speed[name]))}
            if isinstance(several[0], Result):
                row["p50_ms"] = round(median(one.quantile_ms(0.5) for one in several), 1)
                row["p99_ms"] = round(median(one.quantile_ms(0.99) for one in several), 1)
                row["failures"] = sum(one.failures for one in several)
            if "alertbook" in speed and name != "alertbook":
                pairs = zip(speed["alertbook"], speed[name], strict=True)
                row["alertbook_is"] = round(median(ours / other for ours, other in pairs if other), 2)
            rows.append(row)
    return rows


def _speed(run: Any) -> float:
    return run.per_second if isinstance(run, Result) else float(run)


if __name__ == "__main__":
    main()
