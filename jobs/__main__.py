"""`python -m jobs list` and `python -m jobs run <name> [arguments]`."""

import os
import sys
from datetime import UTC, datetime

import click

from errors import AlertbookError, SettingsError
from jobs import JOBS, running
from settings import load
from state import jsontext


@click.group()
def main() -> None:
    """Alertbook's jobs."""


@main.command("list")
def list_jobs() -> None:
    """Show every job with what it does."""
    for job in JOBS:
        click.echo(f"{job.name:<24}{job.summary}")


@main.command("run", context_settings={"ignore_unknown_options": True})
@click.argument("name", type=click.Choice([job.name for job in JOBS]))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run_job(name: str, arguments: tuple[str, ...]) -> None:
    """Run one job now; its exit code tells how it ended."""
    job = next(job for job in JOBS if job.name == name)
    try:
        outcome = running.run(job, load(os.environ), arguments, now=datetime.now(UTC))
    except SettingsError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    except AlertbookError as error:
        click.echo(f"{name} failed: {error.message}", err=True)
        sys.exit(1)
    # a backup to standard output has that for itself
    click.echo(jsontext.dump({"job": name, "exit_code": outcome.exit_code, **outcome.result}), err="-" in arguments)
    sys.exit(outcome.exit_code)


if __name__ == "__main__":
    main()
