"""The application and its start: create_app() and main(), nothing else."""

import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from flask import Flask
from flask_smorest import Api

import dashboard
import handlers
from errors import SettingsError
from handlers import express, middleware
from handlers.middleware import logs
from handlers.services import JobFacts, install, make
from jobs import JOBS
from settings import ROOT, VERSION, Settings, load


class Alertbook(Flask):
    """Flask, told that nothing here is a coroutine."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: Flask would look at each view and hook again at every request."""
        return func


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application of one process, for these settings or those of the environment.

    Nothing is connected until the first request. Raises SettingsError.
    """
    settings = settings or load(os.environ)
    if settings.database_url is None:
        raise SettingsError("DATABASE_URL is unset: set it, or start with `./dev serve`, which brings a database.")
    logs.configure(settings.log_level)
    app = Alertbook("alertbook", static_folder=None)
    app.config.update(API_TITLE="Alertbook", API_VERSION=VERSION, OPENAPI_VERSION="3.1.0")
    app.config.update(OPENAPI_URL_PREFIX="/", OPENAPI_JSON_PATH="openapi.json")
    jobs = tuple(JobFacts(job.name, job.summary, job.nightly) for job in JOBS)
    install(app, make(settings, settings.database_url, jobs))
    api = Api(app)
    for blueprint in handlers.BLUEPRINTS:
        api.register_blueprint(blueprint)
    app.register_blueprint(dashboard.blueprint)
    middleware.install(app)
    express.install(app, app.extensions["alertbook"])
    return app


def main() -> NoReturn:
    """Become the server: gunicorn with gunicorn.conf.py, which also brings the database up to date."""
    os.environ["ALERTBOOK_MIGRATE_AT_START"] = "1"
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py")])


if __name__ == "__main__":
    main()
