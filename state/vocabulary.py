"""The field's words: event types, directions and sessions, with the spellings that senders use."""

from typing import Final

ENTRY: Final = "ENTRY"
SIGNAL_CREATED: Final = "SIGNAL_CREATED"
MFE_UPDATE: Final = "MFE_UPDATE"
BE_TRIGGERED: Final = "BE_TRIGGERED"
EXIT_STOP_LOSS: Final = "EXIT_STOP_LOSS"
EXIT_BREAK_EVEN: Final = "EXIT_BREAK_EVEN"
EXIT_TAKE_PROFIT: Final = "EXIT_TAKE_PROFIT"
EXIT_PARTIAL: Final = "EXIT_PARTIAL"
EXIT_MANUAL: Final = "EXIT_MANUAL"
CANCELLED: Final = "CANCELLED"
#: What became of a position: no event of one trade's life, so it stands outside the types below. No alert can
#: name it; trades are derived from such events by `state.position`, and the fold of other trades passes it over.
POSITION: Final = "POSITION"

#: Canonical event types in the order of a trade's life, which also breaks ties of time.
EVENT_TYPES: Final = (
    SIGNAL_CREATED,
    ENTRY,
    MFE_UPDATE,
    BE_TRIGGERED,
    EXIT_PARTIAL,
    EXIT_BREAK_EVEN,
    EXIT_TAKE_PROFIT,
    EXIT_STOP_LOSS,
    EXIT_MANUAL,
    CANCELLED,
)

#: The exits that end a trade (a partial exit does not).
FINAL_EXITS: Final = frozenset({EXIT_STOP_LOSS, EXIT_BREAK_EVEN, EXIT_TAKE_PROFIT, EXIT_MANUAL})

#: Accepted names, upper-cased, to canonical event types.
EVENT_NAMES: Final[dict[str, str]] = {
    **{name: name for name in EVENT_TYPES},
    "TRADE_ACTIVATED": ENTRY,
    "SIGNAL_DETECTED": SIGNAL_CREATED,
    "CONFIRMATION_DETECTED": SIGNAL_CREATED,
    "EXIT_SL": EXIT_STOP_LOSS,
    "SIGNAL_COMPLETED": EXIT_STOP_LOSS,
    "TRADE_RESOLVED": EXIT_STOP_LOSS,
    "EXIT_BE": EXIT_BREAK_EVEN,
    "EXIT_TP": EXIT_TAKE_PROFIT,
    "EXIT_TARGET": EXIT_TAKE_PROFIT,
    "SIGNAL_CANCELLED": CANCELLED,
}

BULLISH: Final = "Bullish"
BEARISH: Final = "Bearish"

#: Accepted directions, lower-cased.
DIRECTIONS: Final[dict[str, str]] = {
    "bullish": BULLISH,
    "long": BULLISH,
    "buy": BULLISH,
    "bull": BULLISH,
    "bearish": BEARISH,
    "short": BEARISH,
    "sell": BEARISH,
    "bear": BEARISH,
}

#: Sessions of the New York day with their first minute; each lasts until the next begins.
SESSION_STARTS: Final = (
    (0, "LONDON"),
    (6 * 60, "NY PRE"),
    (8 * 60 + 30, "NY AM"),
    (12 * 60, "NY LUNCH"),
    (13 * 60, "NY PM"),
    (16 * 60, "AFTER_HOURS"),
    (20 * 60, "ASIA"),
)
SESSIONS: Final = ("ASIA", "LONDON", "NY PRE", "NY AM", "NY LUNCH", "NY PM", "AFTER_HOURS")

_SESSION_NAMES: Final[dict[str, str]] = {
    **{name.replace("_", " "): name for name in SESSIONS},
    "NY PRE MARKET": "NY PRE",
    "NY PREMARKET": "NY PRE",
    "PRE MARKET": "NY PRE",
    "LUNCH": "NY LUNCH",
    "AFTERHOURS": "AFTER_HOURS",
}


def canonical_event(name: str) -> str | None:
    """The canonical event type of an accepted name in any case, or None."""
    return EVENT_NAMES.get(name.strip().upper())


def canonical_direction(text: str) -> str | None:
    """ "Bullish" or "Bearish" for any accepted spelling in any case, or None."""
    return DIRECTIONS.get(text.strip().lower())


def canonical_session(text: str) -> str | None:
    """The session's canonical spelling ("ny_pre" is "NY PRE"), or None when it is none of ours."""
    return _SESSION_NAMES.get(" ".join(text.replace("_", " ").replace("-", " ").upper().split()))
