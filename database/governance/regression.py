"""The tripwire's transactions: measured outcomes in, wires looked at after each, a trip acted on once."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from database.driver import Connection
from database.governance.audit import Who, insert_audit
from database.governance.go_live import engage_kill_switch, lock_global
from database.governance.risk import change_policy
from database.notices import insert_notice
from database.pool import Pool
from database.queries import QUERIES
from database.summaries import refresh
from errors import Conflict, DatabaseError
from state import jsontext
from state.governance import regression
from state.governance.regression import Finding, Window, Wire

log = structlog.get_logger()

#: Trades are looked through this far back for results that are not among the outcomes yet.
TRADES_BACK: Final = timedelta(days=7)
_STATE: Final = (
    "domain",
    "metric",
    "triggered",
    "baseline",
    "current",
    "drop_fraction",
    "note",
    "verdict",
    "last_checked_at",
    "last_triggered_at",
    "p_value",
    "effect_size",
    "interval_low",
    "interval_high",
    "rearmed_at",
)


def select_policies(pool: Pool) -> list[dict[str, Any]]:
    """Every wire."""
    with pool.transaction() as connection:
        return [row._asdict() for row in QUERIES.regression.select_policies(connection, domain=None, metric=None)]


def upsert_policy(pool: Pool, who: Who, domain: str, metric: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change what is given of a wire."""
    with pool.transaction() as connection:
        before = _policy(connection, domain, metric)
        QUERIES.regression.insert_unknown_policy(connection, domain=domain, metric=metric, changed_by=who.actor)
        row = {**changes, "domain": domain, "metric": metric, "changed_by": who.actor, "reason": who.reason}
        after: dict[str, Any] = QUERIES.regression.update_policy(connection, row=jsontext.dump(row))._asdict()
        insert_audit(
            connection,
            who,
            "regression.policy",
            f"{domain}.{metric}",
            before=before and before._asdict(),
            after=after,
        )
        return after


def _policy(connection: Connection, domain: str, metric: str) -> Any:
    return next(iter(QUERIES.regression.select_policies(connection, domain=domain, metric=metric)), None)


def select_states(pool: Pool) -> list[dict[str, Any]]:
    """What the last look at each wire found."""
    with pool.transaction() as connection:
        rows = QUERIES.regression.select_states(connection, domain=None, metric=None)
        return [_state(row) for row in rows]


def _state(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _STATE}


def record_kpis(pool: Pool, who: Who, events: Sequence[Mapping[str, Any]], *, compare: bool = True) -> list[int]:
    """Store outcomes, all or none, and return their ids in order; a known `event_key` answers its first event's id.

    Raises Conflict when a known key comes with another outcome, unless not to `compare`: then the first one stands.

    Then every enabled wire that they belong to is looked at, in a transaction of its own: of several senders at
    once the last one to commit sees the events of all.
    """
    with pool.transaction() as connection:
        ids = _insert(connection, events, compare=compare)
        wires = sorted({(event["domain"], event["metric"]) for event in events})
        enabled = list(
            QUERIES.regression.select_enabled(
                connection, domains=[domain for domain, _ in wires], metrics=[metric for _, metric in wires]
            )
        )
    for wire in enabled:
        try:
            evaluate(pool, who, wire.domain, wire.metric)
        except DatabaseError as error:
            # the outcomes are stored; the next one has the wire looked at again
            log.warning("wire_not_looked_at", domain=wire.domain, metric=wire.metric, code=error.code)
    return ids


def _insert(connection: Connection, events: Sequence[Mapping[str, Any]], *, compare: bool) -> list[int]:
    rows = [{"n": n, **event} for n, event in enumerate(events)]
    keys = [event.get("event_key") for event in events]
    fresh = list(QUERIES.regression.insert_kpis(connection, rows=jsontext.dump(rows)))
    by_key = {row.event_key: row.id for row in fresh if row.event_key is not None}
    keyed = [event for event in events if event.get("event_key") is not None]
    if len(by_key) < len(keyed):
        by_key |= _known(connection, keyed, compare=compare)
    unkeyed = iter(sorted(row.id for row in fresh if row.event_key is None))
    return [by_key[key] if key is not None else next(unkeyed) for key in keys]


def _known(connection: Connection, events: Sequence[Mapping[str, Any]], *, compare: bool) -> dict[str, int]:
    """The ids of events by their keys."""
    keys = [event["event_key"] for event in events]
    known = {row.event_key: row for row in QUERIES.regression.select_kpis_by_key(connection, event_keys=keys)}
    for event in events:
        first = known[event["event_key"]]
        if compare and (first.success, first.value) != (event.get("success"), event.get("value")):
            raise Conflict("This key is known with another outcome.", code="IDEMPOTENCY_KEY_IN_USE")
    return {key: row.id for key, row in known.items()}


