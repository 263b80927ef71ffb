"""The traffic light of the control plane: one line per thing that must be well, with a reason."""

from typing import Any

from database import health, intake
from database.governance import go_live, regression
from handlers import intake as intake_numbers
from handlers.services import services

__all__ = ["control_plane"]


def control_plane() -> dict[str, Any]:
    """{colour, lines: [{name, colour, text}]}; the worst line gives the whole its colour."""
    lines = [_database(), *_intake(), *_switches(), _wires()]
    order = ("green", "yellow", "red")
    worst = max((line["colour"] for line in lines), key=order.index)
    return {"colour": worst, "lines": lines}


def _line(name: str, colour: str, text: str) -> dict[str, str]:
    return {"name": name, "colour": colour, "text": text}


def _database() -> dict[str, str]:
    state = health.database_state(services().pool)
    if state["database"] != "up":
        return _line("Database", "red", "does not answer")
    pending = state["pending_migrations"]
    if pending:
        return _line("Database", "red", f"{len(pending)} migrations are not applied")
    return _line("Database", "green", "up, every migration applied")


def _intake() -> list[dict[str, str]]:
    spool = intake_numbers.spool_state()
    waiting = intake.select_waiting(services().pool)
    if spool["state"] == "unusable":
        first = _line("Spool", "red", "cannot be read")
    elif spool["depth"]:
        first = _line("Spool", "yellow", f"{spool['depth']} alerts wait for the database")
    else:
        first = _line("Spool", "green", "empty" if spool["state"] == "on" else "off")
    held = waiting.waiting
    text = f"{held} alerts wait for a decision" if held else "nothing waits"
    return [first, _line("Quarantine", "yellow" if held else "green", text)]


def _switches() -> list[dict[str, str]]:
    """Execution: a halt is red where switches are enforced; elsewhere it is told and nothing more."""
    here = services()
    switches = go_live.select_switches(here.pool)
    kill = ("red", f"engaged by {switches.changed_by}") if switches.kill_switch_engaged else ("green", "released")
    if switches.go_live_enabled:
        live = ("green", "on")
    else:
        live = ("red", "off: nothing executes") if here.settings.go_live_enforced else ("green", "off, not enforced")
    return [_line("Kill switch", *kill), _line("Go-live", *live)]


def _wires() -> dict[str, str]:
    tripped = [state for state in regression.select_states(services().pool) if state["triggered"]]
    if not tripped:
        return _line("Tripwires", "green", "none has tripped")
    names = ", ".join(f"{state['domain']} {state['metric']}" for state in tripped)
    return _line("Tripwires", "red", f"tripped: {names}")
