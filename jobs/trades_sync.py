"""Reads the four views as of one moment and posts the day's snapshot."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import IntEnum
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import pytz
import structlog

from database import snapshot_source, snapshots
from database.embedded import running_url
from database.pool import Pool
from errors import AlertbookError, DatabaseError, SettingsError, Unavailable
from jobs.job import Job, Outcome
from jobs.posting import Reply, post, signature
from settings import LOOPBACK, Settings
from state import jsontext
from state.newyork import trading_date
from state.snapshot import Counts, Verdict
from state.snapshot_payload import assemble
from state.snapshot_reading import normalise
from state.snapshot_values import Localise, localiser, read_day

log = structlog.wrap_logger(
    structlog.PrintLogger(sys.stdout),
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(),
    ],
    job="trades-sync",
)


class Exit(IntEnum):
    """What the exit code tells."""

    DONE = 0
    REFUSED = 1
    CONFIGURATION = 2
    SOURCE = 3
    TARGET = 4
    NOTHING = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run is to do, checked."""

    day: date
    source_url: str
    views: snapshot_source.Views
    target: str
    token: str | None
    signing_secret: str | None
    direct_url: str | None
    refresh: bool | None
    dry_run: bool
    localise: Localise


class _Arguments(argparse.ArgumentParser):
    """Says what is wrong as a SettingsError, where argparse would leave the process."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"trades-sync: {message}")


def _arguments() -> _Arguments:
    parser = _Arguments(prog="python -m jobs run trades-sync", add_help=False, allow_abbrev=False)
    parser.add_argument("--date")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--refresh", action=argparse.BooleanOptionalAction, default=None)
    parser.add_argument("--fallback-direct", action="store_true")
    return parser


def _day(given: str | None) -> date:
    if given is None:
        return trading_date(datetime.now(UTC))
    day = read_day(given)
    if day is None:
        raise SettingsError(f"--date is {given!r}: give a calendar date such as 2026-02-11.")
    return day


def plan(settings: Settings, arguments: Sequence[str]) -> Plan:
    """What to do, from the settings and the command line. Raises SettingsError."""
    given = _arguments().parse_args(list(arguments))
    source = settings.sync_database_url or settings.database_url or running_url(settings.data_dir)
    if source is None:
        raise SettingsError("There is no source: set SYNC_DATABASE_URL or DATABASE_URL, or start the server first.")
    host = urlsplit(settings.alertbook_url).hostname or ""
    if not settings.internal_tokens and host not in LOOPBACK:
        raise SettingsError(f"INTERNAL_TOKEN is unset: set it to the token that {settings.alertbook_url} knows.")
    if given.fallback_direct and settings.target_database_url is None:
        raise SettingsError("--fallback-direct needs TARGET_DATABASE_URL, the database to write into.")
    return Plan(
        day=_day(given.date),
        source_url=source,
        views=snapshot_source.Views(
            settings.mv_kpi_table, settings.mv_series_table, settings.mv_extremes_table, settings.mv_portfolio_table
        ),
        target=settings.alertbook_url + settings.snapshot_endpoint,
        token=next(iter(settings.internal_tokens), None),
        signing_secret=next(iter(settings.signing_secrets), None),
        direct_url=settings.target_database_url if given.fallback_direct else None,
        refresh=given.refresh,
        dry_run=given.dry_run,
        localise=localiser(pytz.timezone(settings.naive_timestamp_zone)),
    )


def run(settings: Settings, arguments: Sequence[str]) -> Outcome:
    """Post the day's snapshot. Exit codes: see `Exit`."""
    try:
        todo = plan(settings, arguments)
    except SettingsError as error:
        log.error("configuration", reason=str(error))
        return Outcome(Exit.CONFIGURATION, {"reason": str(error)})
    log.info("started", date=str(todo.day), target=todo.target)
    try:
        payload, result = _collect(todo)
    except (DatabaseError, Unavailable) as error:
        reason = _reason(error)
        log.error("source_failed", reason=reason)
        return Outcome(Exit.SOURCE, {"date": todo.day, "reason": reason})
    if not any(result["counts"].values()):
        log.warning("nothing_to_send", date=str(todo.day))
        return Outcome(Exit.NOTHING, result)
    if todo.dry_run:
        return Outcome(Exit.DONE, {**result, "dry_run": True, "bytes": len(jsontext.dump(payload).encode())})
    return _send(todo, payload, result)


