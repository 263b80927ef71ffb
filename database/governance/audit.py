"""The audit: append-only, hash-chained, written in the transaction of what it tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from errors import DatabaseError
from state import jsontext
from state.governance.go_live import Check

#: Seconds for one pass over the whole chain.
VERIFY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Who:
    """Who acts: a name they give, the id of the key they used, their reason, and the request."""

    actor: str
    key_id: str = "none"
    reason: str | None = None
    request_id: str | None = None


class AuditUnavailable(DatabaseError):
    """Without a record nothing is changed."""

    code = "AUDIT_UNAVAILABLE"


def insert_audit(
    connection: Connection,
    who: Who,
    action: str,
    subject: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> int:
    """Append a record in the caller's transaction, as its last lock; returns the record's number.

    `action` is `<lever>.<what>`, `subject` what it was done to. Raises AuditUnavailable when the head row is gone.
    """
    row = QUERIES.audit.insert_audit(
        connection,
        actor=who.actor,
        key_id=who.key_id,
        action=action,
        subject=subject,
        before=None if before is None else jsontext.dump(before),
        after=None if after is None else jsontext.dump(after),
        reason=who.reason,
        request_id=who.request_id,
    )
    if row is None:
        raise AuditUnavailable("the audit cannot be continued, so nothing was changed")
    return int(row.seq)


def select_page(pool: Pool, *, filters: Mapping[str, Any], before_seq: int | None, limit: int) -> list[dict[str, Any]]:
    """Records as they stand, newest first."""
    names = ("actor", "key_id", "action", "subject", "since", "until")
    given = {name: filters.get(name) for name in names}
    with pool.transaction() as connection:
        rows = QUERIES.audit.select_audit(connection, **given, before_seq=before_seq, limit=limit)
        return [row._asdict() for row in rows]


def head(pool: Pool) -> str:
    """The chain's end as text, `<number>:<hash>`: keep it elsewhere, and `verify` finds a removed tail with it."""
    with pool.transaction() as connection:
        row = QUERIES.audit.select_head(connection)
    if row is None:
        raise AuditUnavailable("the audit's head row is missing")
    return f"{row.seq}:{row.hash}"


def verify(pool: Pool, exported_head: str | None = None) -> Check:
    """Whether every record stands as it was written, in its place, up to the head and to an exported head."""
    with pool.transaction(timeout=VERIFY_SECONDS) as connection:
        fault = QUERIES.audit.select_first_fault(connection)
        end = QUERIES.audit.select_head(connection)
        if fault is not None:
            return Check(False, f"record {fault.seq}: {fault.fault}")
        if end is None:
            return Check(False, "the head row is missing")
        if (end.seq, end.hash) != (end.last_seq or 0, end.last_hash or "0" * 64):
            return Check(False, f"records end at {end.last_seq or 0}, the head says {end.seq}: the tail was cut off")
        return _check_exported(connection, exported_head, int(end.seq))


def _check_exported(connection: Connection, exported_head: str | None, seq: int) -> Check:
    if exported_head is None:
        return Check(True, f"{seq} records, unbroken")
    number, _, known = exported_head.strip().partition(":")
    if not number.isdecimal() or len(known) != 64:
        return Check(False, "the exported head must read <number>:<hash>, as `audit head` prints it")
    if int(number) > seq:
        return Check(False, f"the exported head is record {number}, but the records end at {seq}: the tail was cut off")
    found = "0" * 64 if int(number) == 0 else QUERIES.audit.select_hash_at(connection, seq=int(number))
    if found != known:
        return Check(False, f"record {number} is not the one that was exported")
    return Check(True, f"{seq} records, unbroken, and they hold the exported head")


def key_ages(pool: Pool, key_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Since when each of these keys has been seen in the audit: {key_id, first_seen}."""
    with pool.transaction() as connection:
        return [row._asdict() for row in QUERIES.audit.select_key_ages(connection, key_ids=list(key_ids))]
