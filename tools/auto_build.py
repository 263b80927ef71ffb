"""Build a pack through the builder's desk: register, draft, show the change, ask, apply.

    python tools/auto_build.py <pack> [--dry-run]

API_BASE is the server (http://localhost:5000 when unset), BUILDER_KEY (or HEIMDALL_BUILDER_API_KEY) its API key.
Nothing is written before the change was shown and somebody said yes; --dry-run ends after showing it.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

ROOT: Final = Path(__file__).resolve().parents[1]
File = Mapping[str, str]


class DeskError(Exception):
    """The desk cannot be reached or refused; the message says why."""


def _read(patterns: Sequence[str], folder: Path = ROOT) -> list[File]:
    """The files that the patterns name, each to be put in the place of what is there."""
    paths = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    return [
        {"path": path.relative_to(folder).as_posix(), "content": path.read_text(encoding="utf-8"), "mode": "replace"}
        for path in paths
    ]


def pack_metrics_capital() -> list[File]:
    """Capital, metrics and telemetry events: routes, queries, figures and jobs."""
    return _read(
        [
            "database/migrations/0041.*",
            "database/queries/capital.sql",
            "database/queries/counts.sql",
            "database/queries/telemetry_events.sql",
            "database/capital.py",
            "database/counts.py",
            "database/freezes.py",
            "database/telemetry_events.py",
            "docs/CAPITAL.md",
            "handlers/capital.py",
            "handlers/capital_jobs.py",
            "handlers/counts.py",
            "handlers/telemetry_events.py",
            "jobs/nightly_capital.py",
            "state/capital.py",
            "state/forecast.py",
            "state/nightly.py",
        ]
    )


def pack_tests() -> list[File]:
    """The tests of what the pack of capital brings."""
    return _read(
        [
            "tests/test_metrics_capital.py",
            "tests/handlers/test_capital*.py",
            "tests/handlers/test_counts.py",
            "tests/handlers/test_telemetry_events.py",
            "tests/state/test_capital.py",
        ]
    )


def pack_reports() -> list[File]:
    """What was measured, as it was published."""
    results = _read(["bench/results/capital.json"])
    return [{**file, "path": "reports/" + Path(file["path"]).name} for file in results]


PACKS: Final[Mapping[str, tuple[str, Callable[[], list[File]]]]] = {
    "metrics_capital": ("Capital, metrics and telemetry", pack_metrics_capital),
    "tests": ("Tests of capital, metrics and telemetry", pack_tests),
    "reports": ("Reports of what was measured", pack_reports),
}


def call(path: str, body: Any) -> Any:
    """The desk's answer to a request. Raises DeskError with the desk's own sentence."""
    base = os.environ.get("API_BASE", "http://localhost:5000").rstrip("/")
    key = os.environ.get("BUILDER_KEY") or os.environ.get("HEIMDALL_BUILDER_API_KEY") or ""
    headers = {"Content-Type": "application/json", **({"X-API-Key": key} if key else {})}
    request = urllib.request.Request(base + path, json.dumps(body).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        try:
            told = json.loads(error.read()).get("error", "")
        except ValueError:
            told = ""
        finally:
            error.close()
        raise DeskError(f"{path} answered {error.code}: {told}") from None
    except OSError as error:
        raise DeskError(f"{base} cannot be reached: {error}") from None


def draft_apply(title: str, files: Sequence[File], dry_run: bool, ask: Callable[[str], bool] = click.confirm) -> bool:
    """Draft the files as a task, show the change, and apply it when `ask` says so; whether it was applied.

    With `dry_run` it ends after showing. Raises DeskError, and ValueError for a pack without files.
    """
    if not files:
        raise ValueError(f"{title}: this pack has no files here.")
    call("/builder/register", {"agent_name": "auto_build", "version": "1"})
    begun = call("/builder/tasks", {"title": title, "scope": f"{len(files)} files", "plan": "\n".join(_paths(files))})
    task_id = begun.get("task_id", begun.get("taskId"))
    drafted = call(f"/builder/draft?task_id={task_id}", [dict(file) for file in files])
    click.echo(drafted["patch"] or "Nothing would change.")
    if dry_run or not drafted["patch"]:
        return False
    if not ask(f"Apply these {drafted['changed']} files?"):
        return False
    done = call("/builder/apply", {"task_id": task_id, "approve": True})
    click.echo(done["diff_summary"])
    return True


def _paths(files: Sequence[File]) -> list[str]:
    return [file["path"] for file in files]


@click.command(help=__doc__)
@click.argument("pack", type=click.Choice(sorted(PACKS)))
@click.option("--dry-run", is_flag=True, help="Show the change and write nothing.")
def main(pack: str, dry_run: bool) -> None:
    """Build one pack."""
    title, collect = PACKS[pack]
    try:
        draft_apply(title, collect(), dry_run)
    except (DeskError, ValueError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