def evaluate(pool: Pool, who: Who, domain: str, metric: str, *, asked: bool = False) -> dict[str, Any]:
    """Look at a wire and act if it trips; returns its state. `asked`: a person asked, so the audit tells.

    A look that calls for the action is repeated under the GLOBAL lock: of two lookers one acts.
    """
    with pool.transaction() as connection:
        state = _look(connection, who, domain, metric, may_act=False, asked=asked)
    if state is not None:
        return state
    with pool.transaction() as connection:
        lock_global(connection)
        acted = _look(connection, who, domain, metric, may_act=True, asked=asked)
    if acted is None:
        raise AssertionError("a look that may act always ends in a state")
    return acted


def _look(
    connection: Connection, who: Who, domain: str, metric: str, *, may_act: bool, asked: bool
) -> dict[str, Any] | None:
    """The state after a look, or None when the look calls for an action that may not be taken here."""
    policy = _policy(connection, domain, metric)
    if policy is None:
        return _unknown(domain, metric)
    QUERIES.regression.insert_state(connection, domain=domain, metric=metric)
    latch = QUERIES.regression.lock_state(connection, domain=domain, metric=metric)
    finding = _find(connection, policy, latch.rearmed_at)
    trips = finding.trips and not latch.triggered
    if trips and not may_act:
        return None
    row = {"domain": domain, "metric": metric, "trips": trips, "acted": policy.action, **finding.as_dict()}
    state = _state(QUERIES.regression.update_state(connection, row=jsontext.dump(row)))
    if trips:
        _act(connection, who, policy, state)
    if asked:
        insert_audit(connection, who, "regression.evaluate", f"{domain}.{metric}", after=state)
    return state


def _unknown(domain: str, metric: str) -> dict[str, Any]:
    missing = Finding(False, regression.MISSING_OR_DISABLED, regression.INCONCLUSIVE)
    empty: dict[str, Any] = dict.fromkeys(_STATE)
    return {**empty, "domain": domain, "metric": metric, "triggered": False, **missing.as_dict()}


def _find(connection: Connection, policy: Any, rearmed_at: datetime | None) -> Finding:
    if not policy.enabled:
        return Finding(False, regression.MISSING_OR_DISABLED, regression.INCONCLUSIVE)
    windows = {False: Window(0), True: Window(0)}
    for row in QUERIES.regression.select_windows(
        connection,
        domain=policy.domain,
        metric=policy.metric,
        window_events=policy.window_events,
        baseline_events=policy.baseline_events,
        rearmed_at=rearmed_at,
    ):
        windows[row.is_current] = Window(*row[1:])
    wire = Wire(policy.min_events_to_enforce, policy.max_drop_fraction, policy.action, policy.require_significance)
    return regression.evaluate(wire, windows[True], windows[False])


def _act(connection: Connection, who: Who, policy: Any, state: Mapping[str, Any]) -> None:
    """Switch off what the wire guards, under the GLOBAL lock."""
    reason = regression.trip_reason(policy.domain, policy.metric, state["drop_fraction"])
    tripper = Who(who.actor, who.key_id, reason, who.request_id)
    if policy.action == regression.KILL_SWITCH:
        engage_kill_switch(connection, tripper)
    else:
        change_policy(connection, tripper, policy.domain, {"enabled": False})
    subject = f"{policy.domain}.{policy.metric}"
    seq = insert_audit(connection, tripper, "regression.trip", subject, after={**state, "action": policy.action})
    insert_notice(
        connection,
        kind="tripwire",
        fact=f"tripwire:{subject}:{seq}"[:500],
        title=f"{reason}, action {policy.action}"[:500],
        detail={name: state[name] for name in ("domain", "metric", "baseline", "current", "drop_fraction", "note")},
    )


def record_completed_trades(pool: Pool, *, limit: int = 500) -> int:
    """Record win and realized R of completed trades that have none yet; returns how many trades.

    domain is the strategy's id in capitals. Safe to run anywhere at any time: a trade is never recorded twice.
    """
    refresh(pool)
    recorded = 0
    while True:
        with pool.transaction(timeout=30) as connection:
            trades = list(
                QUERIES.regression.select_unrecorded_trades(
                    connection, since=datetime.now(UTC) - TRADES_BACK, limit=limit
                )
            )
        events = [event for trade in trades for event in _outcomes_of(trade)]
        if events:
            record_kpis(pool, Who("alertbook"), events, compare=False)
        recorded += len(trades)
        if len(trades) < limit:
            return recorded


def _outcomes_of(trade: Any) -> list[dict[str, Any]]:
    common = {"domain": trade.strategy_id.upper()[:100], "actor": "alertbook", "correlation_id": trade.trade_id[:200]}
    return [
        {**common, "metric": "win", "success": trade.realized_r > 0, "event_key": f"trade:{trade.trade_id}:win"},
        {
            **common,
            "metric": "realized_r",
            "value": trade.realized_r,
            "event_key": f"trade:{trade.trade_id}:realized_r",
        },
    ]
