"""Governance: the Monday review. Switches, caps, reservations, tripwires, charters, denials, audit."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from flask import Response
from marshmallow import fields

from dashboard.filters import arguments
from dashboard.pages import blueprint, fragment, page
from database.governance import audit, heimdall, regression, review, risk
from handlers.governance import checklist
from handlers.middleware.access import Role, access
from handlers.queries import PageQuery
from handlers.services import services

AUDIT_PAGE: Final = 50
#: (label, cap, what is used up, what is only held, whether it is money)
_CAPS: Final = (
    ("Daily loss", "max_daily_loss", "realized_loss", None, True),
    ("Daily exposure", "max_daily_exposure", "exposure_used", "open_risk_reserved", True),
    ("Open risk", "max_open_risk", None, "open_risk_reserved", True),
    ("Actions", "max_actions_per_day", "actions_count", None, False),
)


@blueprint.get("/governance")
@access(Role.READ)
def show_governance() -> Response:
    """The page."""
    here = services()
    calibration = heimdall.select_calibration(here.pool, None)
    now = _now()
    return page(
        "governance.html",
        checklist=checklist.run(here).as_dict(),
        wires=_wires(),
        charters=heimdall.select_policies(here.pool),
        calibration=calibration,
        calibration_x=[100 * one["claimed"] for one in calibration["bins"]],
        calibration_y=[100 * one["achieved"] for one in calibration["bins"]],
        cards={card["domain"]: card for card in now["review"]["scorecard_today"]},
        audit=audit.select_page(here.pool, filters={}, before_seq=None, limit=15),
        **now,
    )


@blueprint.get("/governance/now")
@access(Role.READ)
def show_governance_now() -> Response:
    """Switches, caps and reservations again."""
    return fragment("governance_now.html", **_now())


class AuditQuery(PageQuery):
    """Where the page begins."""

    before = fields.Integer(load_default=None)


@blueprint.get("/audit")
@access(Role.READ)
def list_audit() -> Response:
    """The whole audit, newest first."""
    before = arguments(AuditQuery())["before"]
    rows = audit.select_page(services().pool, filters={}, before_seq=before, limit=AUDIT_PAGE + 1)
    more = rows[AUDIT_PAGE - 1]["seq"] if len(rows) > AUDIT_PAGE else None
    return page("audit.html", rows=rows[:AUDIT_PAGE], more=more, before=before)


def _now() -> dict[str, Any]:
    here = services()
    found = review.select_review(here.pool, here.settings.risk_day_zone)
    policies = {policy["engine"]: policy for policy in risk.select_policies(here.pool)}
    return {
        "review": found,
        "zone": here.settings.risk_day_zone,
        "enforced": here.settings.go_live_enforced,
        "engines": [
            {**row, "policy": policies.get(row["engine"], {}), "bars": bars(row, policies.get(row["engine"], {}))}
            for row in found["ledger_today"]
        ],
        "reservations": risk.select_open_reservations(here.pool),
    }


def bars(row: Mapping[str, Any], policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The caps of an engine as bars: {label, cap, used, held, left, used_share, held_share, money}, shares in percent.

    A money cap of 0 admits nothing; a cap of 0 actions means that they are not counted, so it has no bar.
    """
    found = []
    for label, cap_name, used_name, held_name, money in _CAPS:
        cap = Decimal(policy.get(cap_name) or 0)
        if not money and not cap:
            continue
        held = Decimal(row[held_name]) if held_name else Decimal(0)
        used = Decimal(row[used_name]) if used_name else Decimal(0)
        if used_name and held_name:
            held = min(held, used)
            used -= held
        found.append(
            {
                "label": label,
                "cap": cap,
                "used": used,
                "held": held,
                "left": cap - used - held,
                "used_share": _share(used, cap),
                "held_share": min(_share(held, cap), 100 - _share(used, cap)),
                "money": money,
            }
        )
    return found


def _share(part: Decimal, cap: Decimal) -> int:
    if cap <= 0:
        return 100 if part > 0 else 0
    return max(0, min(100, round(100 * part / cap)))


def _wires() -> list[dict[str, Any]]:
    pool = services().pool
    states = {(state["domain"], state["metric"]): state for state in regression.select_states(pool)}
    return [
        {**policy, "state": states.get((policy["domain"], policy["metric"]))}
        for policy in regression.select_policies(pool)
    ]
