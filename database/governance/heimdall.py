"""The confidence charter's transactions: trials, advice, outcomes, and permission that is used once."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from database.driver import Connection
from database.governance.audit import Who, insert_audit
from database.governance.clock import read_clock
from database.governance.go_live import lock_global, read_switches
from database.pool import Pool
from database.queries import QUERIES
from errors import Conflict, Forbidden, NotFound
from state import jsontext
from state.governance import heimdall
from state.governance.heimdall import Bin, Charter

_NOTHING: Final = Decimal(0)
_CHARTER: Final = tuple(Charter.__dataclass_fields__)


def select_policies(pool: Pool) -> list[dict[str, Any]]:
    """The charters of every domain."""
    with pool.transaction() as connection:
        return [row._asdict() for row in QUERIES.heimdall.select_policies(connection, domain=None)]


def upsert_policy(pool: Pool, who: Who, domain: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change the thresholds that are given."""
    with pool.transaction() as connection:
        before = next((row._asdict() for row in QUERIES.heimdall.select_policies(connection, domain=domain)), None)
        QUERIES.heimdall.insert_unknown_policy(connection, domain=domain, changed_by=who.actor, reason=who.reason)
        row = {**changes, "domain": domain, "changed_by": who.actor, "reason": who.reason}
        after: dict[str, Any] = QUERIES.heimdall.update_policy(connection, row=jsontext.dump(row))._asdict()
        insert_audit(connection, who, "heimdall.policy", domain, before=before, after=after)
        return after


def record_trial(
    pool: Pool, who: Who, domain: str, confidence: Decimal, *, success: bool, zone: str, key: str | None
) -> dict[str, Any]:
    """Count a sandbox trial into the day's scorecard, once per `key`; returns the scorecard.

    Raises Conflict when `key` is known with another trial.
    """
    with pool.transaction() as connection:
        day = read_clock(connection, zone).day
        event_id = QUERIES.heimdall.insert_trial_event(
            connection,
            domain=domain,
            confidence=confidence,
            success=success,
            actor=who.actor,
            request_key=key and f"trial:{key}",
        )
        if event_id is not None:
            QUERIES.heimdall.count_trial(connection, day=day, domain=domain, confidence=confidence, success=success)
            insert_audit(
                connection, who, "heimdall.trial", domain, after={"confidence": confidence, "success": success}
            )
        else:
            known = QUERIES.heimdall.select_trial_by_key(connection, request_key=f"trial:{key}")
            if tuple(known) != (domain, confidence, success):
                raise Conflict("This Idempotency-Key is known with another trial.", code="IDEMPOTENCY_KEY_IN_USE")
        card = _scorecards(connection, domain, day, day)
    return card[0] if card else _scorecard(day, domain)


def select_scorecards(
    pool: Pool, zone: str, *, domain: str | None = None, since: date | None = None, until: date | None = None
) -> list[dict[str, Any]]:
    """Scorecards by day, newest first; without dates, today's."""
    with pool.transaction() as connection:
        until = until or read_clock(connection, zone).day
        return _scorecards(connection, domain, since or until, until)


def _scorecards(connection: Connection, domain: str | None, since: date, until: date) -> list[dict[str, Any]]:
    rows = QUERIES.heimdall.select_scorecards(connection, domain=domain, since=since, until=until)
    return [
        _scorecard(row.day, row.domain, row.trials, row.successes, row.confidence_sum, row.updated_at) for row in rows
    ]


def _scorecard(
    day: date,
    domain: str,
    trials: int = 0,
    successes: int = 0,
    confidence_sum: Decimal = _NOTHING,
    updated_at: datetime | None = None,
) -> dict[str, Any]:
    return {
        "day": day,
        "domain": domain,
        "trials": trials,
        "successes": successes,
        "success_rate": heimdall.success_rate(trials, successes),
        "avg_confidence": heimdall.mean(confidence_sum, trials),
        "updated_at": updated_at,
    }


