"""What becomes of a reservation: settled, released, or a breach. A real fill is never dropped."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from database.driver import Connection
from database.governance.audit import Who, insert_audit
from database.governance.clock import read_clock
from database.governance.go_live import lock_global
from database.governance.risk import RESERVE_SECONDS, change_policy, new_event, read_moment, record_event
from database.notices import insert_notice
from database.pool import Pool
from database.queries import QUERIES
from errors import Conflict, NotFound
from state import jsontext
from state.governance import risk
from state.governance.numbers import fingerprint
from state.governance.risk import Settlement


@dataclass(frozen=True, slots=True)
class Fill:
    """What became of a reservation: `filled` is None for all of it. Older clients tell engine and reserved amount."""

    engine: str | None
    reserved: Decimal | None
    filled: Decimal | None
    loss: Decimal

    @property
    def amount(self) -> Decimal | None:
        """What was filled, as far as the fill itself tells."""
        return self.reserved if self.filled is None else self.filled


def settle(pool: Pool, who: Who, reservation_id: str, fill: Fill, *, zone: str) -> dict[str, Any]:
    """Settle a reservation by its id. Raises Conflict when it was settled differently.

    An id that nobody knows raises NotFound, unless the fill tells engine and amount: a real fill is never dropped.
    """
    with pool.transaction(timeout=RESERVE_SECONDS) as connection:
        lock_global(connection)
        found = QUERIES.risk.select_reservation(connection, reservation_id=reservation_id)
        if found is None and fill.engine is not None and fill.amount:
            return _settle_unknown(connection, who, reservation_id, fill.engine, fill.amount, fill.loss, zone)
        return _settle_found(connection, who, found or _find(connection, reservation_id), fill.filled, fill.loss)


def _settle_unknown(
    connection: Connection, who: Who, reservation_id: str, engine: str, amount: Decimal, loss: Decimal, zone: str
) -> dict[str, Any]:
    """Record a fill under an id that reserved nothing, and keep the id, so that its repeats are known."""
    clock = read_clock(connection, zone)
    outcome = risk.settle(Decimal(0), "none", amount, loss)
    answer = _write(connection, who, outcome, engine, reservation_id, Decimal(0), amount, loss, clock.day, clock.now)
    QUERIES.risk.insert_settled(
        connection,
        reservation_id=reservation_id,
        engine=engine,
        day=clock.day,
        amount=amount,
        now=clock.now,
        settlement_hash=_hash(amount, amount, loss),
        settlement_answer=jsontext.dump(answer),
    )
    return answer


def settle_amount(pool: Pool, who: Who, engine: str, reserved: Decimal, fill: Fill, *, zone: str) -> dict[str, Any]:
    """Settle as older clients do, by engine and amount: the oldest open reservation of just that amount.

    Without one, the last settlement of the same numbers is answered again; else the fill is late: it is recorded
    against an expired or released reservation of that amount, or against none, and is a breach.
    """
    with pool.transaction(timeout=RESERVE_SECONDS) as connection:
        lock_global(connection)
        clock = read_clock(connection, zone)
        QUERIES.risk.expire_reservations(connection, now=clock.now)
        named: str | None = QUERIES.risk.find_reservation(connection, engine=engine, amount=reserved, states=["open"])
        if named is None:
            last = QUERIES.risk.find_last_settled(connection, engine=engine, amount=reserved)
            if last is not None:
                found = _find(connection, last)
                if found.settlement_hash == _hash(found.amount, fill.filled, fill.loss):
                    return dict(found.settlement_answer)
            named = QUERIES.risk.find_reservation(
                connection, engine=engine, amount=reserved, states=["expired", "released"]
            )
        if named is not None:
            return _settle_found(connection, who, _find(connection, named), fill.filled, fill.loss)
        amount = reserved if fill.filled is None else fill.filled
        outcome = risk.settle(Decimal(0), "none", amount, fill.loss)
        return _write(connection, who, outcome, engine, None, Decimal(0), amount, fill.loss, clock.day, clock.now)


def _find(connection: Connection, reservation_id: str) -> Any:
    """The reservation as it stands now, with the time that everything else in the transaction is judged by."""
    found = QUERIES.risk.select_reservation(connection, reservation_id=reservation_id)
    if found is None:
        raise NotFound("There is no reservation with this id.", code="RESERVATION_NOT_FOUND")
    return found


def _hash(reserved: Decimal, filled: Decimal | None, loss: Decimal) -> str:
    return fingerprint({"filled_amount": reserved if filled is None else filled, "realized_loss": loss})


def _settle_found(
    connection: Connection, who: Who, found: Any, filled: Decimal | None, loss: Decimal
) -> dict[str, Any]:
    given = _hash(found.amount, filled, loss)
    if found.state == "settled":
        if found.settlement_hash != given:
            raise Conflict("This reservation was settled with other numbers.", code="SETTLED_DIFFERENTLY")
        return dict(found.settlement_answer)
    if found.state == "expired":
        QUERIES.risk.expire_reservations(connection, now=found.now)
    outcome = risk.settle(found.amount, found.state, filled, loss)
    answer = _write(
        connection, who, outcome, found.engine, found.reservation_id, found.amount, filled, loss, found.day, found.now
    )
    QUERIES.risk.close_reservation(
        connection,
        reservation_id=found.reservation_id,
        state="settled",
        now=found.now,
        settlement_hash=given,
        settlement_answer=jsontext.dump(answer),
    )
    return answer


def _write(
    connection: Connection,
    who: Who,
    outcome: Settlement,
    engine: str,
    reservation_id: str | None,
    reserved: Decimal,
    filled: Decimal | None,
    loss: Decimal,
    day: date,
    now: datetime,
) -> dict[str, Any]:
    """Move the counters, trip the engine when it was a breach, and say what happened."""
    amount = reserved if filled is None else filled
    event = new_event(day, engine, "BREACH" if outcome.breaches else "SETTLE", reservation_id, amount, now)
    event.update(
        exposure_change=outcome.exposure_change,
        open_risk_change=outcome.open_risk_change,
        loss_change=outcome.loss_change,
        reason="breach" if outcome.breaches else "settled",
        message="; ".join(outcome.breaches) or "Settled",
        actor=who.actor,
    )
    record_event(connection, event)
    moment = read_moment(connection, engine, now, day)
    policies = list(moment.policies.values())
    flags = [*risk.loss_flags(policies, moment.ledgers), *(f"{engine} breach: {why}" for why in outcome.breaches)]
    answer = {
        "ok": True,
        "message": "Settled",
        "reservation_id": reservation_id,
        "engine": engine,
        "day": day,
        "reserved_amount": reserved,
        "filled_amount": amount,
        "realized_loss": outcome.loss_change,
        "breach": bool(outcome.breaches),
        "flags": flags,
        "ledger_engine": moment.ledgers[engine].as_dict() if engine in moment.ledgers else None,
        "ledger_global": moment.ledgers[risk.GLOBAL].as_dict(),
    }
    if outcome.breaches:
        _trip(connection, who, engine, reservation_id, outcome, amount)
    insert_audit(connection, who, "risk.breach" if outcome.breaches else "risk.settle", engine, after=answer)
    return answer


def _trip(
    connection: Connection, who: Who, engine: str, reservation_id: str | None, outcome: Settlement, amount: Decimal
) -> None:
    """A breach switches the engine off until a human has looked."""
    why = "; ".join(outcome.breaches)
    reason = f"{risk.TRIPPED_BY_BREACH}{why}"[:1000]
    tripper = Who(who.actor, who.key_id, reason, who.request_id)
    before = next((row._asdict() for row in QUERIES.risk.select_policies(connection, engines=[engine])), None)
    after = change_policy(connection, tripper, engine, {"enabled": False})
    seq = insert_audit(connection, tripper, "risk.trip", engine, before=before, after=after)
    insert_notice(
        connection,
        kind="breach",
        fact=f"breach:{seq}",
        title=f"{engine} breached its reservation and is off: {why}"[:500],
        detail={"engine": engine, "reservation_id": reservation_id, "filled_amount": amount, "reason": why},
    )


def release(pool: Pool, who: Who, reservation_id: str) -> dict[str, Any]:
    """Give a reservation back unused; again answers the same. Raises NotFound, or Conflict once it is settled."""
    with pool.transaction(timeout=RESERVE_SECONDS) as connection:
        lock_global(connection)
        found = _find(connection, reservation_id)
        if found.state == "settled":
            raise Conflict("This reservation is settled; it cannot be released.", code="ALREADY_SETTLED")
        if found.state == "released":
            return dict(found.settlement_answer)
        if found.state != "open":
            return _released(found, f"Nothing to release: the reservation is {found.state}")
        return _release(connection, who, found)


def _release(connection: Connection, who: Who, found: Any) -> dict[str, Any]:
    event = new_event(found.day, found.engine, "RELEASE", found.reservation_id, found.amount, found.now)
    event.update(exposure_change=-found.amount, open_risk_change=-found.amount, reason="released", actor=who.actor)
    record_event(connection, event)
    answer = _released(found, "Released")
    QUERIES.risk.close_reservation(
        connection,
        reservation_id=found.reservation_id,
        state="released",
        now=found.now,
        settlement_hash=None,
        settlement_answer=jsontext.dump(answer),
    )
    insert_audit(connection, who, "risk.release", found.engine, after=answer)
    return answer


def _released(found: Any, message: str) -> dict[str, Any]:
    amount = found.amount if found.state == "open" else Decimal(0)
    facts: Mapping[str, Any] = {"reservation_id": found.reservation_id, "engine": found.engine, "released": amount}
    return {"ok": True, "message": message, **facts}
