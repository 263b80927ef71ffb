"""The jobs that a scheduler starts, each with its last run."""

from typing import Any

from flask import Response

from database import jobs
from handlers.blueprint import Blueprint
from handlers.middleware.access import Role, access
from handlers.middleware.answers import answer
from handlers.services import JobFacts, services

blueprint = Blueprint("jobs", __name__, description="Jobs that a scheduler starts.")


@blueprint.get("/api/v1/jobs")
@access(Role.READ)
def list_jobs() -> Response:
    """Every job with its last run: when, how long, how it ended and what it found.

    `last_run` is null for a job that never ran; its `status` is running, done, failed, or lost (its process ended
    without a word). `day` is the New York day that a nightly run was about; `duration_seconds` is null while it runs.
    """
    here = services()
    runs = jobs.last_runs(here.pool)
    return answer({"ok": True, "items": [_shown(job, runs.get(job.name)) for job in here.jobs], "next_cursor": None})


def _shown(job: JobFacts, run: dict[str, Any] | None) -> dict[str, Any]:
    held = run.pop("held") if run is not None else False
    return {**job._asdict(), "running": held and run is not None and run["status"] == "running", "last_run": run}
