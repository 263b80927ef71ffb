"""The walk of a position from alert to alert, and where it breaks.

An alert may tell the position before it (prev_market_position and size) and after it; what it does not tell
follows from its action and the position that the alert before it left. Alert n's earlier position must be the
later one of alert n-1: a break means that an alert between two known times never came. Alerts that do not
tell their earlier position can break only by what they presuppose: an exit of what nobody holds.

Not breaks: the first alert known (nothing is known before it), and one that comes after a silence of
RESYNC_AFTER or says so itself (`resync`): a restarted script begins from a position of its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

from state.event import SignalEvent
from state.r_multiple import EXACT
from state.values import mapping, number, price, text, utc

#: Longer than a weekend with a holiday's half day: after it a script is taken to have been restarted.
RESYNC_AFTER: Final = timedelta(hours=72)
#: Alerts of one instant whose every order is tried; more are put in order one after the other.
_TRY_ALL: Final = 7

BUY: Final = "BUY"
SELL: Final = "SELL"
LONG: Final = "LONG"
SHORT: Final = "SHORT"
EXIT: Final = "EXIT"
EXIT_ALL: Final = "EXIT_ALL"
EXIT_LONG: Final = "EXIT_LONG"
EXIT_SHORT: Final = "EXIT_SHORT"
ADD: Final = "ADD"
REVERSE: Final = "REVERSE"
RENEW_LONG: Final = "RENEW_LONG"
RENEW_SHORT: Final = "RENEW_SHORT"
CANCEL: Final = "CANCEL"

#: What an alert can do. BUY and SELL are net orders; LONG and SHORT enter a side, add to it, or reverse into it;
#: EXIT presupposes a position, EXIT_ALL does not; RENEW closes what is held and enters.
ACTIONS: Final = (
    BUY, SELL, LONG, SHORT, EXIT, EXIT_ALL, EXIT_LONG, EXIT_SHORT, ADD, REVERSE, RENEW_LONG, RENEW_SHORT, CANCEL,
)  # fmt: skip
_CLOSING: Final = frozenset({EXIT, EXIT_ALL, EXIT_LONG, EXIT_SHORT})
_SIDES: Final = {"long": 1, "short": -1, "flat": 0}
#: A position of which nobody tells the side.
OPEN: Final = 2
_NAMES: Final = {OPEN: "open", **{side: name for name, side in _SIDES.items()}}
_RENEWS: Final = {RENEW_LONG: 1, RENEW_SHORT: -1}
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Holding:
    """A position: side 1 (long), -1 (short), 0 (flat) or OPEN, and its size, None when it is not told."""

    side: int
    size: Decimal | None

    def agrees(self, other: "Holding") -> bool:
        """Whether both can be the same position."""
        unknown = self.size is None or other.size is None
        return self.side == other.side and (unknown or self.size == other.size)

    def filled_by(self, other: "Holding") -> "Holding":
        """This position, its size from the other when only that one tells it."""
        return other if self.size is None and self.side == other.side else self

    def as_dict(self) -> dict[str, Any]:
        """{"market_position": "long" | "short" | "flat", "market_position_size": Decimal | None}"""
        return {"market_position": _NAMES[self.side], "market_position_size": self.size}


FLAT: Final = Holding(0, _ZERO)


@dataclass(frozen=True, slots=True)
class Step:
    """One alert as the walk sees it."""

    event: SignalEvent
    at: datetime
    action: str | None
    quantity: Decimal | None
    price: Decimal | None
    before: Holding | None
    after: Holding | None
    resync: bool
    told: Mapping[str, Any]

    @property
    def idle(self) -> bool:
        """Whether the alert neither moves a position nor tells one."""
        return self.action in (None, CANCEL) and self.before is None and self.after is None

    def reduces(self, side: int) -> bool:
        """Whether the action makes a position on this side smaller."""
        return self.action in _CLOSING or _side_of(self.action) == -side

    def enlarges(self, side: int) -> bool:
        """Whether the action makes a position on this side larger."""
        return self.action == ADD or _side_of(self.action) == side


@dataclass(frozen=True, slots=True)
class Gap:
    """A break: an alert between `after` and `before` never came. Positions as `Holding.as_dict` shows them."""

    stream: str
    after: datetime
    before: datetime
    expected: Holding
    found: Holding

    def as_dict(self) -> dict[str, Any]:
        return {
            "stream": self.stream,
            "after": self.after,
            "before": self.before,
            "expected": self.expected.as_dict(),
            "found": self.found.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class Walk:
    """What one alert did: the position before and after it.

    `unseen` is the mark of what must have happened before it unseen (ALERT_MISSING, OPENED_UNSEEN, RESYNC).
    """

    step: Step
    before: Holding
    after: Holding
    unseen: str | None
    renews: bool

    @property
    def restarted(self) -> bool:
        """Whether the script began again from a position of its own."""
        return self.unseen == "RESYNC"


@dataclass(frozen=True, slots=True)
class Instant:
    """What the alerts of one instant did; `held` is the position that those before them left, None without any."""

    at: datetime
    held: Holding | None
    walks: Sequence[Walk]
    gaps: Sequence[Gap]


def _holding(value: object) -> Holding | None:
    told = mapping(value)
    side = _SIDES.get(str(told.get("market_position")).lower()) if told else None
    if told is None or side is None:
        return None
    size = number(told.get("market_position_size"))
    if side == 0 or size == 0:
        return FLAT
    return Holding(side, None if size is None else abs(size))


def step_of(event: SignalEvent) -> Step:
    """The step that a position event's canonical `position` tells; what is unreadable there is not told."""
    told = mapping(event.position) or {}
    action = text(told.get("action"))
    return Step(
        event=event,
        at=utc(event.event_timestamp),
        action=action if action in ACTIONS else None,
        quantity=number(told.get("quantity")),
        price=price(told.get("price")),
        before=_holding(told.get("before")),
        after=_holding(told.get("after")),
        resync=told.get("resync") is True,
        told={name: told.get(name) for name in ("order_id", "comment")},
    )


