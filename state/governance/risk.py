"""The risk guard: may this amount be reserved, and what does a settlement change? Money in one unit, exact."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from state.governance.go_live import Switches
from state.governance.numbers import add, shown

GLOBAL: Final = "GLOBAL"

RESERVED: Final = "reserved"
POLICY_DISABLED: Final = "policy_disabled"
WOULD_EXCEED: Final = "would_exceed_policy"
KILL_SWITCH: Final = "kill_switch_engaged"
GO_LIVE_OFF: Final = "go_live_disabled"

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Policy:
    """The caps of one engine for one day; `max_actions_per_day` 0 means no limit, a money cap of 0 admits nothing."""

    engine: str
    enabled: bool = False
    max_daily_loss: Decimal = _ZERO
    max_daily_exposure: Decimal = _ZERO
    max_open_risk: Decimal = _ZERO
    max_actions_per_day: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {
            "engine": self.engine,
            "enabled": self.enabled,
            "max_daily_loss": self.max_daily_loss,
            "max_daily_exposure": self.max_daily_exposure,
            "max_open_risk": self.max_open_risk,
            "max_actions_per_day": self.max_actions_per_day,
        }


@dataclass(frozen=True, slots=True)
class Ledger:
    """What an engine has used of the day. Open risk counts reservations of earlier days that are still open."""

    engine: str
    exposure_used: Decimal = _ZERO
    open_risk_reserved: Decimal = _ZERO
    realized_loss: Decimal = _ZERO
    actions_count: int = 0

    def plus(self, amount: Decimal) -> "Ledger":
        """The ledger once one more reservation of `amount` stands in it."""
        return Ledger(
            self.engine,
            add(self.exposure_used, amount),
            add(self.open_risk_reserved, amount),
            self.realized_loss,
            self.actions_count + 1,
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "engine": self.engine,
            "exposure_used": self.exposure_used,
            "open_risk_reserved": self.open_risk_reserved,
            "realized_loss": self.realized_loss,
            "actions_count": self.actions_count,
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a request for budget: a code and a sentence."""

    ok: bool
    reason: str
    message: str


def _actions(policy: Policy, ledger: Ledger, amount: Decimal) -> str | None:
    cap = policy.max_actions_per_day
    count = ledger.actions_count + 1
    return f"Actions/day cap exceeded ({count} > {cap})" if 0 < cap < count else None


def _exposure(policy: Policy, ledger: Ledger, amount: Decimal) -> str | None:
    cap = policy.max_daily_exposure
    total = add(ledger.exposure_used, amount)
    return f"Daily exposure cap exceeded ({shown(total)} > {shown(cap)})" if total > cap else None


def _open_risk(policy: Policy, ledger: Ledger, amount: Decimal) -> str | None:
    cap = policy.max_open_risk
    total = add(ledger.open_risk_reserved, amount)
    return f"Open risk cap exceeded ({shown(total)} > {shown(cap)})" if total > cap else None


def _loss(policy: Policy, ledger: Ledger, amount: Decimal) -> str | None:
    cap, lost = policy.max_daily_loss, ledger.realized_loss
    return f"Daily loss cap already reached ({shown(lost)} >= {shown(cap)})" if lost >= cap else None


#: In this order; for each of them GLOBAL is asked before the engine.
_CAPS: Final[tuple[Callable[[Policy, Ledger, Decimal], str | None], ...]] = (_actions, _exposure, _open_risk, _loss)


def engines_of(engine: str) -> list[str]:
    """Whose caps a reservation of `engine` counts against: GLOBAL's and its own."""
    return [GLOBAL] if engine == GLOBAL else [GLOBAL, engine]


