"""What is odd about a trade's evidence: codes that a trader can look up, each with one sentence."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from state.evidence import Evidence
from state.lifecycle import Life
from state.r_multiple import direction_of
from state.vocabulary import (
    BE_TRIGGERED,
    CANCELLED,
    ENTRY,
    EXIT_PARTIAL,
    EXIT_TAKE_PROFIT,
    FINAL_EXITS,
    MFE_UPDATE,
)

#: Every anomaly code with what it means. "Before" and "after" are by event time.
ANOMALIES: Final[dict[str, str]] = {
    "EXIT_WITHOUT_ENTRY": "An exit is known, but no entry: the trade counts as completed.",
    "EXIT_BEFORE_ENTRY": "The exit's time lies before the entry's: the trade counts as completed, without a duration.",
    "PARTIAL_EXIT_BEFORE_ENTRY": "A partial exit came before any entry.",
    "MFE_BEFORE_ENTRY": "An MFE update came before any entry; its excursions count.",
    "BE_BEFORE_ENTRY": "Break-even was triggered before any entry; it counts.",
    "DUPLICATE_ENTRY": "More than one entry is known: the first gives the trade's prices.",
    "DUPLICATE_EXIT": "The same kind of exit is known more than once: the first counts.",
    "CONFLICTING_EXITS": "Exits of different kinds are known: the first counts.",
    "EVENT_AFTER_EXIT": "Something came after the exit: it is counted, not applied.",
    "EVENT_AFTER_CANCELLED": "Something other than an entry came after the cancellation: it is counted, not applied.",
    "ENTRY_AFTER_CANCELLED": "An entry came after the cancellation: the trade stays cancelled.",
    "CANCELLED_AFTER_ENTRY": "A cancellation came after the entry: it cannot undo the fill, so it is not applied.",
    "ENTRY_WITHOUT_PRICE": "The entry came without a price (one that another alert tells is used).",
    "ENTRY_WITHOUT_STOP": "The entry came without a stop loss (one that another alert tells is used).",
    "STOP_AT_ENTRY": "Entry and stop loss are the same price: there is no distance to measure R by.",
    "STOP_ON_WRONG_SIDE": "The stop loss lies on the profitable side of the entry for the trade's direction.",
    "DIRECTION_CONFLICT": "The trade's alerts name both directions.",
    "SYMBOL_CONFLICT": "The trade's alerts name different symbols: two trades may share this id.",
    "TAKE_PROFIT_AT_A_LOSS": "The trade ended by take profit, but its prices say that it lost.",
    "UNRECOGNISED_EVENT": "An event's name is none that we know: it is counted, not applied.",
}

_BEFORE_ENTRY: Final = {
    MFE_UPDATE: "MFE_BEFORE_ENTRY",
    BE_TRIGGERED: "BE_BEFORE_ENTRY",
    EXIT_PARTIAL: "PARTIAL_EXIT_BEFORE_ENTRY",
}


def _around_entry(life: Life) -> Iterator[str]:
    for item in life.ordered:
        if item.event_type == ENTRY or item is life.exit or item is life.cancellation:
            break
        if item.event_type in _BEFORE_ENTRY:
            yield _BEFORE_ENTRY[item.event_type]
    kinds = [item.event_type for item in life.ordered]
    if kinds.count(ENTRY) > 1:
        yield "DUPLICATE_ENTRY"
    if life.cancellation is None and ENTRY in kinds and CANCELLED in kinds[kinds.index(ENTRY) :]:
        yield "CANCELLED_AFTER_ENTRY"
    if None in kinds:
        yield "UNRECOGNISED_EVENT"
    if life.entry is not None and life.entry.entry_price is None:
        yield "ENTRY_WITHOUT_PRICE"
    if life.entry is not None and life.entry.stop_loss is None:
        yield "ENTRY_WITHOUT_STOP"


def _around_exit(life: Life, ended: Evidence) -> Iterator[str]:
    if life.entry is None:
        yield "EXIT_WITHOUT_ENTRY"
    elif life.entry.at > ended.at:
        yield "EXIT_BEFORE_ENTRY"
    others = [item.event_type for item in life.ordered if item.event_type in FINAL_EXITS and item is not ended]
    if ended.event_type in others:
        yield "DUPLICATE_EXIT"
    if any(kind != ended.event_type for kind in others):
        yield "CONFLICTING_EXITS"
    if any(item.at > ended.at and item is not life.entry for item in life.ordered):
        yield "EVENT_AFTER_EXIT"


def _after_cancellation(life: Life) -> Iterator[str]:
    # Nothing after a cancellation is applied, so what is applied is the front of the order.
    for item in life.ordered[len(life.applied) :]:
        yield "ENTRY_AFTER_CANCELLED" if item.event_type == ENTRY else "EVENT_AFTER_CANCELLED"


def _of_facts(
    life: Life, direction: str | None, entry_price: Decimal | None, stop_loss: Decimal | None
) -> Iterator[str]:
    if entry_price is not None and entry_price == stop_loss:
        yield "STOP_AT_ENTRY"
    implied = direction_of(entry_price, stop_loss)
    if implied is not None and direction != implied:
        yield "STOP_ON_WRONG_SIDE"
    if len({item.direction for item in life.applied if item.direction is not None}) > 1:
        yield "DIRECTION_CONFLICT"
    # An exchange prefix ("CME_MINI:NQ1!") does not make it another symbol.
    if len({item.symbol.rpartition(":")[2].upper() for item in life.applied if item.symbol is not None}) > 1:
        yield "SYMBOL_CONFLICT"


def anomalies(
    life: Life,
    *,
    direction: str | None,
    entry_price: Decimal | None,
    stop_loss: Decimal | None,
    realized_r: Decimal | None,
) -> tuple[str, ...]:
    """The codes of ANOMALIES that apply, sorted, each once. `direction` is the trade's, told or inferred."""
    found = {*_around_entry(life), *_of_facts(life, direction, entry_price, stop_loss)}
    if life.exit is not None:
        found.update(_around_exit(life, life.exit))
        if life.exit.event_type == EXIT_TAKE_PROFIT and realized_r is not None and realized_r < 0:
            found.add("TAKE_PROFIT_AT_A_LOSS")
    if life.cancellation is not None:
        found.update(_after_cancellation(life))
    return tuple(sorted(found))
