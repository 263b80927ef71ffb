"""Lever 2: the risk guard."""

from typing import Any

from flask import Response

from database.governance import risk, settlements
from database.governance.risk import Request, Rules
from database.governance.settlements import Fill
from errors import Detail, Invalid
from handlers.blueprint import Blueprint
from handlers.fields import Exact, Text, Yes
from handlers.governance.fields import Acting, Anything, Days, Name, Whole, check_days, take_who
from handlers.middleware.access import Execution, Role, access
from handlers.middleware.answers import answer
from handlers.services import services

blueprint = Blueprint(
    "governance-risk", __name__, url_prefix="/api/governance/risk", description="Daily risk caps and reservations."
)

_DAY = 24 * 3600


class PolicyChange(Acting):
    """The caps of an engine; what is left out stays."""

    engine = Name(100, required=True)
    enabled = Yes()
    max_daily_loss = Exact(low=0)
    max_daily_exposure = Exact(low=0)
    max_open_risk = Exact(low=0)
    max_actions_per_day = Whole(0, 1_000_000_000)


class Reserve(Acting):
    """A request for risk budget."""

    engine = Name(100, required=True)
    amount = Exact(above=0, required=True)
    reservation_id = Text(1, 100, load_default=None, allow_none=True)
    ttl_seconds = Whole(1, 31 * _DAY, load_default=None, allow_none=True)
    check_only = Yes(load_default=False)
    correlation_id = Text(0, 200, load_default=None, allow_none=True)
    metadata = Anything(load_default=None, allow_none=True)


class Settle(Acting):
    """What became of a reservation, named by its id, or by engine and amount as older clients do."""

    reservation_id = Text(1, 100, load_default=None, allow_none=True)
    engine = Name(100, load_default=None, allow_none=True)
    reserved_amount = Exact(above=0, load_default=None, allow_none=True)
    realized_loss = Exact(load_default=0)
    filled_amount = Exact(low=0, load_default=None, allow_none=True)


class Release(Acting):
    """The reservation to give back."""

    reservation_id = Text(1, 100, required=True)


@blueprint.get("/policies")
@access(Role.READ, Execution.OBSERVE_ONLY)
def list_policies() -> Response:
    """The caps of every engine, GLOBAL first."""
    return answer(risk.select_policies(services().pool))


@blueprint.post("/policies/upsert")
@access(Role.ADMIN, Execution.OBSERVE_ONLY)
@blueprint.arguments(PolicyChange, location="json")
def upsert_policy(given: dict[str, Any]) -> Response:
    """Set caps of an engine; only the fields sent change, so sending it twice is harmless.

    `enabled: true` arms the tripwires again that had disabled the engine; after a trip or a breach it needs a reason.
    """
    who = take_who(given, required=True)
    return answer(risk.upsert_policy(services().risk_pool, who, given.pop("engine"), given))


@blueprint.get("/ledger/today")
@access(Role.READ, Execution.OBSERVE_ONLY)
def show_today() -> Response:
    """What every engine has used of today and what is left; open risk is that of all days."""
    return answer(risk.select_today(services().pool, services().settings.risk_day_zone))


@blueprint.get("/ledger")
@access(Role.READ, Execution.OBSERVE_ONLY)
@blueprint.arguments(Days, location="query")
def list_ledger(query: dict[str, Any]) -> Response:
    """The counters of each day from `from` to `to` (default today), as they stand on that day, newest first."""
    check_days(query["since"], query["until"])
    zone = services().settings.risk_day_zone
    return answer(risk.select_ledger(services().pool, zone, query["since"], query["until"]))


@blueprint.post("/check-and-reserve")
@access(Role.WRITE, Execution.PROD_EXEC)
@blueprint.arguments(Reserve, location="json")
def check_and_reserve(given: dict[str, Any]) -> Response:
    """Reserve risk budget if the switches and the caps of GLOBAL and of the engine allow it.

    Always 200 when understood: `ok` tells, `reason` is a code (reserved, policy_disabled, would_exceed_policy,
    kill_switch_engaged, go_live_disabled). The same `reservation_id` with the same parameters answers the same
    (while the kill switch is engaged: that it is); with others it is a conflict. Without one each call is a request
    of its own. `check_only` only asks: nothing is reserved, counted or recorded.
    """
    who = take_who(given)
    settings = services().settings
    rules = Rules(settings.risk_day_zone, settings.go_live_enforced, settings.risk_reservation_ttl_seconds)
    return answer(risk.reserve(services().risk_pool, who, Request(**given), rules))


@blueprint.post("/settle")
@access(Role.WRITE, Execution.OBSERVE_ONLY)
@blueprint.arguments(Settle, location="json")
def settle(given: dict[str, Any]) -> Response:
    """Record what a reservation came to: open risk is released, unused exposure given back, the loss added.

    Once: the same again answers the same, different numbers are a conflict. A fill that is late or larger than
    reserved is recorded, flagged as a breach, and disables the engine. By engine and amount the oldest open
    reservation of that amount is settled. An unknown `reservation_id` is 404, unless `engine` and an amount come with
    it: then the fill is recorded against nothing, which is a breach.
    """
    who = take_who(given)
    here, zone = services(), services().settings.risk_day_zone
    fill = Fill(given["engine"], given["reserved_amount"], given["filled_amount"], given["realized_loss"])
    if given["reservation_id"] is not None:
        return answer(settlements.settle(here.risk_pool, who, given["reservation_id"], fill, zone=zone))
    if fill.engine is None or fill.reserved is None:
        detail = Detail("reservation_id", "REQUIRED", "needed, unless engine and reserved_amount are given")
        raise Invalid("Name the reservation_id, or engine and reserved_amount.", details=[detail])
    return answer(settlements.settle_amount(here.risk_pool, who, fill.engine, fill.reserved, fill, zone=zone))


@blueprint.post("/release")
@access(Role.WRITE, Execution.OBSERVE_ONLY)
@blueprint.arguments(Release, location="json")
def release(given: dict[str, Any]) -> Response:
    """Give a reservation back unused. Again answers the same; a settled one is a conflict."""
    who = take_who(given)
    return answer(settlements.release(services().risk_pool, who, given["reservation_id"]))
