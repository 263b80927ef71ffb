"""The Monday review: what a week left behind, and whether the system may go on."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

HEALTHY: Final = "healthy"
ATTENTION: Final = "attention"
HALTED: Final = "halted"


def trips(records: Iterable[tuple[datetime, str, str]]) -> list[dict[str, Any]]:
    """Each trip with the re-arming that followed: {wire, tripped_at, rearmed_at, seconds}, oldest first.

    `records` are (time, action, wire), oldest first; `seconds` is None while nobody has re-armed the wire.
    """
    found: list[dict[str, Any]] = []
    waiting: dict[str, dict[str, Any]] = {}
    for at, action, wire in records:
        if action == "regression.trip":
            waiting[wire] = {"wire": wire, "tripped_at": at, "rearmed_at": None, "seconds": None}
            found.append(waiting[wire])
        elif wire in waiting:
            trip = waiting.pop(wire)
            trip["rearmed_at"] = at
            trip["seconds"] = Decimal(str((at - trip["tripped_at"]).total_seconds()))
    return found


def mean_seconds(found: Sequence[Mapping[str, Any]]) -> Decimal | None:
    """Mean time from trip to re-enabling in seconds, to a tenth; None while none was re-enabled."""
    known = [trip["seconds"] for trip in found if trip["seconds"] is not None]
    return (sum(known, Decimal(0)) / len(known)).quantize(Decimal("0.1")) if known else None


def judge(facts: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The verdict and its reasons. `facts` are those of the review's answer."""
    go_live = facts["go_live"]
    halts = ["the kill switch is engaged"] if go_live["kill_switch_engaged"] else []
    halts += [] if go_live["go_live_enabled"] else ["go-live is off"]
    reasons = []
    for state in facts["regression"]:
        if state["triggered"]:
            reasons.append(f"{state['domain']}.{state['metric']} has tripped: {state['note']}")
    for row in facts["ledger_today"]:
        if row["enabled"] and not row["loss_left"]:
            reasons.append(f"{row['engine']} has reached its daily loss cap")
    if facts["breaches"]:
        reasons.append(f"{len(facts['breaches'])} breaches in seven days")
    if facts["stale_reservations"]:
        reasons.append(f"{len(facts['stale_reservations'])} reservations ran out without a settlement")
    if not facts["audit"]["ok"]:
        reasons.append(f"the audit does not verify: {facts['audit']['detail']}")
    verdict = HALTED if halts else ATTENTION if reasons else HEALTHY
    return verdict, [*halts, *reasons]