def decide(
    switches: Switches,
    policies: Mapping[str, Policy],
    ledgers: Mapping[str, Ledger],
    engine: str,
    amount: Decimal,
    *,
    enforced: bool,
) -> Decision:
    """Whether `amount` may be reserved for `engine` now.

    `policies` and `ledgers` are by engine; one that is missing counts as disabled, or as unused. The kill switch
    is asked first, then go-live where it is `enforced`, then disabled, actions, exposure, open risk, loss.
    """
    if switches.kill_switch_engaged:
        return Decision(False, KILL_SWITCH, "Kill switch engaged: nothing may be reserved")
    if enforced and not switches.go_live_enabled:
        return Decision(False, GO_LIVE_OFF, "Go-live is off: nothing may be reserved")
    asked = [(policies.get(name, Policy(name)), ledgers.get(name, Ledger(name))) for name in engines_of(engine)]
    for policy, _ in asked:
        if not policy.enabled:
            return Decision(False, POLICY_DISABLED, f"{policy.engine} hard stop: Policy disabled")
    for cap in _CAPS:
        for policy, ledger in asked:
            fault = cap(policy, ledger, amount)
            if fault is not None:
                return Decision(False, WOULD_EXCEED, f"{policy.engine} hard stop: {fault}")
    return Decision(True, RESERVED, "Reserved")


#: How the reasons of an engine begin that was switched off by itself.
TRIPPED_BY_WIRE: Final = "Regression tripwire: "
TRIPPED_BY_BREACH: Final = "Breach: "


def is_tripped(policy: Mapping[str, Any] | None) -> bool:
    """Whether an engine has switched itself off and is off still."""
    if policy is None or policy["enabled"]:
        return False
    return (policy["reason"] or "").startswith((TRIPPED_BY_WIRE, TRIPPED_BY_BREACH))


def needs_reason(policy: Mapping[str, Any] | None, changes: Mapping[str, Any], reason: str | None) -> bool:
    """Whether a change switches on again, without a reason, what had switched itself off."""
    return is_tripped(policy) and bool(changes.get("enabled")) and not reason


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a settlement adds to the counters of the day that reserved, and why it is a breach, if it is one."""

    exposure_change: Decimal
    open_risk_change: Decimal
    loss_change: Decimal
    breaches: tuple[str, ...]


def settle(reserved: Decimal, state: str, filled: Decimal | None, loss: Decimal) -> Settlement:
    """A fill of `filled` (None: all that was reserved) with a realized loss (a gain counts as 0).

    `state` is the reservation's: open, or denied, released, expired, none, whose fill comes too late or without
    leave: it holds no budget any more, so all of the fill is added, and that is a breach, as is a larger fill.
    """
    amount = reserved if filled is None else filled
    held = reserved if state == "open" else _ZERO
    breaches = []
    if state != "open":
        breaches.append(_LATE[state])
    if reserved and amount > reserved:
        breaches.append(f"filled {shown(amount)} with {shown(reserved)} reserved")
    return Settlement(add(amount, -held), -held, max(loss, _ZERO), tuple(breaches))


_LATE: Final = {
    "denied": "filled although the reservation was denied",
    "released": "filled after the reservation was released",
    "expired": "filled after the reservation had expired",
    "none": "filled without an open reservation",
}


def loss_flags(policies: Sequence[Policy], ledgers: Mapping[str, Ledger]) -> list[str]:
    """A sentence for each engine whose realized loss has reached its cap."""
    return [
        f"{policy.engine} daily loss cap reached"
        for policy in policies
        if policy.engine in ledgers and ledgers[policy.engine].realized_loss >= policy.max_daily_loss
    ]


def left(policy: Mapping[str, Any], ledger: Mapping[str, Any]) -> dict[str, Any]:
    """What is left of a policy's caps, never below 0; `actions_left` is None without a limit."""
    actions = policy["max_actions_per_day"]
    return {
        "exposure_left": max(_ZERO, add(policy["max_daily_exposure"], -ledger["exposure_used"])),
        "open_risk_left": max(_ZERO, add(policy["max_open_risk"], -ledger["open_risk_reserved"])),
        "loss_left": max(_ZERO, add(policy["max_daily_loss"], -ledger["realized_loss"])),
        "actions_left": max(0, actions - ledger["actions_count"]) if actions else None,
    }