def _side_of(action: str | None) -> int:
    return {BUY: 1, LONG: 1, RENEW_LONG: 1, SELL: -1, SHORT: -1, RENEW_SHORT: -1}.get(action or "", 0)


def _plus(held: Holding, side: int, quantity: Decimal | None) -> Holding:
    """The position after a net order."""
    if quantity is None or held.size is None:
        if held.side in (0, side):
            return Holding(side, None)
        return FLAT
    signed = EXACT.add(EXACT.multiply(held.size, Decimal(held.side)), EXACT.multiply(quantity, Decimal(side)))
    return Holding((signed > 0) - (signed < 0), abs(signed))


def _less(held: Holding, quantity: Decimal | None) -> Holding:
    if quantity is None or held.size is None or quantity >= held.size:
        return FLAT
    return Holding(held.side, EXACT.subtract(held.size, quantity))


def _more(held: Holding, side: int, quantity: Decimal | None) -> Holding:
    """On a side: entered from elsewhere, or added to."""
    if held.side != side:
        return Holding(side, quantity)
    both = quantity is not None and held.size is not None
    return Holding(side, EXACT.add(held.size or _ZERO, quantity or _ZERO) if both else None)


def _by_action(held: Holding, step: Step) -> Holding:
    """The position after the action alone."""
    action, quantity = step.action, step.quantity
    if action in (BUY, SELL):
        return _plus(held, _side_of(action), quantity)
    if action in (LONG, SHORT):
        return _more(held, _side_of(action), quantity)
    if action in _RENEWS:
        return Holding(_RENEWS[action or ""], quantity)
    if action == EXIT_ALL:
        return FLAT
    if action in _CLOSING:
        return _less(held, quantity)
    if action == ADD and held.side:
        return _more(held, held.side, quantity)
    if action == REVERSE and held.side:
        return Holding(-held.side, quantity if quantity is not None else held.size)
    return held


def _after(held: Holding, step: Step) -> Holding:
    """The position that the alert leaves: as told, its size from the action where it tells the side alone."""
    if step.after is None:
        return _by_action(held, step)
    if step.after.side == 0 or step.after.size is not None:
        return step.after
    guess = _by_action(held, step)
    return step.after.filled_by(guess) if guess.side == step.after.side else Holding(step.after.side, step.quantity)


def _presupposed(held: Holding, step: Step) -> Holding | None:
    """The position that an alert presupposes without telling it, when it cannot be the one held; else None."""
    action = step.action
    if action == EXIT_LONG and held.side <= 0:
        return Holding(1, None)
    if action == EXIT_SHORT and held.side >= 0:
        return Holding(-1, None)
    flat_after = step.after is not None and step.after.side == 0
    if action in (BUY, SELL) and flat_after and held.side != -_side_of(action):
        return Holding(-_side_of(action), step.quantity)
    if action in (EXIT, ADD, REVERSE) and held.side == 0:
        side = step.after.side if step.after is not None else 0
        side = -side if action == REVERSE else side
        return Holding(side or OPEN, None) if side or action == EXIT else None
    if action in (EXIT, ADD) and step.after is not None and step.after.side == -held.side:
        return Holding(step.after.side, None)
    return _by_arithmetic(step)


def _by_arithmetic(step: Step) -> Holding | None:
    """The earlier position of a net order that tells its quantity and the position that it left."""
    if step.action not in (BUY, SELL) or step.quantity is None or step.after is None or step.after.size is None:
        return None
    return _plus(step.after, -_side_of(step.action), step.quantity)


