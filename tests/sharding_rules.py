"""What Citus cannot do with distributed tables, as rules over PostgreSQL's own reading of a query.

They follow the planner of Citus 12 to 14 (SQL support, co-location, functions in modifications, numbers from
sequences) and are somewhat stricter: what it would do by first fetching a whole table to the coordinator counts as
something that it cannot do.
"""

from collections.abc import Callable, Iterator

from tests.querytree import FUNCTION, SUBQUERY, Node, below
from tests.sharding import Catalog, Query

SELECT, INSERT, UPDATE, DELETE = "1", "3", "2", "4"
LEFT = "1"
EXISTS = "0"
#: The oid of nextval(regclass), which never changes.
NEXTVAL = "1574"

Rule = Callable[[Query], Iterator[str]]


def _locks_rows(query: Query) -> Iterator[str]:
    if query.node["rowMarks"] and query.reaches_distributed and not query.on_one_shard:
        yield "locks rows (FOR UPDATE) of more than one shard"


def _recurses(query: Query) -> Iterator[str]:
    if query.node["hasRecursive"] == "true" and query.reaches_distributed and not query.on_one_shard:
        yield "recurses over more than one shard"


def _groups_by_sets(query: Query) -> Iterator[str]:
    if query.node["groupingSets"] and query.distributed and not query.on_one_shard:
        yield "groups by sets over more than one shard"


def _changes(query: Query) -> bool:
    """Whether it changes a distributed table itself."""
    return query.node["commandType"] in (INSERT, UPDATE, DELETE) and query.node["resultRelation"] in query.distributed


def _upserts(query: Query) -> Iterator[str]:
    conflict = query.node["onConflict"]
    if conflict is None or not _changes(query):
        return
    changed = [entry["expr"] for entry in conflict["onConflictSet"] or [] if entry["expr"].name != "VAR"]
    if query.mutable([changed, conflict["onConflictWhere"], conflict["arbiterWhere"]]):
        yield "calls a function that is not IMMUTABLE in ON CONFLICT"


def _modifies(query: Query) -> Iterator[str]:
    if query.node["commandType"] not in (UPDATE, DELETE) or not _changes(query):
        return
    if query.mutable(list(query.node.fields.values()), worse_than="s"):
        yield "calls a VOLATILE function in UPDATE or DELETE"
    for node in below([query.node["targetList"], query.node["jointree"]]):
        reads_columns = any(one.name == "VAR" for one in node.walk())
        lazy = node.name in ("CASEEXPR", "COALESCEEXPR")
        if (lazy or (reads_columns and query.volatility_of(node) == "s")) and query.mutable(node):
            yield "calls a STABLE function with columns, or in CASE or COALESCE, in UPDATE or DELETE"


def _returns(query: Query) -> Iterator[str]:
    if _changes(query) and query.mutable(query.node["returningList"]):
        yield "calls a function that is not IMMUTABLE in RETURNING"


def _moves(query: Query) -> Iterator[str]:
    """A row stays on its shard: its distribution column never gets another value."""
    conflict = query.node["onConflict"]
    if query.node["commandType"] not in (INSERT, UPDATE) or not _changes(query):
        return
    assigned = (
        query.node["targetList"] if query.node["commandType"] == UPDATE else conflict and conflict["onConflictSet"]
    )
    column = query.column_of(query.node["resultRelation"])
    if any(entry["resno"] == column and entry["expr"].get("varattno") != column for entry in assigned or []):
        yield "changes the distribution column"


def _numbers(query: Query) -> Iterator[str]:
    """Sequences are the coordinator's: a SELECT that is sent to the shards must not ask for their next numbers.

    An INSERT puts what it leaves out (an identity, a DEFAULT) beside what it selects.
    """
    numbered = any(
        node.name == "NEXTVALUEEXPR" or (node.name == "FUNCEXPR" and node["funcid"] == NEXTVAL)
        for node in below(query.node["targetList"])
    )
    if not numbered:
        return
    if query.node["commandType"] == SELECT and query.reaches_distributed:
        yield "asks for the next number of a sequence in a query of distributed tables"
    if query.node["commandType"] == INSERT:
        if any(child.reaches_distributed for child in query.children):
            yield "numbers rows in a statement that reads or changes distributed tables elsewhere"
        if any(child.node["distinctClause"] for child in query.children):
            yield "numbers rows beside a DISTINCT"


def _calls_tables(query: Query) -> Iterator[str]:
    """Each shard calls a function in FROM by itself, but for those that Citus calls beforehand."""
    entries = query.node["rtable"] or []
    for entry in entries:
        stays = entry["rtekind"] == FUNCTION and "true" in (entry["lateral"], entry["funcordinality"])
        if stays and query.distributed and not query.statement.on_one_shard and query.mutable(entry["functions"]):
            yield "joins a function that is not IMMUTABLE, and LATERAL or WITH ORDINALITY"


def _looks_below(query: Query) -> Iterator[str]:
    """A system column is known where a shard is named, and nowhere else."""
    columns = [node for node in query.expressions() if node.name == "VAR" and int(node["varattno"]) < 0]
    if any(node["varno"] in query.distributed for node in columns) and not query.statement.on_one_shard:
        yield "reads a system column of more than one shard"


