"""What an operator runs against an environment: migrate, rebuild, check, smoke, keys, audit, review and more."""

import os
import secrets
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import click
import simplejson

from database import backups, citus, console, migrate
from database.embedded import EmbeddedPostgresError, running_url
from database.governance import audit, review
from database.pool import Pool
from database.rebuild import count_streams, rebuild
from database.signals import delete_trades
from errors import AlertbookError, SettingsError
from jobs import backup, running
from settings import Settings, load
from smoke import Target, sample_alerts, try_sample
from state import jsontext

T = TypeVar("T")

KEY_NAMES: Final = ("WEBHOOK_SECRET", "API_KEY", "ADMIN_KEY", "INTERNAL_TOKEN", "SESSION_SECRET", "VIEWER_KEY")


def _fail(message: str) -> NoReturn:
    raise click.ClickException(message)


def _settings() -> Settings:
    try:
        return load(os.environ)
    except SettingsError as error:
        _fail(str(error))


def _database_url() -> str | None:
    """The direct database URL of the settings, else of the embedded database that runs now, else None."""
    settings = _settings()
    return settings.database_url_direct or running_url(settings.data_dir)


def _needed_url() -> str:
    url = _database_url()
    if url is None:
        _fail("DATABASE_URL is unset and no embedded database is running: set it, or start ./dev serve.")
    return url


def _in_one_sentence(command: Callable[..., None]) -> Callable[..., None]:
    """Faults of the database end a command with their message instead of a traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (migrate.MigrationError, EmbeddedPostgresError) as error:
            _fail(str(error))

    return run


@click.group()
def cli() -> None:
    """Run Alertbook's operations against the environment that the settings name."""


@cli.command("migrate")
@_in_one_sentence
def migrate_command() -> None:
    """Apply the pending migrations; the pre-deploy command of a platform."""
    url = _settings().database_url_direct
    if url is None:
        click.echo("DATABASE_URL is unset: nothing to migrate (the embedded database is migrated when it starts).")
        return
    done = migrate.apply(url, on_wait=click.echo)
    for name in done:
        click.echo(f"applied {name}")
    click.echo(f"{len(done)} migrations applied." if done else "Nothing to do: the database is up to date.")


@cli.command()
@_in_one_sentence
def status() -> None:
    """List the migrations and which of them are applied."""
    done = set(migrate.applied(_needed_url()))
    for name in migrate.names():
        click.echo(f"{'applied' if name in done else 'pending'}  {name}")
    for name in sorted(done - set(migrate.names())):
        click.echo(f"unknown  {name} (applied by a newer version)")


@cli.command()
@click.option("--to", "name", required=True, help="The migration that stays the last one.")
@_in_one_sentence
def rollback(name: str) -> None:
    """Undo every migration after the named one, newest first. Columns and tables they made go with their data."""
    undone = migrate.rollback_to(_needed_url(), name, on_wait=click.echo)
    for one in undone:
        click.echo(f"undone {one}")
    if not undone:
        click.echo(f"Nothing to do: no migration after {name} is applied.")


@cli.command()
@click.argument("name")
@_in_one_sentence
def stamp(name: str) -> None:
    """Mark the migrations up to NAME as applied without running them, for a database that has their tables already."""
    marked = migrate.stamp(_needed_url(), name, on_wait=click.echo)
    for one in marked:
        click.echo(f"marked {one}")
    if not marked:
        click.echo(f"Nothing to do: everything up to {name} is marked already.")


@cli.command("rebuild")
@_in_one_sentence
def rebuild_command() -> None:
    """Fold every trade again from its events; exits 1 when a summary differed (it is right afterwards)."""
    pool = Pool(_needed_url(), 2)
    try:
        with click.progressbar(length=count_streams(pool), label="folding", file=sys.stderr) as bar:
            found = rebuild(pool, bar.update)
    except AlertbookError as error:
        _fail(error.message)
    finally:
        pool.close()
    click.echo(f"{found.trades} trades of {found.streams} streams folded.")
    if not found.differed:
        click.echo("Every summary equals its fold.")
        return
    click.echo(f"{len(found.differed)} differed and were rebuilt: {', '.join(found.differed[:20])}")
    raise SystemExit(1)


