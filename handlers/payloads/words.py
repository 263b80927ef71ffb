"""The field's words in an alert: event names, directions and sessions, in their canonical spelling."""

import re
from typing import Final

from handlers.payloads.fields import Fields, Sent, no_number, no_text
from handlers.payloads.findings import event_names, shown
from handlers.payloads.text import FREE_TEXT, NAME, read_text
from handlers.payloads.times import Moment
from state import vocabulary
from state.event import RECEIVED
from state.newyork import session_at
from state.vocabulary import EXIT_BREAK_EVEN, EXIT_STOP_LOSS, EXIT_TAKE_PROFIT

REASONS: Final = ("exit_reason", "completion_reason", "resolution_type", "cancel_reason", "cancellation_reason")
ENTRY_PRICES: Final = ("entry_price", "actual_entry_price", "entry", "price")

#: Names of an exit that leave it to the reason how the trade ended. EXIT_STOP_LOSS speaks for itself.
_DECIDED_BY_REASON: Final = frozenset({"EXIT_SL", "SIGNAL_COMPLETED", "TRADE_RESOLVED"})
_BREAK_EVEN: Final = re.compile(r"be[_ -]stop")
_TARGET: Final = re.compile(r"target|take[_ -]?profit|(?<![a-z])tp(?![a-z])")


def read_event_type(fields: Fields, name: str) -> str | None:
    """The canonical event type of the event named in field `name`. Faults: MISSING, UNKNOWN_EVENT_TYPE.

    An exit named EXIT_SL, signal_completed or TRADE_RESOLVED is what its reason says: `be_stop` a
    break-even exit, a target (without a stop) a take profit, anything else a stop loss.
    """
    findings = fields.findings
    sent = fields.first(name)
    if sent is None or no_text(sent.value):
        findings.wrong(fields.path(name), "MISSING", f"An alert must say what happened: send {name}.")
        return None
    event_type = vocabulary.canonical_event(sent.value) if isinstance(sent.value, str) else None
    if event_type is None:
        message = f"{shown(sent.value)} is not an event that we know. Known are, in any case: {event_names()}."
        findings.wrong(sent.path, "UNKNOWN_EVENT_TYPE", message)
    if event_type != EXIT_STOP_LOSS:
        return event_type
    by_reason = _exit_by_reason(fields)
    if sent.value.strip().upper() in _DECIDED_BY_REASON:
        return by_reason
    if by_reason != EXIT_STOP_LOSS:
        message = f"The event says {EXIT_STOP_LOSS}, its reason reads like {by_reason}; the event was kept."
        findings.warn(sent.path, "EXIT_REASON_MISMATCH", message)
    return event_type


def _exit_by_reason(fields: Fields) -> str:
    reasons = [sent.value.lower() for sent in fields.sent(*REASONS[:3]) if isinstance(sent.value, str)]
    if any(_BREAK_EVEN.search(reason) for reason in reasons):
        return EXIT_BREAK_EVEN
    if any(_TARGET.search(reason) and "stop" not in reason for reason in reasons):
        return EXIT_TAKE_PROFIT
    return EXIT_STOP_LOSS


def carries_entry_price(fields: Fields) -> bool:
    """True when any of the names of an entry price holds something that means to be a number."""
    return any(not no_number(sent.value) for sent in fields.sent(*ENTRY_PRICES))


def read_exit_reason(fields: Fields) -> str | None:
    """Why the trade ended or never began, as sent: free text of at most 2,000 characters."""
    return read_text(fields, FREE_TEXT, *REASONS)


def read_direction(fields: Fields) -> str | None:
    """ "Bullish", "Bearish" or None when none was sent. Fault: UNKNOWN_DIRECTION.

    `direction` decides when it is there; of its other names the first that holds a direction does,
    because a trade_type may also say "scalp".
    """
    sent = _worded(fields, "direction") or _worded(
        fields, "bias", "signal_type", "confirmation_type", "trade_type", "side"
    )
    for item in sent:
        known = vocabulary.canonical_direction(item.value) if isinstance(item.value, str) else None
        if known is not None:
            return known
    if sent:
        message = f"{shown(sent[0].value)} is not a direction: send Bullish (long, buy) or Bearish (short, sell)."
        fields.findings.wrong(sent[0].path, "UNKNOWN_DIRECTION", message)
    return None


def _worded(fields: Fields, *names: str) -> list[Sent]:
    """What was sent under the names, without what says nothing, of which the sender is told."""
    worded = []
    for item in fields.sent(*names):
        if no_text(item.value):
            message = f"{shown(item.value)} says nothing and was stored as null."
            fields.findings.warn_once(item.path, "NO_VALUE", message)
        else:
            worded.append(item)
    return worded


def read_bias(fields: Fields, direction: str | None) -> str | None:
    """The bias in its canonical spelling, kept as sent when it is none we know; the direction when absent."""
    bias = read_text(fields, NAME, "bias")
    if bias is None:
        return direction
    known = vocabulary.canonical_direction(bias)
    if known is None and direction is not None:
        message = f"{shown(bias)} is neither Bullish nor Bearish; it was kept as sent."
        fields.findings.warn(fields.path("bias"), "UNKNOWN_BIAS", message)
    return known or bias


def read_session(fields: Fields, moment: Moment) -> str:
    """The session as sent, in its canonical spelling when known; derived from New York's clock when absent."""
    derived = session_at(moment.instant)
    sent = read_text(fields, NAME, "session")
    if sent is None:
        return derived
    known = vocabulary.canonical_session(sent)
    if known is None:
        message = (
            f"{shown(sent)} is not a session that we know ({', '.join(vocabulary.SESSIONS)}); it was kept as sent."
        )
        fields.findings.warn(fields.path("session"), "UNKNOWN_SESSION", message)
    elif known != derived and moment.source != RECEIVED:
        message = f"The alert says {known}, its time falls into {derived} (New York); what was sent was kept."
        fields.findings.warn(fields.path("session"), "SESSION_MISMATCH", message)
    return known or sent
