"""The risk guard's transactions: reserve, settle, release, and the caps they are judged by."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from database.driver import Connection
from database.governance.audit import Who, insert_audit
from database.governance.clock import read_clock
from database.governance.go_live import lock_global
from database.governance.rearm import rearm
from database.pool import Pool
from database.queries import QUERIES
from errors import Conflict, Detail, Invalid
from state import jsontext
from state.governance import risk
from state.governance.days import trading_day
from state.governance.go_live import HALTED, Switches
from state.governance.numbers import fingerprint
from state.governance.risk import Decision, Ledger, Policy

#: Seconds for a reserve, the wait for its turn included.
RESERVE_SECONDS: Final = 10.0
_ZERO: Final = Decimal(0)
_POLICY: Final = tuple(Policy.__dataclass_fields__)
_LEDGER: Final = tuple(Ledger.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say: the zone of the trading day, whether go-live is enforced, and the usual ttl in seconds."""

    zone: str
    enforced: bool
    ttl_seconds: int


@dataclass(frozen=True, slots=True)
class Request:
    """A request for budget: `reservation_id` is the client's own or None, `ttl_seconds` None for the usual one."""

    engine: str
    amount: Decimal
    reservation_id: str | None = None
    ttl_seconds: int | None = None
    check_only: bool = False
    correlation_id: str | None = None
    metadata: Any = None

    def hash(self, who: Who) -> str:
        """The same for the same parameters."""
        return fingerprint(
            {
                "engine": self.engine,
                "amount": self.amount,
                "ttl_seconds": self.ttl_seconds,
                "correlation_id": self.correlation_id,
                "metadata": self.metadata,
                "actor": who.actor,
                "reason": who.reason,
            }
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """What a request is judged by, read after the lock."""

    now: datetime
    day: date
    policies: Mapping[str, Policy]
    ledgers: Mapping[str, Ledger]

    def snapshots(self, engine: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Policies and ledgers by engine, GLOBAL first."""
        engines = risk.engines_of(engine)
        return (
            {name: self.policies.get(name, Policy(name)).as_dict() for name in engines},
            {name: self.ledgers.get(name, Ledger(name)).as_dict() for name in engines},
        )


def reserve(pool: Pool, who: Who, request: Request, rules: Rules) -> dict[str, Any]:
    """The answer to a request for budget; what it grants is committed when this returns.

    Raises Conflict when `reservation_id` is known with other parameters.
    """
    with pool.transaction(timeout=RESERVE_SECONDS) as connection:
        known_as = None if request.check_only else request.reservation_id
        engines = risk.engines_of(request.engine)
        rows = list(QUERIES.risk.begin_reserve(connection, engines=engines, reservation_id=known_as))
        found = rows[0]
        if found.reservation_id is not None and found.request_hash != request.hash(who):
            raise Conflict("This reservation_id is known with other parameters.", code="RESERVATION_ID_IN_USE")
        switches = HALTED
        if found.go_live_enabled is not None:
            switches = Switches(found.go_live_enabled, found.kill_switch_engaged)
        if found.reservation_id is not None and not switches.kill_switch_engaged:
            return dict(found.answer)
        moment = _moment(rows, found.now, trading_day(found.now, rules.zone))
        if found.has_expired:
            QUERIES.risk.expire_reservations(connection, now=found.now)
            moment = read_moment(connection, request.engine, found.now, moment.day)
        decision = risk.decide(
            switches, moment.policies, moment.ledgers, request.engine, request.amount, enforced=rules.enforced
        )
        if request.check_only:
            return _answer(request, decision, moment, None, None)
        return _record(connection, who, request, rules, decision, moment, known=found.reservation_id is not None)


def _moment(rows: Sequence[Any], now: datetime, day: date) -> Moment:
    """Caps and counters out of rows by engine and day; an engine that is unused on `day` has its open risk alone."""
    policies, ledgers = {}, {}
    for row in rows:
        if row.engine is None:
            continue
        policies[row.engine] = Policy(*(getattr(row, name) for name in _POLICY))
        if row.day == day:
            ledgers[row.engine] = Ledger(*(getattr(row, name) for name in _LEDGER))
        else:
            ledgers.setdefault(row.engine, Ledger(row.engine, open_risk_reserved=row.open_risk_reserved))
    return Moment(now, day, policies, ledgers)


def read_moment(connection: Connection, engine: str, now: datetime, day: date) -> Moment:
    """Caps and counters of GLOBAL and the engine on a day."""
    rows = list(QUERIES.risk.select_usage(connection, engines=risk.engines_of(engine), day=day))
    return Moment(
        now,
        day,
        {row.engine: Policy(*(getattr(row, name) for name in _POLICY)) for row in rows},
        {row.engine: Ledger(*(getattr(row, name) for name in _LEDGER)) for row in rows},
    )


def _answer(
    request: Request, decision: Decision, moment: Moment, reservation_id: str | None, expires_at: datetime | None
) -> dict[str, Any]:
    policies, ledgers = moment.snapshots(request.engine)
    return {
        "ok": decision.ok,
        "engine": request.engine,
        "reserved": request.amount if reservation_id else 0,
        "reservation_id": reservation_id,
        "expires_at": expires_at,
        "reason": decision.reason,
        "message": decision.message,
        "policy_snapshot": policies,
        "ledger_snapshot": ledgers,
    }


def _record(
    connection: Connection,
    who: Who,
    request: Request,
    rules: Rules,
    decision: Decision,
    moment: Moment,
    *,
    known: bool,
) -> dict[str, Any]:
    """Keep a decision: counters and reservation when it grants, an event and the audit in any case."""
    if request.engine not in moment.policies:
        QUERIES.risk.insert_unknown_policy(
            connection, engine=request.engine, changed_by=who.actor, reason="unknown engine: disabled, all caps 0"
        )
    reservation_id = expires_at = None
    if decision.ok:
        reservation_id = request.reservation_id or uuid.uuid4().hex
        expires_at = moment.now + timedelta(seconds=request.ttl_seconds or rules.ttl_seconds)
        ledgers = {name: ledger.plus(request.amount) for name, ledger in moment.ledgers.items()}
        moment = Moment(moment.now, moment.day, moment.policies, ledgers)
    answer = _answer(request, decision, moment, reservation_id, expires_at)
    kept_as = reservation_id or request.reservation_id
    change = request.amount if decision.ok else _ZERO
    event = new_event(
        moment.day, request.engine, "RESERVE" if decision.ok else "DENY", kept_as, request.amount, moment.now
    )
    event.update(
        exposure_change=change,
        open_risk_change=change,
        actions_change=int(decision.ok),
        reason=decision.reason,
        message=decision.message,
        actor=who.actor,
        correlation_id=request.correlation_id,
        metadata=request.metadata,
    )
    if kept_as is not None and not known:
        event.update(
            state="open" if decision.ok else "denied",
            request_hash=request.hash(who),
            answer=jsontext.dump(answer),
            expires_at=expires_at,
        )
    record_event(connection, event)
    insert_audit(
        connection,
        who,
        "risk.reserve" if decision.ok else "risk.deny",
        request.engine,
        after={
            "amount": request.amount,
            "reservation_id": kept_as,
            "ok": decision.ok,
            "reason": decision.reason,
            "message": decision.message,
        },
    )
    return answer


def new_event(
    day: date, engine: str, action: str, reservation_id: str | None, amount: Decimal, now: datetime
) -> dict[str, Any]:
    """An event that moves nothing yet."""
    return {
        "day": day,
        "engine": engine,
        "action": action,
        "reservation_id": reservation_id,
        "amount": amount,
        "now": now,
        "exposure_change": _ZERO,
        "open_risk_change": _ZERO,
        "loss_change": _ZERO,
        "actions_change": 0,
    }


def record_event(connection: Connection, event: Mapping[str, Any]) -> None:
    """Write an event and move the counters by what it says."""
    QUERIES.risk.record_event(connection, row=jsontext.dump(event))


def select_policies(pool: Pool) -> list[dict[str, Any]]:
    """The caps of every engine, GLOBAL first."""
    with pool.transaction() as connection:
        return [row._asdict() for row in QUERIES.risk.select_policies(connection, engines=None)]


def upsert_policy(pool: Pool, who: Who, engine: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change the caps that are given. Enabling an engine re-arms the wires that had disabled it."""
    with pool.transaction() as connection:
        lock_global(connection)
        before = next((row._asdict() for row in QUERIES.risk.select_policies(connection, engines=[engine])), None)
        if risk.needs_reason(before, changes, who.reason):
            raise Invalid(
                "This engine had switched itself off: say in `reason` why it may go on.",
                code="REASON_REQUIRED",
                details=[Detail("reason", "REQUIRED", "why the engine may go on")],
            )
        # while it stays off, why it switched itself off stays too: this change's own reason is in the audit
        stays = risk.is_tripped(before) and not changes.get("enabled")
        after = change_policy(connection, replace(who, reason=None) if stays else who, engine, changes)
        rearmed = rearm(connection, acted="THROTTLE", domain=engine) if changes.get("enabled") else []
        insert_audit(connection, who, "risk.policy", engine, before=before, after=after)
        for subject in rearmed:
            insert_audit(connection, who, "regression.rearm", subject)
        return after


def change_policy(connection: Connection, who: Who, engine: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change an engine's caps under the GLOBAL lock that the caller holds; the caller writes the audit."""
    QUERIES.risk.insert_unknown_policy(connection, engine=engine, changed_by=who.actor, reason=who.reason)
    row = {**changes, "engine": engine, "changed_by": who.actor, "reason": who.reason}
    after: dict[str, Any] = QUERIES.risk.update_policy(connection, row=jsontext.dump(row))._asdict()
    return after


def select_today(pool: Pool, zone: str) -> list[dict[str, Any]]:
    """A row per engine for the trading day, zeros where nothing was used, with what is left."""
    with pool.transaction() as connection:
        day = read_clock(connection, zone).day
        rows = [row._asdict() for row in QUERIES.risk.select_usage(connection, engines=None, day=day)]
    names = ("engine", "exposure_used", "open_risk_reserved", "realized_loss", "actions_count", "enabled", "reason")
    return [{"day": day, **{name: row[name] for name in names}, **risk.left(row, row)} for row in rows]


def select_ledger(pool: Pool, zone: str, since: date | None, until: date | None) -> list[dict[str, Any]]:
    """The counters of the days asked for (default today), newest first, as they stand on each day."""
    with pool.transaction() as connection:
        today = read_clock(connection, zone).day
        until = until or today
        rows = QUERIES.risk.select_ledger(connection, since=since or min(today, until), until=until)
        return [row._asdict() for row in rows]


def select_open_reservations(pool: Pool, *, limit: int = 100) -> list[Any]:
    """What holds budget right now, the first to run out first."""
    with pool.transaction() as connection:
        return list(QUERIES.risk.select_open_reservations(connection, limit=limit))
