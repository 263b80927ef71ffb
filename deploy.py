"""What an operator runs against an environment: migrate, rebuild, check, smoke, keys, audit, review and more."""

import json
import os
import re
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import click
import simplejson

from database import console, migrate
from database.embedded import EmbeddedPostgresError, running_url
from database.governance import audit, review
from database.pool import Pool
from database.rebuild import count_streams, rebuild
from database.signals import delete_trades
from errors import AlertbookError, SettingsError
from settings import ROOT, Settings, load
from state import jsontext

T = TypeVar("T")

TEST_PAYLOADS: Final = ROOT / "test_payloads"
SMOKE_SECONDS: Final = 20.0
_IDS: Final = re.compile(rb'(?P<name>"(?:trade_id|signal_id)"\s*:\s*)(?P<id>"(?:[^"\\]|\\.)*"|-?\d+)')
#: What names the stream of a position alert, which has no trade id.
_STREAMS: Final = re.compile(rb'(?P<name>"(?:ticker|symbol|tv_instrument|bot_uuid)"\s*:\s*)(?P<id>"(?:[^"\\]|\\.)*")')

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
        results.append(result := _try_sample(target, path))
        click.echo(f"{'pass' if result.passed else 'FAIL'}  {result.case}  {result.message}".rstrip())
    click.echo(clean_up([trade_id for result in results for trade_id in result.trade_ids]))
    failed = sum(not result.passed for result in results)
    click.echo(f"{len(results) - failed} passed, {failed} failed")
    if failed or not results:
        raise SystemExit(1)


@dataclass(frozen=True, slots=True)
class Target:
    """The server under the smoke test and the keys for it."""

    url: str
    secret: str | None
    api_key: str | None
    admin_key: str | None

    def post(self, body: bytes) -> tuple[int, Any]:
        path = "/api/automated-signals/webhook" + (f"/{quote(self.secret, safe='')}" if self.secret else "")
        return self._ask(Request(self.url + path, data=body, headers={"Content-Type": "application/json"}))

    def get_trade(self, trade_id: str) -> tuple[int, Any]:
        return self._get(f"trade/{quote(trade_id, safe='')}")

    def get_event(self, event_id: int) -> tuple[int, Any]:
        return self._get(f"telemetry/{event_id}")

    def _get(self, path: str) -> tuple[int, Any]:
        keys = {"X-API-Key": self.api_key} if self.api_key else {"X-Admin-Key": self.admin_key}
        headers = {name: key for name, key in keys.items() if key}
        return self._ask(Request(f"{self.url}/api/automated-signals/{path}", headers=headers))

    @staticmethod
    def _ask(request: Request) -> tuple[int, Any]:
        """Status and JSON of an answer; status 0 and a sentence when there was none."""
        try:
            with urlopen(request, timeout=SMOKE_SECONDS) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, error.read(500).decode("utf-8", "replace")
        except (OSError, ValueError) as error:
            return 0, f"no answer: {error}"


@dataclass(frozen=True, slots=True)
class SmokeResult:
    """How one sample alert fared; `trade_ids` are those that it left in the store."""

    case: str
    passed: bool
    message: str
    trade_ids: tuple[str, ...]


def sample_alerts(folder: Path = TEST_PAYLOADS) -> list[Path]:
    """The valid sample alerts of every payload version, in order of name."""
    return [
        path
        for path in sorted(folder.glob("*/*.json"))
        if not path.name.endswith(".expected.json") and not path.name.startswith("invalid__")
    ]


def with_fresh_ids(body: bytes, prefix: str) -> tuple[bytes, set[str]]:
    """The alert with each different trade_id and signal_id, wherever it sits, replaced by a new one.

    Of a position alert, which has none, the symbol or bot is replaced, so that it makes a stream of its own.
    Works on the text, so that everything else reaches the server byte for byte. Also returns the new ids.
    """
    fresh: dict[bytes, str] = {}

    def replace(match: re.Match[bytes]) -> bytes:
        new = fresh.setdefault(match["id"], f"{prefix}-{len(fresh) + 1}")
        return match["name"] + b'"' + new.encode() + b'"'

    named = _IDS.sub(replace, body)
    return (named if fresh else _STREAMS.sub(replace, body)), set(fresh.values())


def _try_sample(target: Target, path: Path) -> SmokeResult:
    case = f"{path.parent.name}/{path.stem}"
    body, ids = with_fresh_ids(path.read_bytes(), f"smoke-{secrets.token_hex(6)}")
    status, answer = target.post(body)
    if status != 200 or not isinstance(answer, dict) or answer.get("success") is not True:
        return SmokeResult(case, False, f"POST answered {status}: {answer}", tuple(sorted(ids)))
    if answer.get("event_type") == "POSITION":
        return _position_result(target, case, answer, ids)
    answers = answer.get("results", [answer])
    stored = {str(one["trade_id"]) for one in answers if one.get("trade_id")} & ids
    for trade_id in sorted(stored):
        status, trade = target.get_trade(trade_id)
        if status != 200 or trade["trade"]["trade_id"] != trade_id or not trade["events"]:
            return SmokeResult(case, False, f"GET of trade {trade_id} answered {status}: {trade}", tuple(sorted(ids)))
    if not stored:
        return SmokeResult(case, False, f"the answer names none of the trade ids that were sent: {answer}", ())
    return SmokeResult(case, True, "", tuple(sorted(stored)))


def _position_result(target: Target, case: str, answer: Any, ids: set[str]) -> SmokeResult:
    """A position alert is found by its number; its id is its stream's, which holds the fresh name."""
    stream = str(answer["trade_id"])
    status, event = target.get_event(answer["event_id"])
    if status != 200 or event["trade_id"] != stream or not any(one.upper() in stream.upper() for one in ids):
        return SmokeResult(case, False, f"GET of event {answer['event_id']} answered {status}: {event}", (stream,))
    return SmokeResult(case, True, "", (stream,))


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
