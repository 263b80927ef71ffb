"""The switches: read without a cache, changed under the one lock that every reserve takes too."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from database.driver import Connection
from database.governance.audit import Who, insert_audit
from database.governance.rearm import rearm
from database.notices import insert_notice
from database.pool import Pool
from database.queries import QUERIES
from state.governance.go_live import HALTED, Switches

#: Seconds that a flip may take, the wait for reserves under way included.
FLIP_SECONDS: Final = 5.0
#: Seconds that the gate waits for the switches before it takes them for halted.
GATE_SECONDS: Final = 2.0

_MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"
_TABLE: Final = re.compile(r"^(CREATE|DROP) TABLE (?:IF (?:NOT )?EXISTS )?([a-z_0-9]+)", re.MULTILINE)


def lock_global(connection: Connection) -> None:
    """Wait for the lock of switches, caps and counters; it ends with the transaction.

    A GLOBAL row that went missing comes back disabled and without budget, so that there is something to lock.
    """
    if QUERIES.go_live.lock_global(connection) is None:
        QUERIES.risk.insert_unknown_policy(
            connection, engine="GLOBAL", changed_by="alertbook", reason="its row was missing: disabled, all caps 0"
        )
        QUERIES.go_live.lock_global(connection)


def read_switches(connection: Connection) -> Switches:
    """The switches as this transaction sees them; HALTED when their row is missing."""
    row = QUERIES.go_live.select_switches(connection)
    return HALTED if row is None else Switches(*row)


def select_switches(pool: Pool) -> Switches:
    """The switches now. Raises DatabaseError when they cannot be read."""
    with pool.transaction(timeout=GATE_SECONDS) as connection:
        return read_switches(connection)


def set_go_live(pool: Pool, who: Who, *, enabled: bool, evidence: dict[str, Any] | None = None) -> Switches:
    """Turn go-live on or off; `evidence` (an overridden checklist) goes into the audit."""

    def change(now: Switches) -> Switches:
        return replace(now, go_live_enabled=enabled)

    with pool.transaction(timeout=FLIP_SECONDS) as connection:
        return _flip(connection, who, "go_live.enable" if enabled else "go_live.disable", change, evidence)


def set_kill_switch(pool: Pool, who: Who, *, engaged: bool) -> Switches:
    """Engage or release the kill switch. Once this has returned after engaging, no reserve commits anywhere."""
    with pool.transaction(timeout=FLIP_SECONDS) as connection:
        return engage_kill_switch(connection, who) if engaged else _release(connection, who)


def engage_kill_switch(connection: Connection, who: Who) -> Switches:
    """Engage within the caller's transaction, which may hold no lock that comes after GLOBAL."""
    return _flip(connection, who, "kill_switch.engage", lambda now: replace(now, kill_switch_engaged=True))


def _release(connection: Connection, who: Who) -> Switches:
    """A released switch re-arms the wires that had engaged it."""
    lock_global(connection)
    rearmed = rearm(connection, acted="KILL_SWITCH", domain=None)
    after = _flip(connection, who, "kill_switch.release", lambda now: replace(now, kill_switch_engaged=False))
    for subject in rearmed:
        insert_audit(connection, who, "regression.rearm", subject)
    return after


def _flip(
    connection: Connection,
    who: Who,
    action: str,
    change: Callable[[Switches], Switches],
    evidence: dict[str, Any] | None = None,
) -> Switches:
    lock_global(connection)
    before = read_switches(connection)
    wanted = change(before)
    after = Switches(
        *QUERIES.go_live.upsert_switches(
            connection,
            go_live_enabled=wanted.go_live_enabled,
            kill_switch_engaged=wanted.kill_switch_engaged,
            changed_by=who.actor,
            reason=who.reason,
        )
    )
    shown = {**after.as_dict(), **(evidence or {})}
    seq = insert_audit(connection, who, action, "go_live_state", before=before.as_dict(), after=shown)
    if after.kill_switch_engaged and not before.kill_switch_engaged:
        insert_notice(
            connection,
            kind="kill_switch",
            fact=f"kill_switch:{seq}",
            title=f"Kill switch engaged by {who.actor}" + (f": {who.reason}"[:250] if who.reason else ""),
            detail={"actor": who.actor, "reason": who.reason, "engaged_at": after.updated_at},
        )
    return after


def made_tables(folder: Path = _MIGRATIONS) -> list[str]:
    """The tables that the migrations make and do not drop again, by reading their files in order."""
    tables: set[str] = set()
    for file in sorted(folder.glob("*.sql")):
        if file.stem.endswith(".rollback"):
            continue
        for verb, name in _TABLE.findall(file.read_text()):
            (tables.add if verb == "CREATE" else tables.discard)(name)
    return sorted(tables)


def missing_tables(pool: Pool, names: list[str]) -> list[str]:
    """Which of these tables are not there."""
    with pool.transaction() as connection:
        return [row.name for row in QUERIES.go_live.select_missing_tables(connection, names=names)]
