"""Spreading the tables over a Citus cluster, and seeing where its hot queries run.

Each table is spread by itself, and what is spread already is left alone, so a run that was interrupted is simply
started again. Alerts that come meanwhile wait in the spool while a table is held.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import psycopg2

from database import migrate
from database.distribution import TABLES, anchor, tables
from database.queries import QUERIES
from state import jsontext

OLDEST: Final = 12
_FILTERS: Final = dict.fromkeys(("status", "direction", "session", "symbol", "strategy", "since", "until"))
_FIRST_PAGE: Final = {**_FILTERS, "before_time": None, "before_id": None, "limit": 50}
_LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)
_ALERT: Final = jsontext.dump([{"trade_id": "x", "event_key": "x"}])
#: The query whose rows a function of ours returns.
_RETURNED: Final = re.compile(r"\bRETURN QUERY\s+(.+?);\s*END\s*$", re.DOTALL)
_CLAIM: Final = {"trade_ids": ["x"], "body_hashes": ["x"], "event_keys": ["x"], "received_ats": [_LONG_AGO]}

Run = Literal["one shard", "pushed down", "by shard", "gathered", "elsewhere"]


class CannotDistribute(Exception):
    """The tables cannot be spread here; `reasons` says why, each with what to do."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Hot:
    """A query that an alert or a page waits for, and where it is to run.

    A name without a subject is a function's, which Citus plans query by query: what it returns is looked at.
    """

    name: str
    wanted: tuple[Run, ...]
    parameters: dict[str, Any]


#: A function by its name: source, names and types of its arguments.
SOURCE: Final = """
SELECT prosrc, proargnames[1 : pronargs], string_to_array(array_to_string(proargtypes::regtype[], ','), ',')
FROM pg_proc WHERE oid = to_regproc(%s)
"""

