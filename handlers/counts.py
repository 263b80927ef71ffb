"""The public numbers: how many rows, how many requests, how fast."""

from typing import Any

from flask import Response

from handlers.blueprint import Blueprint
from handlers.middleware.access import Role, access
from handlers.middleware.answers import answer
from handlers.middleware.metrics import traffic
from handlers.services import services

blueprint = Blueprint("counts", __name__, description="Public numbers.")


@blueprint.get("/api/metrics")
@access(Role.PUBLIC)
def show_counts() -> Response:
    """Rows by table, exact and at most 5 s old, and the requests of this server since its start.

    A count that failed is null and `notes` says why; `ok` is false then. `errors_total` counts answers of status 500
    and above; `p50_ms` and `p95_ms` are of all requests of all worker processes, null before the first one.
    """
    counts = services().counter.counts()
    seen = traffic()
    body: dict[str, Any] = {
        "ok": not counts.notes,
        "research_sources": counts.rows["research_sources"],
        "research_docs": counts.rows["research_docs"],
        "telemetry_events": counts.rows["telemetry_events"],
        "capital_intake_records": counts.rows["capital_intake"],
        "builder_tasks": counts.rows["builder_tasks"],
        "playbooks": counts.rows["playbooks"],
        "requests_total": seen.requests_total,
        "errors_total": seen.errors_total,
        "p50_ms": seen.p50_ms,
        "p95_ms": seen.p95_ms,
    }
    if counts.notes:
        body["notes"] = {_shown(table): note for table, note in counts.notes.items()}
    return answer(body)


def _shown(table: str) -> str:
    return "capital_intake_records" if table == "capital_intake" else table
