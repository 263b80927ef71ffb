"""What Citus cannot do with distributed tables, as rules over PostgreSQL's own reading of a query.

They follow the documented limits of Citus 13 (SQL support, co-location, functions in modifications) and are somewhat
stricter: what it would do by first fetching a whole table to the coordinator counts as something that it cannot do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.querytree import FUNCTION, RELATION, SUBQUERY, Node, below

INSERT, UPDATE, DELETE = "3", "2", "4"
LEFT = "1"

#: Which field of a node names a function, where one does.
_FUNCTIONS = {
    "FUNCEXPR": "funcid",
    "OPEXPR": "opfuncid",
    "DISTINCTEXPR": "opfuncid",
    "NULLIFEXPR": "opfuncid",
    "SCALARARRAYOPEXPR": "opfuncid",
    "AGGREF": "aggfnoid",
    "WINDOWFUNC": "winfnoid",
}
_TYPES = ("vartype", "consttype", "funcresulttype", "opresulttype", "resulttype", "aggtype", "coalescetype")


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the rules ask of the database."""

    #: oid of a distributed table to the number of its distribution column and its group
    distributed: dict[str, tuple[str, str]]
    #: oids of the tables that stay on the coordinator
    local: frozenset[str]
    names: dict[str, str]
    #: oid of a function to i, s or v
    volatility: dict[str, str]
    #: oid of a type to the volatility of its conversion to text and back
    conversion: dict[str, str]
    equals: frozenset[str]


Rule = Callable[["Query"], Iterator[str]]


class Query:
    """One level of a statement: a query or a subquery, with what surrounds it."""

    def __init__(self, node: Node, catalog: Catalog, outer: "Query | None") -> None:
        self.node = node
        self.catalog = catalog
        self.outer = outer
        #: number in the range table to oid, of the distributed tables of this level
        self.distributed = {
            str(number): entry["relid"]
            for number, entry in enumerate(node["rtable"] or [], 1)
            if entry["rtekind"] == RELATION and entry["relid"] in catalog.distributed
        }
        #: names of the coordinator's tables of this level
        self.local = {
            catalog.names[entry["relid"]]
            for entry in node["rtable"] or []
            if entry["rtekind"] == RELATION and entry["relid"] in catalog.local
        }
        self.children = [Query(child, catalog, self) for child in _children(node)]

    def levels(self) -> Iterator["Query"]:
        yield self
        for child in self.children:
            yield from child.levels()

    def expressions(self) -> Iterator[Node]:
        """The nodes of this level, not those of its subqueries."""
        for value in self.node.fields.values():
            yield from _own(value)

    @property
    def statement(self) -> "Query":
        return self if self.outer is None else self.outer.statement

    @property
    def correlated(self) -> bool:
        """Whether it reads columns of the query around it."""
        return any(node.name == "VAR" and node["varlevelsup"] != "0" for node in self.expressions())

    @property
    def reaches_distributed(self) -> bool:
        return any(level.distributed for level in self.levels())

    @property
    def on_one_shard(self) -> bool:
        """Whether each of its distributed tables, at every level, is read at one value of its column."""
        return all(set(level.distributed) <= level.pinned() for level in self.levels())

    def equalities(self) -> Iterator[tuple[Node, Node]]:
        for node in self.expressions():
            if node.name == "OPEXPR" and node["opno"] in self.catalog.equals and len(node["args"]) == 2:
                yield node["args"][0], node["args"][1]

    def pinned(self) -> set[str]:
        """The distributed tables of this level whose column equals a constant."""
        groups = self.equal_columns()
        constants = {
            groups.find(_place(one))
            for pair in self.equalities()
            for one, other in (pair, pair[::-1])
            if one.name == "VAR" and other.name == "CONST"
        }
        return {number for number in self.distributed if groups.find((number, self.column_of(number))) in constants}

    def equal_columns(self) -> "_Groups":
        groups = _Groups()
        for one, other in self.equalities():
            if one.name == other.name == "VAR" and one["varlevelsup"] == other["varlevelsup"] == "0":
                groups.join(_place(one), _place(other))
        return groups

    def column_of(self, number: str) -> str:
        return self.catalog.distributed[self.distributed[number]][0]

    def mutable(self, value: Any, worse_than: str = "i") -> bool:
        """Whether anything in it is more than IMMUTABLE (or than STABLE)."""
        return any(self.volatility_of(node) > worse_than for node in below(value))

    def volatility_of(self, node: Node) -> str:
        """i, s or v; the letters are in the order of their meaning."""
        if node.name in _FUNCTIONS:
            return self.catalog.volatility[node[_FUNCTIONS[node.name]]]
        if node.name == "COERCEVIAIO":
            types = [node["resulttype"], *(node["arg"].get(name) for name in _TYPES if node["arg"].get(name))]
            return max(self.catalog.conversion[one] for one in types)
        return {"NEXTVALUEEXPR": "v", "SQLVALUEFUNCTION": "s"}.get(node.name, "i")


class _Groups:
    """Columns that are equal to each other."""

    def __init__(self) -> None:
        self._parent: dict[tuple[str, str], tuple[str, str]] = {}

    def find(self, one: tuple[str, str]) -> tuple[str, str]:
        while one in self._parent:
            one = self._parent[one]
        return one

    def join(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        one, other = self.find(one), self.find(other)
        if one != other:
            self._parent[one] = other


def _place(variable: Node) -> tuple[str, str]:
    return variable["varno"], variable["varattno"]


def _children(node: Node) -> Iterator[Node]:
    """The queries right below a query: of its FROM, its WITH and its expressions."""
    for value in node.fields.values():
        yield from _queries(value)


def _queries(value: Any) -> Iterator[Node]:
    if isinstance(value, list):
        for one in value:
            yield from _queries(one)
    elif isinstance(value, Node):
        if value.name == "QUERY":
            yield value
        else:
            yield from _children(value)


def _own(value: Any) -> Iterator[Node]:
    if isinstance(value, list):
        for one in value:
            yield from _own(one)
    elif isinstance(value, Node) and value.name != "QUERY":
        yield value
        for field in value.fields.values():
            yield from _own(field)


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
