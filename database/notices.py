"""What people must be told: written with the fact, delivered later."""

from collections.abc import Mapping
from typing import Any

from database.driver import Connection
from database.queries import QUERIES
from state import jsontext


def insert_notice(connection: Connection, *, kind: str, fact: str, title: str, detail: Mapping[str, Any]) -> int | None:
    """Note a fact once, within the caller's transaction.

    `kind` is one word of the field (kill_switch, tripwire, breach, freeze, silence, spool); `fact` names this very
    fact; `title` is the sentence that people read. Returns the notice's id, or None when the fact is known.
    """
    row_id: int | None = QUERIES.notices.insert_notice(
        connection, kind=kind, fact=fact, title=title, detail=jsontext.dump(detail)
    )
    return row_id
