"""Authenticated bodies that could not become an event: kept, listed, replayed, discarded."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from errors import AlertbookError, Conflict, Detail, NotFound
from state import jsontext


@dataclass(frozen=True, slots=True)
class Held:
    """A body and why it could not become an event. `raw` holds no secret."""

    received_at: datetime
    peer: str
    raw: bytes
    reason: str
    message: str
    details: Sequence[Detail]
    payload_version: str | None
    parser_version: str

    def spooled(self) -> str:
        """As JSON text for the spool."""
        return jsontext.dump({"row": self._row(), "raw": base64.b64encode(self.raw).decode()})

    def _row(self) -> dict[str, Any]:
        return {
            "received_at": self.received_at,
            "peer": self.peer,
            "reason": self.reason,
            "message": _storable(self.message),
            "details": [{name: _storable(text) for name, text in detail.as_dict().items()} for detail in self.details],
            "payload_version": self.payload_version,
            "parser_version": self.parser_version,
        }

    def insert(self, connection: Connection, *, per_peer: int, total: int) -> int | None:
        """Keep it, within the caller's transaction; None when its peer or everybody has too many waiting."""
        row_id: int | None = QUERIES.intake.insert_quarantine(
            connection, row=jsontext.dump(self._row()), raw=self.raw, per_peer=per_peer, total=total
        )
        return row_id


def _storable(text: str) -> str:
    """What is said about a body may quote it, and no text column holds a NUL or half a character."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


#: What was accepted into the spool is kept whatever waits already.
_NO_CAP = 2**62


def insert_spooled(connection: Connection, content: Mapping[str, Any]) -> None:
    """Keep a body that had to wait in the spool."""
    QUERIES.intake.insert_quarantine(
        connection,
        row=jsontext.dump(content["row"]),
        raw=base64.b64decode(content["raw"]),
        per_peer=_NO_CAP,
        total=_NO_CAP,
    )


def insert_poison(connection: Connection, content: str, error: AlertbookError) -> None:
    """Keep what was spooled and the database will not take: it was accepted, so it must not vanish."""
    received_at, peer, raw = datetime.now(UTC), "spool", content.encode()
    with suppress(ValueError, KeyError, TypeError, IndexError):
        spooled = jsontext.stored(content)
        first = spooled["rows"][0]
        received_at, peer = datetime.fromisoformat(first["received_at"]), str(spooled["peer"])[:100]
        raw = jsontext.dump(first.get("telemetry") or first.get("legacy_payload") or spooled["rows"]).encode()
    held = Held(
        received_at=received_at,
        peer=peer,
        raw=raw,
        reason=error.code,
        message=error.message,
        details=(),
        payload_version=None,
        parser_version="spool",
    )
    held.insert(connection, per_peer=_NO_CAP, total=_NO_CAP)


def select_page(pool: Pool, *, before: tuple[datetime, str] | None, limit: int, **filters: Any) -> list[Any]:
    """A page of quarantine, newest first, without the bodies."""
    before_time, before_id = before or (None, None)
    with pool.transaction() as connection:
        return list(
            QUERIES.intake.select_quarantine(
                connection, **filters, before_time=before_time, before_id=before_id, limit=limit
            )
        )


def select_one(pool: Pool, quarantine_id: int) -> Any:
    """One body with all that is known about it. Raises NotFound."""
    with pool.transaction() as connection:
        return _found(QUERIES.intake.select_quarantined(connection, quarantine_id=quarantine_id), quarantine_id)


def select_waiting_ids(pool: Pool, *, reason: str, limit: int) -> list[int]:
    """The oldest waiting bodies of one reason."""
    with pool.transaction() as connection:
        return [row.id for row in QUERIES.intake.select_waiting_ids(connection, reason=reason, limit=limit)]


class Claim:
    """A waiting body that nobody else can replay or discard before the claim ends."""

    def __init__(self, connection: Connection, row: Any) -> None:
        self._connection = connection
        self.row = row

    def resolve(self, *, state: str, result: Mapping[str, Any] | None = None, note: str | None = None) -> None:
        """Record that it was replayed or discarded."""
        QUERIES.intake.resolve_quarantined(
            self._connection,
            quarantine_id=self.row.id,
            state=state,
            note=note,
            result=None if result is None else jsontext.dump(result),
        )

    def record_attempt(self, result: Mapping[str, Any]) -> None:
        """Record that a replay failed; the body goes on waiting."""
        QUERIES.intake.record_attempt(self._connection, quarantine_id=self.row.id, result=jsontext.dump(result))


@contextmanager
def claim(pool: Pool, quarantine_id: int, *, timeout: float = 5.0) -> Iterator[Claim]:
    """Hold a waiting body while something is done with it. Raises NotFound, or Conflict when it waits no more."""
    with pool.transaction(timeout=timeout) as connection:
        row = _found(QUERIES.intake.lock_quarantined(connection, quarantine_id=quarantine_id), quarantine_id)
        if row.state != "waiting":
            raise Conflict(f"quarantine item {quarantine_id} was {row.state} already", code="NOT_WAITING")
        yield Claim(connection, row)


def _found(row: Any, quarantine_id: int) -> Any:
    if row is None:
        raise NotFound(f"there is no quarantine item {quarantine_id}", code="QUARANTINE_ITEM_NOT_FOUND")
    return row
