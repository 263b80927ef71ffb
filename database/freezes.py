"""A freeze: people are told, and where it is asked for the kill switch is engaged, in one transaction."""

from collections.abc import Mapping
from typing import Any

from database.governance.audit import Who
from database.governance.go_live import FLIP_SECONDS, engage_kill_switch
from database.notices import insert_notice
from database.pool import Pool


def record_freeze(
    pool: Pool, *, fact: str, title: str, detail: Mapping[str, Any], engage_as: Who | None = None
) -> int | None:
    """Note a freeze once per `fact`, and with `engage_as` (who asks) engage the kill switch with it.

    Returns the notice's id, None when the fact was known. Once this has returned, an engaged switch holds everywhere.
    """
    with pool.transaction(timeout=FLIP_SECONDS) as connection:
        if engage_as is not None:  # first: the lock of the switches comes before all others
            engage_kill_switch(connection, engage_as)
        return insert_notice(connection, kind="freeze", fact=fact, title=title, detail=detail)