def _asks_existence(query: Query) -> Iterator[str]:
    """Such an EXISTS becomes a query of its own, which does not end at its first row."""
    if query.distributed or query.statement.on_one_shard:
        return
    asked = [
        node["subselect"] for node in query.expressions() if node.name == "SUBLINK" and node["subLinkType"] == EXISTS
    ]
    for child in query.children:
        if any(child.node is node for node in asked) and child.distributed and not child.node["limitCount"]:
            yield "asks EXISTS of distributed tables from outside of them without LIMIT: all rows are fetched"


def _refers_out(query: Query) -> Iterator[str]:
    """A WITH query, and a subquery of HAVING, is planned by itself."""
    if query.statement.on_one_shard or not query.statement.reaches_distributed:
        return
    apart = [entry["ctequery"] for entry in query.node["cteList"] or []]
    apart += [node["subselect"] for node in below(query.node["havingQual"]) if node.name == "SUBLINK"]
    if any(child.correlated for child in query.children if any(child.node is node for node in apart)):
        yield "refers from WITH or HAVING to the query around it"


def _correlates(query: Query) -> Iterator[str]:
    if query.outer is None or not query.correlated or not query.distributed:
        return
    if query.statement.on_one_shard:
        return
    node = query.node
    one_row = node["hasAggs"] == "true" and not node["groupClause"]
    if (
        node["limitCount"]
        or node["limitOffset"]
        or node["distinctClause"]
        or one_row
        or node["hasWindowFuncs"] == "true"
    ):
        yield "has a correlated subquery with LIMIT, OFFSET, DISTINCT, a window or an aggregate"
    if not query.outer.distributed:
        yield "has a subquery of a distributed table that reads columns of something that is none"


def _computes_aside(query: Query) -> Iterator[str]:
    """A subquery without FROM is no part of a shard's own work unless nothing in it could differ between servers."""
    if query.outer is None or not query.correlated or query.node["rtable"] or query.statement.on_one_shard:
        return
    if query.outer.distributed and query.mutable(query.node["targetList"]):
        yield "calls a function that is not IMMUTABLE in a correlated subquery without FROM"


def _inserts_subqueries(query: Query) -> Iterator[str]:
    selects = any(entry["rtekind"] == SUBQUERY for entry in query.node["rtable"] or [])
    if query.node["commandType"] == INSERT and _changes(query) and query.node["hasSubLinks"] == "true" and not selects:
        yield "has a subquery among the values of an INSERT"


def _joins(query: Query) -> Iterator[str]:
    """Distributed tables of one level must be of one group and joined on their columns."""
    tables = [query.catalog.distributed[oid][1] for oid in query.distributed.values()]
    if len(set(tables)) > 1:
        yield "joins tables that are not co-located"
        return
    if query.node["commandType"] == INSERT or query.on_one_shard:
        return  # the target of an INSERT stands beside what it selects, and is not joined with it
    groups = query.equal_columns()
    if len({groups.find((number, query.column_of(number))) for number in query.distributed}) > 1:
        yield "joins distributed tables on something else than their column"


def _joins_from_outside(query: Query) -> Iterator[str]:
    for node in query.expressions():
        if node.name == "JOINEXPR" and node["jointype"] == LEFT:
            left, right = (_tables_below(query, node[side]) for side in ("larg", "rarg"))
            if not left & set(query.distributed) and right & set(query.distributed):
                yield "joins a distributed table to the left of which there is none (LEFT JOIN): all of it is fetched"


def _tables_below(query: Query, side: Node) -> set[str]:
    return {node["rtindex"] for node in side.walk() if node.name == "RANGETBLREF"}


def _joins_parts(query: Query) -> Iterator[str]:
    """Citus turns such a function into a subquery whose columns all have the type of the first, unless it counts."""
    entries = query.node["rtable"] or []
    for entry in entries:
        parts = entry["rtekind"] == FUNCTION and len(entry["functions"]) > 1
        if parts and entry["funcordinality"] == "false" and len(entries) > 1 and query.statement.reaches_distributed:
            yield "joins an unnest of several arrays without WITH ORDINALITY"


def _mixes(query: Query) -> Iterator[str]:
    """A statement that only reads may fetch from distributed tables first and then turn to one of the coordinator."""
    beside = query.local | {name for child in query.children if child.correlated for name in child.local}
    if query.distributed and beside:
        yield f"joins distributed tables with {', '.join(sorted(beside))} of the coordinator"
    levels = list(query.levels())
    changing = any(level.node["commandType"] in (INSERT, UPDATE, DELETE) for level in levels)
    local = {name for level in levels for name in level.local}
    others = [level for level in levels if level is not query and level.node["commandType"] in (INSERT, UPDATE, DELETE)]
    if query.node["commandType"] == INSERT and local == query.local and not _changes(query) and not others:
        return  # a table of the coordinator is filled with what was read of distributed ones
    if query.outer is None and changing and local and query.reaches_distributed:
        yield f"changes something with distributed tables and {', '.join(sorted(local))} of the coordinator in it"


RULES: tuple[Rule, ...] = (
    _locks_rows,
    _recurses,
    _groups_by_sets,
    _upserts,
    _modifies,
    _returns,
    _moves,
    _numbers,
    _calls_tables,
    _looks_below,
    _asks_existence,
    _refers_out,
    _correlates,
    _computes_aside,
    _inserts_subqueries,
    _joins,
    _joins_from_outside,
    _joins_parts,
    _mixes,
)


def problems(node: Node, catalog: Catalog) -> list[str]:
    """What of a statement Citus cannot do, as sentences without a subject."""
    statement = Query(node, catalog, None)
    return sorted({told for level in statement.levels() for rule in RULES for told in rule(level)})
