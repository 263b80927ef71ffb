"""The go-live checklist: what must hold before strategies act, and what is only worth knowing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from database import health, jobs
from database.governance import audit, go_live, regression, risk
from errors import AlertbookError
from handlers.governance.intake import INTAKE_CHECKS
from handlers.middleware.access import key_ids
from handlers.packs import PACKS
from handlers.services import Services
from state.governance.go_live import Check, caps_set, failing

#: Keys older than this are worth a rotation.
KEY_AGE: Final = timedelta(days=90)
#: A backup older than this is worth a look.
BACKUP_AGE: Final = timedelta(days=1)
#: The job whose runs are the backups.
BACKUP_JOB: Final = "backup"


@dataclass(frozen=True, slots=True)
class Checklist:
    """Required checks by name, and warnings by name."""

    required: dict[str, Check]
    warnings: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {
            "ok": not failing(self.required),
            "required": {name: check.as_dict() for name, check in self.required.items()},
            "warnings": self.warnings,
        }


def run(services: Services) -> Checklist:
    """Every check, each by itself: one that cannot be made fails under its own name and no other."""
    required = {name: _try(check, services) for name, check in REQUIRED.items()}
    warnings = {name: _try(check, services).as_dict() for name, check in WARNINGS.items()}
    return Checklist(required, warnings)


def _try(check: Callable[[Services], Check], services: Services) -> Check:
    try:
        return check(services)
    except AlertbookError as error:
        return Check(False, f"cannot be checked: {error.message}")


def _backend_complete(services: Services) -> Check:
    state = health.database_state(services.pool)
    if state["pending_migrations"] is None:
        return Check(False, "the database does not answer")
    missing = go_live.missing_tables(services.pool, go_live.made_tables())
    if state["pending_migrations"] or missing:
        return Check(False, {"pending_migrations": state["pending_migrations"], "missing_tables": missing})
    return Check(True, "every migration is applied and every table is there")


def _packs_installed(services: Services) -> Check:
    faults = {pack.name: fault for pack in PACKS if (fault := _ask(pack.check, services)) is not None}
    return Check(not faults, {"missing_or_not_installed": sorted(faults), "faults": faults, "total": len(PACKS)})


def _ask(check: Callable[[Services], str | None], services: Services) -> str | None:
    try:
        return check(services)
    except AlertbookError as error:
        return f"cannot be checked: {error.message}"


def _caps_set(services: Services) -> Check:
    return caps_set(risk.select_policies(services.pool))


def _audit_verifies(services: Services) -> Check:
    return audit.verify(services.pool)


def _intake_healthy(services: Services) -> Check:
    faults = {check.name: fault for check in INTAKE_CHECKS if (fault := _ask(check.check, services)) is not None}
    names = ", ".join(check.name for check in INTAKE_CHECKS)
    return Check(not faults, faults or f"healthy: {names}")


def _no_tripped_wire(services: Services) -> Check:
    tripped = [
        {name: state[name] for name in ("domain", "metric", "note", "last_triggered_at")}
        for state in regression.select_states(services.pool)
        if state["triggered"]
    ]
    return Check(not tripped, tripped or "no wire has tripped")


def _keys_are_young(services: Services) -> Check:
    ages = audit.key_ages(services.pool, key_ids(services.settings))
    old = [age for age in ages if datetime.now(UTC) - age["first_seen"] > KEY_AGE]
    return Check(not old, old or f"no key has been in use for more than {KEY_AGE.days} days")


def _backup_is_recent(services: Services) -> Check:
    last = jobs.last_done(services.pool, BACKUP_JOB)
    if last is None:
        return Check(False, "no backup is known: python deploy.py backup makes one, or notes one made elsewhere")
    return Check(datetime.now(UTC) - last.finished_at < BACKUP_AGE, {"last_backup": last.finished_at, **last.result})


REQUIRED: Final[dict[str, Callable[[Services], Check]]] = {
    "backend_complete": _backend_complete,
    "packs_installed": _packs_installed,
    "caps_set": _caps_set,
    "audit_verifies": _audit_verifies,
    "intake_healthy": _intake_healthy,
}
WARNINGS: Final[dict[str, Callable[[Services], Check]]] = {
    "tripwire": _no_tripped_wire,
    "key_age": _keys_are_young,
    "last_backup": _backup_is_recent,
}