@cli.command()
def check() -> None:
    """Check settings, keys, the connection, migrations and indexes; exits 1 when one of them is wrong."""
    settings = _settings()
    click.echo("ok    settings are readable")
    results = [_check_keys(settings), *_check_database()]
    if not all(results):
        raise SystemExit(1)


def _report(good: bool, text: str) -> bool:
    click.echo(f"{'ok  ' if good else 'FAIL'}  {text}")
    return good


def _check_keys(settings: Settings) -> bool:
    if not settings.missing_keys:
        return _report(True, "all keys are set")
    names = ", ".join(settings.missing_keys)
    if settings.on_loopback:
        return _report(True, f"unset keys: {names} (allowed, because HOST is {settings.host})")
    return _report(False, f"unset keys: {names}, and HOST {settings.host} can be reached by others")


def _check_database() -> list[bool]:
    url = _database_url()
    if url is None:
        return [_report(False, "DATABASE_URL is unset and no embedded database is running")]
    try:
        pending = migrate.pending(url)
        invalid = migrate.invalid_indexes(url)
    except migrate.MigrationError as error:
        return [_report(False, str(error))]
    return [
        _report(True, "the database answers"),
        _report(not pending, f"pending migrations: {', '.join(pending)}" if pending else "migrations are current"),
        _report(not invalid, f"invalid indexes: {', '.join(invalid)}" if invalid else "indexes are valid"),
    ]


@cli.command()
def keys() -> None:
    """Print a fresh set of keys as NAME=value lines."""
    for name in KEY_NAMES:
        click.echo(f"{name}={secrets.token_hex(24)}")


@cli.command()
@click.option("--url", default="http://127.0.0.1:5000", show_default=True, help="Where the server answers.")
@click.option("--secret", envvar="WEBHOOK_SECRET", help="The webhook's secret (else the first of WEBHOOK_SECRET).")
@click.option("--api-key", envvar="API_KEY", help="The key that reads trades (else the first of API_KEY).")
@click.option("--admin-key", envvar="ADMIN_KEY", help="Reads trades when there is no API key (else ADMIN_KEY).")
def smoke(url: str, secret: str | None, api_key: str | None, admin_key: str | None) -> None:
    """Post every valid sample alert under fresh trade ids, read the trades back, and clean up."""
    target = Target(url.rstrip("/"), _first(secret), _first(api_key), _first(admin_key))
    results = []
    for path in sample_alerts():
        results.append(result := try_sample(target, path))
        click.echo(f"{'pass' if result.passed else 'FAIL'}  {result.case}  {result.message}".rstrip())
    click.echo(clean_up([trade_id for result in results for trade_id in result.trade_ids]))
    failed = sum(not result.passed for result in results)
    click.echo(f"{len(results) - failed} passed, {failed} failed")
    if failed or not results:
        raise SystemExit(1)


def _first(keys_in_rotation: str | None) -> str | None:
    """The first key of a comma list, which is the newest in a rotation."""
    return keys_in_rotation.split(",")[0].strip() if keys_in_rotation else None


def clean_up(trade_ids: list[str]) -> str:
    """Delete the smoke test's own trades straight in the database; returns what to tell the operator."""
    if not trade_ids:
        return "nothing to clean up"
    url = _database_url()
    if url is None:
        return f"NOT cleaned up ({len(trade_ids)} trades named smoke-...): DATABASE_URL is unset here"
    pool = Pool(url, 2)
    try:
        delete_trades(pool, trade_ids)
    except AlertbookError as error:
        return f"NOT cleaned up ({len(trade_ids)} trades named smoke-...): {error.message}"
    finally:
        pool.close()
    return f"cleaned up {len(trade_ids)} trades"


