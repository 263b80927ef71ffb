"""Where a trade stands, from its evidence in order.

The rules, in the order in which they decide:

- The first final exit, or the cancellation of a signal that was not filled, finishes the trade.
  Nothing reopens it: what comes later is counted, not applied.
- COMPLETED: a final exit is known, even when the entry's alert never came. An EXIT_PARTIAL does not
  finish a trade.
- CANCELLED: the signal was withdrawn before any fill. An entry that comes after it does not revive it.
  A cancellation after the fill cannot undo the fill: the trade stays open, so that money at risk is
  never hidden and a later exit still counts (EXIT_MANUAL is how to close such a trade).
- BE_PROTECTED or ACTIVE: filled, with or without a BE_TRIGGERED. An MFE update never demotes.
- PENDING: nothing but SIGNAL_CREATED is known (an EXIT_PARTIAL, MFE or break-even alert says that a
  fill happened that we know nothing of).
- UNKNOWN: no entry is known, or no event at all.
- An entry whose event time lies after the exit's still tells its prices: without it the exit means nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from state.evidence import Evidence
from state.vocabulary import BE_TRIGGERED, CANCELLED, ENTRY, FINAL_EXITS, SIGNAL_CREATED

UNKNOWN: Final = "UNKNOWN"
PENDING: Final = "PENDING"
ACTIVE: Final = "ACTIVE"
BE_PROTECTED: Final = "BE_PROTECTED"
COMPLETED: Final = "COMPLETED"

#: Every status; CANCELLED is spelt like the event.
STATUSES: Final = (UNKNOWN, PENDING, ACTIVE, BE_PROTECTED, COMPLETED, CANCELLED)
#: The trades that hold a position.
OPEN_STATUSES: Final = frozenset({ACTIVE, BE_PROTECTED})


@dataclass(frozen=True, slots=True)
class Life:
    """A trade's course: `ordered` is all of its evidence, `applied` what counts, up to its end.

    `entry` is the first fill. It is among `applied`: in its place, or in front when its time lies after
    the exit's. At most one of `exit` and `cancellation` is there.
    """

    ordered: tuple[Evidence, ...]
    applied: tuple[Evidence, ...]
    entry: Evidence | None
    exit: Evidence | None
    cancellation: Evidence | None

    @property
    def be_triggered(self) -> bool:
        """Whether a BE_TRIGGERED counts: the stop had been moved to the entry."""
        return any(item.event_type == BE_TRIGGERED for item in self.applied)

    @property
    def status(self) -> str:
        """One of STATUSES."""
        if self.exit is not None:
            return COMPLETED
        if self.cancellation is not None:
            return CANCELLED
        if self.entry is not None:
            return BE_PROTECTED if self.be_triggered else ACTIVE
        known = {item.event_type for item in self.applied if item.event_type is not None}
        return PENDING if known == {SIGNAL_CREATED} else UNKNOWN

    @property
    def by_weight(self) -> Iterator[Evidence]:
        """The evidence that counts, the entry first, then in order: where a fact of the trade is looked up."""
        if self.entry is not None:
            yield self.entry
        yield from (item for item in self.applied if item is not self.entry)


def _finish(ordered: Sequence[Evidence]) -> int | None:
    """The place of the event that finishes the trade, or None while it runs."""
    filled = False
    for place, item in enumerate(ordered):
        filled = filled or item.event_type == ENTRY
        if item.event_type in FINAL_EXITS or (item.event_type == CANCELLED and not filled):
            return place
    return None


def course(ordered: Sequence[Evidence]) -> Life:
    """The course of a trade from its evidence in order (see `state.evidence.in_order`)."""
    end = _finish(ordered)
    applied = tuple(ordered if end is None else ordered[: end + 1])
    last = None if end is None else ordered[end]
    cancelled = last is not None and last.event_type == CANCELLED
    entry = next((item for item in applied if item.event_type == ENTRY), None)
    if entry is None and last is not None and not cancelled:
        entry = next((item for item in ordered if item.event_type == ENTRY), None)
        applied = applied if entry is None else (entry, *applied)
    return Life(
        ordered=tuple(ordered),
        applied=applied,
        entry=entry,
        exit=None if cancelled else last,
        cancellation=last if cancelled else None,
    )