def _reason(error: AlertbookError) -> str:
    """The first line of what the driver said: the views are the operator's own, so he may read it."""
    return str(error.__cause__ or error).strip().partition("\n")[0]


def _collect(todo: Plan) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the snapshot to post, what there is to tell about it). Raises DatabaseError or Unavailable."""
    pool = Pool(todo.source_url, 1)
    try:
        refreshed: list[str] = []
        if todo.refresh or (todo.refresh is None and snapshot_source.is_alertbook(pool)):
            refreshed = snapshot_source.refresh(pool, todo.views)
            log.info("refreshed", views=refreshed)
        read_at = datetime.now(UTC)
        rows = snapshot_source.read(pool, todo.views, todo.day)
    finally:
        pool.close()
    counts = Counts(*(len(rows[part]) for part in ("kpis", "series", "extremes", "portfolio")))
    payload, dropped = assemble(rows, day=todo.day, updated_at=read_at, localise=todo.localise)
    log.info("read", date=str(todo.day), **counts._asdict(), left_out=dropped)
    return payload, {"date": todo.day, "counts": counts._asdict(), "left_out": dropped, "refreshed": len(refreshed)}


def _send(todo: Plan, payload: Mapping[str, Any], result: dict[str, Any]) -> Outcome:
    body = jsontext.dump(payload).encode()
    headers = {"Content-Type": "application/json"}
    if todo.token:
        headers["X-Internal-Token"] = todo.token
    if todo.signing_secret:
        headers["X-Signature"] = signature(body, todo.signing_secret)
    reply = post(todo.target, body, headers, told=_log_attempt)
    result = {**result, "attempts": reply.attempts, "status": reply.status}
    if reply.taken:
        return Outcome(Exit.DONE, {**result, "answer": _answer(reply)})
    if reply.refused:
        return Outcome(Exit.REFUSED, {**result, "reason": reply.text[:1_000]})
    if todo.direct_url is not None and not reply.final:
        return _write_directly(todo, todo.direct_url, payload, result)
    return Outcome(Exit.TARGET, {**result, "reason": reply.text[:1_000]})


def _log_attempt(reply: Reply) -> None:
    if reply.taken:
        log.info("posted", status=reply.status, attempt=reply.attempts)
    else:
        log.warning("not_posted", status=reply.status, attempt=reply.attempts, reason=reply.text[:300])


def _answer(reply: Reply) -> Any:
    try:
        return jsontext.parse(reply.text, max_keys=100_000)
    except jsontext.JsonTextError:
        return reply.text[:1_000]


def _write_directly(todo: Plan, url: str, payload: Mapping[str, Any], result: Mapping[str, Any]) -> Outcome:
    """The server's own code, here: the API cannot be reached."""
    pool = Pool(url, 1)
    try:
        snapshot = normalise(payload, now=datetime.now(UTC), localise=todo.localise)
        verdict = snapshots.store(pool, snapshots.prepare(snapshot))
    except (DatabaseError, Unavailable) as error:
        log.error("target_failed", reason=_reason(error))
        return Outcome(Exit.TARGET, {**result, "reason": _reason(error)})
    except AlertbookError as error:
        log.error("refused", reason=error.message)
        return Outcome(Exit.REFUSED, {**result, "reason": error.message})
    finally:
        pool.close()
    log.info("written_directly", verdict=str(verdict))
    refused = verdict in (Verdict.OLDER, Verdict.EMPTY)
    told = {**result, "direct": str(verdict), "dropped": [drop._asdict() for drop in snapshot.dropped[:100]]}
    return Outcome(Exit.REFUSED if refused else Exit.DONE, told)


#: No lease: the source may be somebody else's database, and of two runs at once the later reading stays.
JOB: Final = Job("trades-sync", "post the day's snapshot of KPIs, series, extremes and portfolio", run, leased=False)
