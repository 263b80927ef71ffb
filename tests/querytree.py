"""PostgreSQL's own reading of a query, as `debug_print_rewritten` tells it, for rules about queries."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r'[{}()\[\]]|"(?:\\.|[^"\\])*"|(?:\\.|[^\s{}()\[\]"\\])+', re.DOTALL)

#: rtekind of a range table entry
RELATION, SUBQUERY, JOIN, FUNCTION = "0", "1", "2", "3"


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A node by its name with its fields: nodes, lists, or words. `<>` (nothing) is None."""

    name: str
    fields: dict[str, Any]

    def __getitem__(self, field: str) -> Any:
        return self.fields[field]

    def get(self, field: str) -> Any:
        return self.fields.get(field)

    def walk(self) -> Iterator["Node"]:
        """This node and all below it."""
        yield self
        yield from below(list(self.fields.values()))


def below(value: Any) -> Iterator[Node]:
    """All nodes of a field."""
    if isinstance(value, Node):
        yield from value.walk()
    elif isinstance(value, list):
        for one in value:
            yield from below(one)


def parse(text: str) -> list[Any]:
    """The nodes of a printed tree."""
    tokens = _TOKEN.findall(text)
    values: list[Any] = []
    at = 0
    while at < len(tokens):
        value, at = _value(tokens, at)
        values.append(value)
    return values


def _value(tokens: list[str], at: int) -> tuple[Any, int]:
    token = tokens[at]
    if token == "{":
        return _node(tokens, at + 1)
    if token in "([":
        closing, items = {"(": ")", "[": "]"}[token], []
        at += 1
        while tokens[at] != closing:
            item, at = _value(tokens, at)
            items.append(item)
        return items, at + 1
    return (None if token == "<>" else token.strip('"')), at + 1


def _node(tokens: list[str], at: int) -> tuple[Node, int]:
    name, fields = tokens[at], {}
    at += 1
    while tokens[at] != "}":
        field = tokens[at].removeprefix(":")
        values = []
        at += 1
        while tokens[at] != "}" and not tokens[at].startswith(":"):
            value, at = _value(tokens, at)
            values.append(value)
        fields[field] = values[0] if len(values) == 1 else values
    return Node(name, fields), at + 1
