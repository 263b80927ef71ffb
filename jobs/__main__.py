"""`python -m jobs list` and `python -m jobs run <name> [arguments]`."""

import os
import sys

import click

from errors import SettingsError
from jobs import JOBS
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
        settings = load(os.environ)
    except SettingsError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    outcome = job.run(settings, arguments)
    click.echo(jsontext.dump({"job": name, "exit_code": outcome.exit_code, **outcome.result}))
    sys.exit(outcome.exit_code)


if __name__ == "__main__":
    main()
