"""What a worker holds in memory while it takes alert after alert: ./dev bench memory (about two minutes)."""

import sys
import tempfile
from pathlib import Path

import click
import psutil

from bench import report
from bench.load import Load
from bench.telemetry import Server
from database import migrate
from database.embedded import EmbeddedPostgres

PATH = "/api/automated-signals/webhook"
STEPS = 10


def workers(server: Server) -> list[psutil.Process]:
    """The master's children that serve requests."""
    children = psutil.Process(server.process.pid).children()
    return [one for one in children if "gunicorn" in " ".join(one.cmdline())]


@click.command()
@click.option("--alerts", default=200_000, show_default=True)
def main(alerts: int) -> None:
    """Measure the workers' resident memory after each tenth of so many alerts."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        postgres = EmbeddedPostgres(Path(folder))
        url = postgres.start()
        migrate.apply(url)
        server = Server(url)
        server.start()
        try:
            sent = 0
            while sent < alerts:
                step = 0
                while step < alerts / STEPS:
                    run = Load(server.port, PATH, senders=64, keep=True).run(2)
                    step += len(run.latencies)
                    if run.failures:
                        sys.exit(f"{run.failures} alerts were not stored")
                sent += step
                held = sorted(round(one.memory_info().rss / 2**20, 1) for one in workers(server))
                rows.append({"alerts": sent, "mib": ", ".join(map(str, held)), "most_mib": held[-1]})
        finally:
            server.kill()
            postgres.stop()
    rows[-1]["grown_since_first"] = round(float(str(rows[-1]["most_mib"])) - float(str(rows[0]["most_mib"])), 1)
    report.publish("memory", rows)


if __name__ == "__main__":
    main()
