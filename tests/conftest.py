"""A real PostgreSQL for the tests: one server, a migrated template, a fresh database per test."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings as hypothesis_settings

from database import migrate
from database.embedded import EmbeddedPostgres
from settings import Settings, load
from tests import pgbouncer
from web_server import create_app

hypothesis_settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis_settings.load_profile("steady")

_numbers = itertools.count()


def url_for(server: str, name: str) -> str:
    """The address of another database of the same server."""
    parts = urlsplit(server)
    return urlunsplit(parts._replace(path=f"/{name}"))


def run_sql(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run one statement by itself and return its rows, if it has any."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an embedded PostgreSQL that lives as long as the test run."""
    quick = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}
    postgres = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), settings=quick)
    url = postgres.start()
    yield url
    postgres.stop()


@pytest.fixture(scope="session")
def template(server: str) -> str:
    """The name of a database with every migration applied."""
    run_sql(server, "CREATE DATABASE template_alertbook")
    migrate.apply(url_for(server, "template_alertbook"))
    return "template_alertbook"


@pytest.fixture(scope="session")
def pooler(server: str) -> Iterator[Path | None]:
    """Where PgBouncer's socket is, when this run goes through it."""
    if pgbouncer.PROGRAM is None:
        yield None
        return
    with pgbouncer.pooling(server) as folder:
        yield folder


@pytest.fixture
def empty_database_url(server: str) -> Iterator[str]:
    """A database in which nothing was ever done."""
    yield from _database(server, "template0")


@pytest.fixture
def direct_url(server: str, template: str) -> Iterator[str]:
    """A fresh database with every migration applied, as migrations reach it."""
    yield from _database(server, template)


@pytest.fixture
def database_url(direct_url: str, pooler: Path | None) -> str:
    """The same database as the product reaches it: by way of PgBouncer when this run has one."""
    return direct_url if pooler is None else pgbouncer.through(pooler, direct_url)


def _database(server: str, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    run_sql(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield url_for(server, name)
    run_sql(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(database_url: str, direct_url: str, tmp_path: Path) -> Settings:
    """Settings of a server on loopback without keys."""
    urls = {"DATABASE_URL": database_url, "DATABASE_URL_DIRECT": direct_url}
    return load({**urls, "ALERTBOOK_DATA_DIR": str(tmp_path)})


@pytest.fixture
def app(settings: Settings) -> Flask:
    """An application over a fresh database."""
    return create_app(settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of that application."""
    return app.test_client()