#: A write that comes with its rows is taken apart by shard; a running sum is gathered from every shard, once pushed
#: down as far as it goes.
HOT: Final = (
    Hot("store_events", ("by shard",), {"events": _ALERT}),
    Hot("signals.claim_window", ("by shard",), _CLAIM),
    Hot("signals.select_events_for_trades", ("one shard",), {"trade_ids": ["x"]}),
    Hot("summaries.select_trade", ("one shard",), {"trade_id": "x"}),
    Hot("summaries.select_dirty_rows", ("one shard",), {"trade_ids": ["x"]}),
    Hot("summaries.replace_summaries", ("by shard",), {"trade_ids": ["x"], "rows": "[]"}),
    Hot("summaries.select_trades", ("pushed down",), _FIRST_PAGE),
    Hot("summaries.select_days", ("pushed down",), _FILTERS),
    Hot("totals.select_tallies_of", ("pushed down",), {**_FILTERS, "since": _LONG_AGO}),
    Hot("totals.select_drawdown", ("pushed down", "gathered"), {**_FILTERS, "since": _LONG_AGO}),
    Hot("signals.select_recent_events", ("pushed down",), {"since": _LONG_AGO, "limit": 50}),
    Hot("feed.select_pending", ("pushed down",), {"limit": 500}),
    Hot("feed.append", ("by shard",), {"trade_ids": ["x"], "event_ids": [1]}),
    Hot(
        "feed.select_places",
        ("pushed down",),
        {"after": 0, "horizon": 1, "types": None, "limit": 50}
        | dict.fromkeys(("symbol", "strategy", "session", "direction", "since", "until")),
    ),
    Hot("render_events", ("pushed down", "gathered"), {"trade_ids": ["x"], "event_ids": [1]}),
    Hot("telemetry.insert_batches", ("by shard",), {"rows": "[]"}),
    Hot("telemetry_reads.select_performance", ("one shard",), {"profile_id": 1, "since": _LONG_AGO}),
    Hot("telemetry_reads.select_latest_equity", ("one shard",), {"profile_id": 1}),
    Hot("telemetry_reads.select_scripts", ("one shard",), {"profile_id": 1}),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """Where a hot query runs; `problem` is a sentence, or None when that is as wanted."""

    name: str
    run: str
    problem: str | None


def distribute(url: str, say: Callable[[str], None]) -> list[Checked]:
    """Spread every table that has its place elsewhere than on the coordinator; returns how the hot queries run.

    `url` is the coordinator's own address, not a pooler's. Raises CannotDistribute or MigrationError.
    """
    pending = migrate.pending(url)
    connection = psycopg2.connect(url, connect_timeout=migrate.CONNECT_SECONDS)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            reasons = _obstacles(cursor, pending)
            if reasons:
                raise CannotDistribute(reasons)
            for name in tables("reference") + tables("distributed"):
                _spread(cursor, name, say)
            return [_check(cursor, hot) for hot in HOT]
    except psycopg2.Error as error:
        raise CannotDistribute([f"The database refused: {str(error).strip()}"]) from error
    finally:
        connection.close()


def _obstacles(cursor: Any, pending: list[str]) -> list[str]:
    """Why nothing can be spread here, all reasons at once."""
    cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'citus'")
    row = cursor.fetchone()
    if row is None:
        cursor.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'citus'")
        (available,) = cursor.fetchone()
        if available:
            return ["Citus is installed here, but not in this database: run CREATE EXTENSION citus on every server."]
        return ["This server has no Citus: give the address of a Citus coordinator."]
    reasons = []
    if int(re.match(r"\d+", row[0])[0]) < OLDEST:  # type: ignore[index]
        reasons.append(f"This is Citus {row[0]}: {OLDEST} or newer is needed.")
    cursor.execute("SELECT groupid FROM pg_dist_local_group")
    if cursor.fetchone() != (0,):
        reasons.append("This is a worker: give the address of the coordinator.")
    cursor.execute("SELECT count(*) FROM pg_dist_node WHERE isactive AND shouldhaveshards AND noderole = 'primary'")
    if cursor.fetchone() == (0,):
        reasons.append("The cluster has no server that holds shards: SELECT citus_add_node('<host>', 5432) for each.")
    if pending:
        reasons.append(f"Migrations are pending ({', '.join(pending)}): run deploy.py migrate first.")
        return reasons
    return [*reasons, *_hindrances(cursor)]


_HANGING: Final = """
SELECT tgrelid::regclass::text, 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
UNION SELECT conrelid::regclass::text, 'foreign key ' || conname FROM pg_constraint WHERE contype = 'f'
UNION SELECT confrelid::regclass::text, 'foreign key ' || conname FROM pg_constraint WHERE contype = 'f'
ORDER BY 1, 2
"""


def _hindrances(cursor: Any) -> Iterator[str]:
    """What somebody else has put on our tables, or made of them."""
    spread = _spread_already(cursor)
    wanted = {name: place for name, place in TABLES.items() if place.kind != "local"}
    for name, (kind, column) in spread.items():
        if name in wanted and (kind, column) != (wanted[name].kind, wanted[name].column):
            should = _told(wanted[name].kind, wanted[name].column)
            yield f"The table {name} is {_told(kind, column)} already, and should be {should}."
    cursor.execute(_HANGING)
    for name, what in cursor.fetchall():
        if name in wanted and name not in spread:
            yield f"The table {name} has the {what}: drop it first."


def _told(kind: str, column: str | None) -> str:
    return f"{kind} by {column}" if column else kind


def _spread_already(cursor: Any) -> dict[str, tuple[str, str | None]]:
    """Kind and column of what Citus manages by now."""
    cursor.execute("SELECT table_name::text, citus_table_type, nullif(distribution_column, '<none>') FROM citus_tables")
    return {name: (kind, column) for name, kind, column in cursor.fetchall()}


def _spread(cursor: Any, name: str, say: Callable[[str], None]) -> None:
    place = TABLES[name]
    if name not in _spread_already(cursor):
        say(f"{name}: {_told(place.kind, place.column)} ({place.why})")
        if place.kind == "reference":
            cursor.execute("SELECT create_reference_table(%s)", (name,))
        else:
            together = anchor(name) or "none"
            cursor.execute(
                "SELECT create_distributed_table(%s, %s, colocate_with => %s)", (name, place.column, together)
            )
    # the rows have been copied to the shards; what is left here is only in the way
    cursor.execute("SELECT pg_relation_size(%s::regclass) > 0", (name,))
    if cursor.fetchone() == (True,):
        cursor.execute("SELECT truncate_local_data_after_distributing_table(%s)", (name,))


def _check(cursor: Any, hot: Hot) -> Checked:
    try:
        cursor.execute(f"EXPLAIN {_statement(cursor, hot)}", hot.parameters)
    except psycopg2.Error as error:
        return Checked(hot.name, "elsewhere", str(error).strip())
    run = where_it_runs("\n".join(line for (line,) in cursor.fetchall()))
    problem = None if run in hot.wanted else f"should be {' or '.join(hot.wanted)}"
    return Checked(hot.name, run, problem)


def _statement(cursor: Any, hot: Hot) -> str:
    """The query of its name, with the places of its parameters."""
    subject, _, name = hot.name.rpartition(".")
    if subject:
        found: str = getattr(getattr(QUERIES, subject), name).sql
        return found
    cursor.execute(SOURCE, (name,))
    source, arguments, types = cursor.fetchone()
    places = {argument: f"%({argument})s::{kind}" for argument, kind in zip(arguments, types, strict=True)}
    return returned(source.replace("%", "%%"), places)


def returned(source: str, arguments: Mapping[str, str]) -> str:
    """The query whose rows a function returns, by its source, with something in the place of each argument."""
    match = _RETURNED.search(source)
    if match is None:
        raise CannotDistribute(["A function of ours is not as the migrations made it: it returns no single query."])
    query = match[1]
    for name, instead in arguments.items():
        query = re.sub(rf"\b{name}\b", lambda _, instead=instead: instead, query)
    return query


def where_it_runs(plan: str) -> Run:
    """What Citus' plan of a query comes to."""
    if "MapMergeJob" in plan or "Citus" not in plan:
        return "elsewhere"
    if "Citus INSERT ... SELECT" in plan:
        return "by shard"
    if "Distributed Subplan" in plan:
        return "gathered"
    return "one shard" if set(re.findall(r"Task Count: (\d+)", plan)) == {"1"} else "pushed down"