def _found(held: Holding | None, step: Step) -> Holding:
    """The position before the alert: told, presupposed, or else the one that was left."""
    if step.before is not None:
        return step.before.filled_by(held) if held is not None else step.before
    if held is None:
        return _presupposed(FLAT, step) or FLAT
    presupposed = _presupposed(held, step)
    return held if presupposed is None or presupposed.agrees(held) else presupposed


def _advance(held: Holding | None, step: Step) -> tuple[Holding, Holding, bool]:
    """The position before and after an alert, and whether the walk broke in front of it."""
    found = _found(held, step)
    broken = held is not None and not found.agrees(held)
    return found, _after(found, step), broken


def _rank(step: Step) -> tuple[datetime, bool, str]:
    return step.at, step.action not in _CLOSING, step.event.event_key


def _after_one(held: Holding | None, step: Step) -> tuple[Holding | None, int]:
    """The position that a step leaves, and what it costs to put it here.

    A break costs most. Where nothing is known before, beginning from a position costs a little: beginning from
    flat is the likelier of two orders that chain.
    """
    if step.idle:
        return held, 0
    found, after, broken = _advance(held, step)
    return after, 100 * broken + (held is None and found.side != 0)


def _trail(held: Holding | None, group: tuple[Step, ...]) -> tuple[Step, ...] | None:
    """The order in which each alert begins where the one before it ended, if all tell both and there is one.

    An Eulerian trail over positions as nodes and alerts as edges (Hierholzer 1873).
    """
    leaving: dict[Holding, list[Step]] = {}
    for step in reversed(group):
        if step.before is None or step.after is None or None in (step.before.size, step.after.size):
            return None
        leaving.setdefault(step.before, []).append(step)
    start = FLAT if held is None and FLAT in leaving else held
    if start is None:
        ends = [step.after for step in group]
        spare = (node for node in leaving if len(leaving[node]) > ends.count(node))
        start = next(spare, group[0].before or FLAT)
    nodes: list[tuple[Holding, Step | None]] = [(start, None)]
    found: list[Step] = []
    while nodes:
        node, edge = nodes[-1]
        if leaving.get(node):
            step = leaving[node].pop()
            nodes.append((step.after or FLAT, step))
        else:
            nodes.pop()
            if edge is not None:
                found.append(edge)
    return tuple(reversed(found)) if len(found) == len(group) else None


def _chained(held: Holding | None, group: tuple[Step, ...]) -> tuple[Step, ...]:
    """The order of one instant's alerts that breaks least, among equals the one nearest to `group`'s."""
    if len(group) == 1:
        return group
    trail = _trail(held, group)
    if trail is not None:
        return trail
    best: dict[tuple[int, Holding | None], tuple[int, tuple[int, ...]]] = {}

    def search(left: int, held: Holding | None) -> tuple[int, tuple[int, ...]]:
        if not left:
            return 0, ()
        if (left, held) not in best:
            choices = []
            for place, step in enumerate(group):
                if left >> place & 1:
                    after, cost = _after_one(held, step)
                    rest, order = search(left & ~(1 << place), after)
                    choices.append((cost + rest, (place, *order)))
            best[left, held] = min(choices)
        return best[left, held]

    if len(group) <= _TRY_ALL:
        return tuple(group[place] for place in search((1 << len(group)) - 1, held)[1])
    rest, chained = list(group), []
    while rest:
        place = min(range(len(rest)), key=lambda n: (_after_one(held, rest[n])[1], n))
        step = rest.pop(place)
        chained.append(step)
        held = _after_one(held, step)[0]
    return tuple(chained)


def instants(steps: Iterable[Step], held: Holding | None = None) -> Iterator[Instant]:
    """What the alerts of each instant did, in the one order of their stream: by time, those of one instant as
    their positions chain. `held` is the position that what came before them left, None when nothing did."""
    last: datetime | None = None
    for at, group in groupby(sorted(steps, key=_rank), key=lambda step: step.at):
        before, walks, gaps = held, [], []
        for step in _chained(held, tuple(group)):
            if step.idle:
                walks.append(Walk(step, held or FLAT, held or FLAT, None, False))
                continue
            found, after, broken = _advance(held, step)
            unseen = "OPENED_UNSEEN" if held is None and found.side else None
            if broken and last is not None and held is not None:
                resync = step.resync or at - last >= RESYNC_AFTER
                unseen = "RESYNC" if resync else "ALERT_MISSING"
                if not resync:
                    gaps.append(Gap(step.event.trade_id, last, at, held, found))
            walks.append(Walk(step, found, after, unseen, step.action in _RENEWS and found.side != 0))
            held, last = after, at
        yield Instant(at, before, walks, gaps)
