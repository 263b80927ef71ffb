"""The operator's hands on the database: bring it up to date, look at it."""

from flask import Response

from database import inspection
from database.migrate import MigrationError
from errors import Unavailable
from handlers.blueprint import Blueprint
from handlers.middleware.access import Execution, Role, access
from handlers.middleware.answers import answer
from handlers.middleware.request_id import current_id
from handlers.services import services

blueprint = Blueprint("database_admin", __name__, description="The operator's hands on the database.")


# OBSERVE_ONLY: a database that is behind may lack the very switch that the gate reads, and must not stay behind for it
@blueprint.post("/api/admin/migrate")
@access(Role.ADMIN, Execution.OBSERVE_ONLY)
def migrate() -> Response:
    """Apply the migrations that are pending, as `deploy.py migrate` does.

    `applied` names those that this run applied, `current` the last one that is applied; ok is false, with status 500,
    when one failed: those before it stay applied. Idempotency: with nothing pending nothing happens.
    """
    done = inspection.bring_up_to_date(_direct_url())
    body = {"ok": done.failed is None, "applied": list(done.applied), "current": done.current}
    if done.failed is None:
        return answer(body)
    sentence = f"{done.failed}; the request id finds the reason in the log."
    refusal = {"success": False, "error": sentence, "code": "MIGRATION_FAILED", "details": []}
    return answer({**body, **refusal, "request_id": current_id()}, 500)


@blueprint.get("/api/admin/db/check")
@access(Role.ADMIN)
def check() -> Response:
    """Tables with their sizes, versions, invalid indexes. `ok` is false when a table or a migration is missing."""
    try:
        return answer(inspection.inspect(services().pool, _direct_url()))
    except MigrationError:
        raise Unavailable("The database cannot be reached.") from None


def _direct_url() -> str:
    settings = services().settings
    url = settings.database_url_direct or settings.database_url
    if url is None:
        raise Unavailable("No database is set.")
    return url
