"""`./dev demo`: a server over made-up trades in a database of its own, for looking and for screenshots.

Refuses a database that holds anything.
"""

import os
import sys
from pathlib import Path

import click

from database import analysis, migrate
from database.embedded import EmbeddedPostgres
from demo.filling import fill_app
from handlers.services import services
from settings import ROOT, load
from web_server import create_app


def main() -> None:
    """Fill the demo's database when it is empty, then become its server."""
    data_dir = Path(os.environ.setdefault("ALERTBOOK_DATA_DIR", str(ROOT / "data" / "demo")))
    postgres = EmbeddedPostgres(data_dir)
    url = postgres.start()
    try:
        migrate.apply(url)
        fill(url, data_dir)
    finally:
        postgres.stop()
    os.chdir(ROOT)
    os.environ["ALERTBOOK_MIGRATE_AT_START"] = "1"
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py")])


def fill(url: str, data_dir: Path) -> None:
    """Fill the database at `url`, which has every migration, unless it holds alerts already."""
    app = create_app(load({"DATABASE_URL": url, "ALERTBOOK_DATA_DIR": str(data_dir)}))
    with app.app_context():
        if analysis.any_alert(services().pool):
            click.echo("The demo's database is filled already.")
            return
        click.echo("Filling the demo's database (takes a minute, only this once) ...")
        fill_app(app)


if __name__ == "__main__":
    main()
