"""A freeze: people are told, and where it is asked for the kill switch is engaged, in one transaction."""

from collections.abc import Mapping
from typing import Any

from database.driver import Connection
from database.notices import insert_notice
from database.pool import Pool
from errors import Conflict


def record_freeze(
    pool: Pool, *, fact: str, title: str, detail: Mapping[str, Any], engage_as: str | None = None
) -> int | None:
    """Note a freeze once per `fact`, and with `engage_as` (who asks) engage the kill switch with it.

    Returns the notice's id, None when the fact was known. Raises Conflict when there is no kill switch.
    """
    with pool.transaction() as connection:
        notice_id = insert_notice(connection, kind="freeze", fact=fact, title=title, detail=detail)
        if engage_as is not None:
            engage_kill_switch(connection, actor=engage_as, reason=title)
        return notice_id


def engage_kill_switch(connection: Connection, *, actor: str, reason: str) -> None:
    """Engage the kill switch within the caller's transaction. This installation has none, which is a Conflict."""
    raise Conflict(
        "There is no kill switch in this installation, so nothing was engaged: stop trading by hand.",
        code="NO_KILL_SWITCH",
    )
