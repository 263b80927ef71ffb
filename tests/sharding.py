"""PostgreSQL's own reading of a query, seen from a cluster: which of its levels reach distributed tables, and how."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.querytree import RELATION, Node, below

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
