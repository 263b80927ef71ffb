"""Is it alive, is it ready, what is it."""

import time
from datetime import UTC, datetime
from typing import Any

from flask import Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from database import health
from handlers.blueprint import Blueprint
from handlers.middleware.access import Role, access
from handlers.middleware.answers import answer
from handlers.services import services
from settings import SERVICE, VERSION

blueprint = Blueprint("health", __name__, description="Health of the service.")


@blueprint.get("/healthz")
@access(Role.PUBLIC)
def healthz() -> Response:
    """The process is alive; the database is not asked."""
    return answer({"status": "ok", "service": SERVICE, "version": VERSION})


@blueprint.get("/readyz")
@access(Role.PUBLIC)
def readyz() -> Response:
    """The database answers and every migration is applied; 503 otherwise."""
    state = _database()
    ready = state["database"] == "up" and not state["pending_migrations"]
    headers = {} if ready else {"Retry-After": "5"}
    return answer({"ready": ready, **state}, 200 if ready else 503, headers)


@blueprint.get("/health")
@access(Role.PUBLIC)
def show_health() -> Response:
    """The service and what it depends on: database and redis are "up", "down" or "off" (not configured)."""
    database = _database()["database"]
    redis = health.redis_state(services().settings.redis_url)
    status = "healthy" if database == "up" and redis != "down" else "degraded"
    return answer(
        {"status": status, "service": SERVICE, "version": VERSION, "database": database, "redis": redis},
    )


@blueprint.get("/api/system/status")
@access(Role.PUBLIC)
def show_status() -> Response:
    """Version, uptime of this process, database and migrations."""
    here = services()
    state = _database()
    return answer(
        {
            "ok": state["database"] == "up" and not state["pending_migrations"],
            "service": SERVICE,
            "version": VERSION,
            "time": datetime.now(UTC),
            "uptime_seconds": round(time.monotonic() - here.started),
            "redis": health.redis_state(here.settings.redis_url),
            **state,
        }
    )


@blueprint.get("/")
@access(Role.PUBLIC)
def show_service() -> BaseResponse:
    """What this is and where to go on; a browser is sent to the dashboard."""
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        return redirect("/dashboard", 303)
    return answer(
        {
            "service": SERVICE,
            "version": VERSION,
            "docs": "/docs",
            "links": {
                "dashboard": "/dashboard",
                "webhook": "/api/automated-signals/webhook",
                "trades": "/api/automated-signals/trades",
                "stats": "/api/automated-signals/stats",
                "health": "/health",
                "openapi": "/openapi.json",
            },
        }
    )


def _database() -> dict[str, Any]:
    return health.database_state(services().pool)
