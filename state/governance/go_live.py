"""Go-live switch and kill switch: what they let through, and what the checklist asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

KILL_SWITCH_ENGAGED: Final = "KILL_SWITCH_ENGAGED"
GO_LIVE_DISABLED: Final = "GO_LIVE_DISABLED"


@dataclass(frozen=True, slots=True)
class Switches:
    """The switches as the one row has them."""

    go_live_enabled: bool
    kill_switch_engaged: bool
    changed_by: str | None = None
    reason: str | None = None
    updated_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "go_live_enabled": self.go_live_enabled,
            "kill_switch_engaged": self.kill_switch_engaged,
            "changed_by": self.changed_by,
            "reason": self.reason,
            "updated_at": self.updated_at,
        }


#: What holds while the row is missing or cannot be read: recording open, execution closed.
HALTED: Final = Switches(False, True, None, "the row of go_live_state is missing: not live and halted")

#: Open while go-live is off, on whole path segments; routes that only record or read are open everywhere.
OPEN_PATHS: Final = (
    "/docs",
    "/redoc",
    "/openapi.json",
    "/health",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/system/status",
    "/api/governance",
    "/api/admin",
    "/dashboard",
    "/login",
    "/logout",
    "/static",
)


def is_open_path(path: str) -> bool:
    """Whether a path stays open while go-live is off: /docs and /docs/x do, /docsx does not."""
    return path == "/" or any(path == open_path or path.startswith(f"{open_path}/") for open_path in OPEN_PATHS)


def refusal(switches: Switches, *, executes: bool, records: bool, path: str) -> str | None:
    """Why the gate refuses a request, or None.

    `executes`: the route commits or moves something (PROD_EXEC); `records`: it only records or reads.
    """
    if executes and switches.kill_switch_engaged:
        return KILL_SWITCH_ENGAGED
    if not switches.go_live_enabled and not records and not is_open_path(path):
        return GO_LIVE_DISABLED
    return None


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the checklist."""

    ok: bool
    detail: Any

    def as_dict(self) -> dict[str, Any]:
        return {"ok": self.ok, "detail": self.detail}


def failing(required: Mapping[str, Check]) -> list[str]:
    """The names of the checks that fail, in order."""
    return [name for name, check in required.items() if not check.ok]


def caps_set(policies: Sequence[Mapping[str, Any]]) -> Check:
    """Whether GLOBAL is enabled and every enabled engine has a cap above 0 on loss, exposure and open risk."""
    caps = ("max_daily_loss", "max_daily_exposure", "max_open_risk")
    enabled = {policy["engine"]: policy for policy in policies if policy["enabled"]}
    faults = [] if "GLOBAL" in enabled else ["GLOBAL is missing or disabled"]
    for engine, policy in sorted(enabled.items()):
        faults += [f"{engine}.{cap} is 0" for cap in caps if policy[cap] <= 0]
    return Check(not faults, faults or f"{len(enabled)} engines enabled, all with caps")
