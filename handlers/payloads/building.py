"""From the fields of one alert to its event: what all payload versions have in common."""

from decimal import Decimal
from hashlib import sha256
from typing import Any, Literal

from handlers.payloads.cleaning import clean_layers
from handlers.payloads.fields import Fields, Layer
from handlers.payloads.numeric import AMOUNT, PRICE, R_MULTIPLE, distance, read_number
from handlers.payloads.reading import Context
from handlers.payloads.targets import check_objects, read_targets
from handlers.payloads.text import NAME, read_text, read_trade_id
from handlers.payloads.times import Moment, read_moment
from handlers.payloads.words import ENTRY_PRICES, read_bias, read_direction, read_exit_reason, read_session
from state.event import RECEIVED, SignalEvent
from state.vocabulary import ENTRY

Column = Literal["telemetry", "legacy_payload"]


def build_event(
    fields: Fields,
    context: Context,
    *,
    kept: tuple[Layer, ...],
    version: str,
    event_type: str | None,
    ids: tuple[str, ...],
    column: Column,
    schema_version: str | None = None,
) -> SignalEvent:
    """The event of one alert.

    `kept` is the body that will be stored in `column`, uncleaned; `ids` are the names of the trade
    id in order; `event_type` is None when reading it found a fault. Raises Invalid naming every fault.
    """
    trade_id = read_trade_id(fields, *ids)
    moment = read_moment(fields, context.naive_zone, context.received_at)
    values = _values(fields, event_type, moment)
    # last, so that what a field has already said is not said again
    body, text = clean_layers(kept, fields.findings)
    fields.findings.raise_if_wrong()
    values[column] = body
    return SignalEvent(
        trade_id=trade_id or "",
        event_type=event_type or "",
        payload_version=version,
        schema_version=schema_version,
        event_timestamp=moment.instant,
        event_time_source=moment.source,
        received_at=context.received_at,
        event_key=event_key(text, moment, context),
        body_text=text,
        warnings=tuple(fields.findings.warnings),
        **values,
    )


def _values(fields: Fields, event_type: str | None, moment: Moment) -> dict[str, Any]:
    """Every optional field of the event by its name."""
    check_objects(fields, "targets", "setup", "market_state")
    return {
        **_names(fields, moment),
        **_prices(fields, event_type),
        **_multiples(fields),
        **_sizes(fields),
        "targets": read_targets(fields),
    }


def event_key(text: str, moment: Moment, context: Context) -> str:
    """What makes the alert itself: the SHA-256 of its body's canonical text; the time of receipt if it has none."""
    digest = sha256(text.encode()).hexdigest()
    return f"{digest}@{context.received_at.isoformat()}" if moment.source == RECEIVED else digest


def _names(fields: Fields, moment: Moment) -> dict[str, str | None]:
    direction = read_direction(fields)
    return {
        "direction": direction,
        "bias": read_bias(fields, direction),
        "session": read_session(fields, moment),
        "symbol": read_text(fields, NAME, "symbol", "ticker"),
        "exchange": read_text(fields, NAME, "exchange"),
        "timeframe": read_text(fields, NAME, "timeframe", "interval"),
        "strategy_id": read_text(fields, NAME, "strategy_id"),
        "strategy_name": read_text(fields, NAME, "strategy_name"),
        "strategy_version": read_text(fields, NAME, "strategy_version"),
        "engine_version": read_text(fields, NAME, "engine_version"),
        "exit_reason": read_exit_reason(fields),
    }


def _prices(fields: Fields, event_type: str | None) -> dict[str, Decimal | None]:
    """Entry, stop, exit and current price, and the distance of the first two, in the symbol's own units."""
    is_entry = event_type == ENTRY
    is_exit = event_type is not None and event_type.startswith("EXIT_")
    entry = read_number(fields, PRICE, *(ENTRY_PRICES if is_entry else ENTRY_PRICES[:-1]), needed=is_entry)
    stop = read_number(fields, PRICE, "stop_loss", "sl_price", "stop_loss_price", "stop_price", "stop")
    if is_entry and entry is None:
        message = "This entry has no price, so its result in R cannot be computed from prices."
        fields.findings.warn_once(fields.path("entry_price"), "ENTRY_WITHOUT_PRICE", message)
    return {
        "entry_price": entry,
        "stop_loss": stop,
        "exit_price": read_number(fields, PRICE, "exit_price", "resolution_price", *(["price"] if is_exit else [])),
        "current_price": read_number(fields, PRICE, "current_price"),
        "risk_distance": _risk_distance(fields, entry, stop),
    }


def _risk_distance(fields: Fields, entry: Decimal | None, stop: Decimal | None) -> Decimal | None:
    """The risk of one unit, positive, in the symbol's own units: as given, else |entry - stop|."""
    given = read_number(fields, AMOUNT, "risk_distance")
    if given:
        return given
    if given is not None:
        message = "A risk distance of 0 measures nothing; the distance of entry and stop is used where both are known."
        fields.findings.warn(fields.path("risk_distance"), "ZERO_RISK_DISTANCE", message)
    if entry is None or stop is None:
        return None
    if entry == stop:
        message = "The stop is at the entry, so there is no risk distance to measure R with."
        fields.findings.warn(fields.path("stop_loss"), "NO_RISK_DISTANCE", message)
        return None
    return distance(entry, stop)


def _multiples(fields: Fields) -> dict[str, Decimal | None]:
    """Excursions in R. A leg that was not sent is the trade's MFE; 0 is a value, never missing.

    Senders of both legs alone mean the leg with the original stop by plain MFE.
    """
    mfe = read_number(fields, R_MULTIPLE, "mfe_R", "mfe", "current_mfe")
    be_mfe = read_number(fields, R_MULTIPLE, "be_mfe", "be_mfe_R", "final_be_mfe")
    no_be_mfe = read_number(fields, R_MULTIPLE, "no_be_mfe", "no_be_mfe_R", "final_no_be_mfe")
    return {
        "mfe": next((value for value in (mfe, no_be_mfe, be_mfe) if value is not None), None),
        "be_mfe": mfe if be_mfe is None else be_mfe,
        "no_be_mfe": mfe if no_be_mfe is None else no_be_mfe,
        # senders that know mae_global_R put another number, the MFE of the leg without break-even, in mae_R
        "mae": read_number(fields, R_MULTIPLE, "mae_global_R", "mae_R", "mae"),
        "final_mfe": read_number(fields, R_MULTIPLE, "final_mfe", "final_mfe_R", "final_be_mfe", "final_no_be_mfe"),
    }


def _sizes(fields: Fields) -> dict[str, Decimal | None]:
    """Size in contracts, shares or lots; amounts in the account's currency; risk_percent in percent."""
    return {
        "position_size": read_number(fields, AMOUNT, "position_size", "contracts", "qty", "quantity"),
        "account_size": read_number(fields, AMOUNT, "account_size"),
        "risk_percent": read_number(fields, AMOUNT, "risk_percent"),
        "risk_amount": read_number(fields, AMOUNT, "risk_amount"),
    }