def recommend(
    pool: Pool, who: Who, advice: Mapping[str, Any], *, zone: str, seconds: int, key: str | None
) -> dict[str, Any]:
    """Judge advice {domain, confidence, recommendation, evidence} by its charter and keep it, once per `key`.

    A permission holds for `seconds`. Raises Conflict when `key` is known with other content.
    """
    domain, confidence = advice["domain"], advice["confidence"]
    content = heimdall.content_hash(domain, confidence, advice["recommendation"])
    with pool.transaction() as connection:
        QUERIES.heimdall.insert_unknown_policy(
            connection, domain=domain, changed_by=who.actor, reason="unknown domain: defaults, production off"
        )
        QUERIES.heimdall.lock_policy(connection, domain=domain)
        policy = next(iter(QUERIES.heimdall.select_policies(connection, domain=domain)))
        today = read_clock(connection, zone).day
        since = today - timedelta(days=policy.scorecard_window_days - 1)
        window = QUERIES.heimdall.select_window(connection, domain=domain, since=since, until=today)
        charter = Charter(*(getattr(policy, name) for name in _CHARTER))
        reason = heimdall.gate(charter, confidence, window.trials, window.successes)
        row = {
            **advice,
            "actor": who.actor,
            "prod_eligible": reason == heimdall.GATE_PASS,
            "gate_reason": reason,
            "content_hash": content,
            "request_key": key,
            "seconds": seconds,
        }
        made = QUERIES.heimdall.insert_recommendation(connection, row=jsontext.dump(row))
        if made is None:
            known = QUERIES.heimdall.select_recommendation_by_key(connection, request_key=key)
            if known.content_hash != content:
                raise Conflict("This Idempotency-Key is known with other content.", code="IDEMPOTENCY_KEY_IN_USE")
            return dict(known._asdict())
        answer: dict[str, Any] = made._asdict()
        _note(connection, who, "RECOMMEND", answer["id"], domain, None)
        insert_audit(connection, who, "heimdall.recommend", domain, after=answer)
        return answer


def _note(connection: Connection, who: Who, action: str, row_id: int, domain: str, success: bool | None) -> None:
    QUERIES.heimdall.insert_event(
        connection, domain=domain, action=action, recommendation_id=row_id, success=success, actor=who.actor
    )


def record_outcome(pool: Pool, who: Who, row_id: int, *, success: bool, followed: bool) -> dict[str, Any]:
    """What came of advice, followed or not; again answers the same. Raises NotFound, or Conflict when it differs."""
    with pool.transaction() as connection:
        found = _lock(connection, row_id)
        at = found.outcome_at
        if at is None:
            at = QUERIES.heimdall.record_outcome(connection, id=row_id, success=success, followed=followed).outcome_at
            _note(connection, who, "OUTCOME", row_id, found.domain, success)
            after = {"success": success, "followed": followed}
            insert_audit(connection, who, "heimdall.outcome", f"recommendation {row_id}", after=after)
        elif (found.success, found.followed) != (success, followed):
            raise Conflict("Another outcome is recorded for this recommendation.", code="OUTCOME_DIFFERS")
        return {"ok": True, "id": row_id, "success": success, "followed": followed, "outcome_at": at}


def _lock(connection: Connection, row_id: int) -> Any:
    found = QUERIES.heimdall.lock_recommendation(connection, id=row_id)
    if found is None:
        raise NotFound("There is no recommendation with this id.", code="RECOMMENDATION_NOT_FOUND")
    return found


def require_prod_eligible(
    connection: Connection, who: Who, row_id: int, *, confidence: Decimal, recommendation: Any
) -> None:
    """Use up the permission of an eligible recommendation in the caller's transaction, before the act itself.

    `confidence` and `recommendation` are what is about to be acted on; they must be what was judged. Raises NotFound,
    Forbidden (not eligible, expired, other content, switched off since), or Conflict (already used).
    """
    lock_global(connection)
    found = _lock(connection, row_id)
    policy = next(iter(QUERIES.heimdall.select_policies(connection, domain=found.domain)), None)
    if read_switches(connection).kill_switch_engaged:
        raise Forbidden("The kill switch is engaged.", code="KILL_SWITCH_ENGAGED")
    if not found.prod_eligible:
        raise Forbidden(f"The recommendation is not eligible: {found.gate_reason}.", code="NOT_PROD_ELIGIBLE")
    if policy is None or not policy.prod_use_enabled:
        raise Forbidden("Production use of this domain was switched off.", code="NOT_PROD_ELIGIBLE")
    if found.used_at is not None:
        raise Conflict("The recommendation was used already.", code="RECOMMENDATION_USED")
    if found.is_expired:
        raise Forbidden("The recommendation has expired.", code="RECOMMENDATION_EXPIRED")
    if found.content_hash != heimdall.content_hash(found.domain, confidence, recommendation):
        raise Forbidden("This is not the content that was judged.", code="CONTENT_DIFFERS")
    QUERIES.heimdall.mark_used(connection, id=row_id, used_by=who.actor)
    _note(connection, who, "USE", row_id, found.domain, None)
    insert_audit(connection, who, "heimdall.use", f"recommendation {row_id}")


def select_calibration(pool: Pool, domain: str | None) -> dict[str, Any]:
    """Claimed against achieved rates of the advice whose outcome is known."""
    with pool.transaction() as connection:
        rows = QUERIES.heimdall.select_calibration(connection, domain=domain)
        return {"domain": domain, **heimdall.calibrate(Bin(*row) for row in rows)}