@cli.command()
@_in_one_sentence
def distribute() -> None:
    """Spread the tables over a Citus cluster and check where its hot queries run; exits 1 when that is wrong.

    Runs against the coordinator. What is spread already is left alone; there is no way back but a dump.
    """
    try:
        checked = citus.distribute(_needed_url(), click.echo)
    except citus.CannotDistribute as error:
        for reason in error.reasons:
            _report(False, reason)
        raise SystemExit(1) from None
    results = [
        _report(one.problem is None, f"{one.name}: {one.run}{f' ({one.problem})' if one.problem else ''}")
        for one in checked
    ]
    if not all(results):
        raise SystemExit(1)


@cli.group("audit")
def audit_commands() -> None:
    """Check the audit of governance."""


def _ask_database(ask: Callable[[Pool], T]) -> T:
    """What a question to the database answers; a fault ends the command with its sentence."""
    pool = Pool(_needed_url(), 2)
    try:
        return ask(pool)
    except AlertbookError as error:
        _fail(error.message)
    finally:
        pool.close()


@audit_commands.command("head")
def audit_head() -> None:
    """Print the end of the audit's chain; keep it elsewhere, so that a removed tail can be found."""
    click.echo(_ask_database(audit.head))


@audit_commands.command("verify")
@click.option("--head", "exported", help="A head that `audit head` printed earlier.")
def audit_verify(exported: str | None) -> None:
    """Find an edited, deleted, reordered or (with --head) truncated record; exits 1 when there is one."""
    found = _ask_database(lambda pool: audit.verify(pool, exported))
    if not _report(found.ok, str(found.detail)):
        raise SystemExit(1)


@cli.command("review")
def review_command() -> None:
    """Print the Monday review as JSON; exits 1 when it asks for attention."""
    zone = _settings().risk_day_zone
    facts = _ask_database(lambda pool: review.select_review(pool, zone))
    click.echo(simplejson.dumps(jsontext.stored(jsontext.dump(facts)), indent=2, use_decimal=True))
    if facts["verdict"] != "healthy":
        raise SystemExit(1)


@cli.command("backup")
@click.argument("target", required=False)
@click.option(backup.MADE_ELSEWHERE, "elsewhere", metavar="WHAT", help="Only note that WHAT has made a backup.")
def backup_command(target: str | None, elsewhere: str | None) -> None:
    """Copy the whole database to the file or folder TARGET (-: standard output), and note that it was done."""
    if (target is None) == (elsewhere is None):
        _fail(f"Name the file or folder that the backup goes to (- for standard output), or {backup.MADE_ELSEWHERE}.")
    words = (target,) if target is not None else (backup.MADE_ELSEWHERE, str(elsewhere))
    try:
        outcome = running.run(backup.JOB, _settings(), words, now=datetime.now(UTC))
    except (AlertbookError, SettingsError) as error:
        _fail(str(error))
    if "skipped" in outcome.result:
        _fail(outcome.result["skipped"])
    click.echo(jsontext.dump(outcome.result), err=True)


@cli.command("restore")
@click.argument("dump", type=click.Path(path_type=Path))
def restore_command(dump: Path) -> None:
    """Bring the backup DUMP into the empty database of DATABASE_URL, and verify the audit in it."""
    url = _settings().database_url_direct
    if url is None:
        _fail("DATABASE_URL is unset: set it to the empty database that the backup goes to.")
    try:
        backups.restore(url, dump)
    except AlertbookError as error:
        _fail(error.message)
    click.echo(f"restored {dump}")
    found = _ask_database(audit.verify)
    if not _report(found.ok, str(found.detail)):
        raise SystemExit(1)


@cli.command()
@click.argument("arguments", nargs=-1)
@_in_one_sentence
def psql(arguments: tuple[str, ...]) -> None:
    """Open psql on the database of the settings, or on the embedded one while the server runs."""
    program, environment = console.psql(_needed_url(), os.environ)
    sys.stdout.flush()
    os.execve(program, [str(program), *arguments], environment)


if __name__ == "__main__":
    cli()
