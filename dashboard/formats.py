"""How values are written on the pages: signs, digits, units and times, the same everywhere."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any, Final

from markupsafe import Markup

from state.jsontext import plain as plain_number
from state.newyork import to_new_york
from state.position import stream_name

NOTHING: Final = "\u2013"
_MINUS: Final = "\u2212"
_DIGITS: Final = 120


def _decimal(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    return number if number.is_finite() else None


def fixed(value: Any, places: int = 2, *, signed: bool = False) -> str:
    """A number with so many digits after the point, thousands apart, and a real minus sign."""
    number = _decimal(value)
    if number is None:
        return NOTHING
    with localcontext() as context:
        context.prec = _DIGITS
        rounded = number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    text = f"{abs(rounded):,.{places}f}"
    if rounded < 0:
        return _MINUS + text
    return f"+{text}" if signed and rounded > 0 else text


def r_text(value: Any) -> str:
    """An R multiple: +1.25 R."""
    return NOTHING if _decimal(value) is None else f"{fixed(value, 2, signed=True)}\u00a0R"


def r_plain(value: Any) -> str:
    """An R multiple that has no direction, such as a drawdown: 1.25 R."""
    return NOTHING if _decimal(value) is None else f"{fixed(value, 2)}\u00a0R"


def points(value: Any) -> str:
    """A result in the symbol's own points: +12.25 pts."""
    return NOTHING if _decimal(value) is None else f"{fixed(value, 2, signed=True)}\u00a0pts"


def percent(value: Any, places: int = 1) -> str:
    """A percentage: 54.3 %."""
    return NOTHING if _decimal(value) is None else f"{fixed(value, places)}\u00a0%"


def share(value: Any, places: int = 1) -> str:
    """A fraction of 1 as a percentage."""
    number = _decimal(value)
    return NOTHING if number is None else percent(number * 100, places)


def money(value: Any, currency: str | None = None) -> str:
    """Money to the cent, its currency behind it."""
    if _decimal(value) is None:
        return NOTHING
    return fixed(value, 2) + (f"\u00a0{currency}" if currency else "")


def price(value: Any) -> str:
    """A price with all of its own digits."""
    number = _decimal(value)
    if number is None:
        return NOTHING
    whole, point, rest = plain_number(abs(number)).partition(".")
    return f"{_MINUS if number < 0 else ''}{int(whole or 0):,}{point}{rest}"


def count(value: Any) -> str:
    """A whole number, thousands apart."""
    return NOTHING if value is None else f"{int(value):,}".replace("-", _MINUS)


def tone(value: Any) -> str:
    """The class of a value that may be good or bad."""
    number = _decimal(value)
    return "" if number is None or number == 0 else ("good" if number > 0 else "bad")


def _instant(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, datetime) and value.tzinfo is not None else None


def _time(value: Any, shown: str, **attributes: str) -> Markup:
    instant = _instant(value)
    if instant is None:
        return Markup(NOTHING)
    utc = instant.astimezone(UTC)
    more = Markup("").join(Markup(' {}="{}"').format(name.replace("_", "-"), text) for name, text in attributes.items())
    title = f"{utc:%Y-%m-%d %H:%M:%S}.{utc.microsecond // 1000:03} UTC"
    return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(utc.isoformat(), title, more, shown)


def when(value: Any) -> Markup:
    """An instant on New York's clock, with UTC on hover."""
    instant = _instant(value)
    return _time(instant, f"{_date(instant)} {to_new_york(instant):%H:%M:%S}" if instant else NOTHING)


def _date(instant: datetime) -> str:
    """The day on New York's calendar; its year only when that is not this one."""
    local = to_new_york(instant)
    return f"{local:%b %d}" if local.year == to_new_york(datetime.now(UTC)).year else f"{local:%b %d, %Y}"


def when_short(value: Any) -> Markup:
    """As `when`, to the minute."""
    instant = _instant(value)
    return _time(instant, when_text(instant) if instant else NOTHING)


def when_full(value: Any) -> Markup:
    """As `when`, with the year and the zone."""
    instant = _instant(value)
    return _time(instant, f"{to_new_york(instant):%Y-%m-%d %H:%M:%S %Z}" if instant else NOTHING)


def clock(value: Any) -> Markup:
    """The time of day on New York's clock, with UTC on hover."""
    instant = _instant(value)
    return _time(instant, f"{to_new_york(instant):%H:%M:%S}" if instant else NOTHING)


def ago(value: Any) -> Markup:
    """How long ago an instant is; the page keeps it current."""
    instant = _instant(value)
    return _time(instant, when_text(instant), data_age="") if instant else Markup(NOTHING)


def when_text(instant: datetime) -> str:
    """An instant on New York's clock as text."""
    return f"{_date(instant)} {to_new_york(instant):%H:%M}"


def duration(seconds: Any) -> str:
    """A length of time: 12 s, 3 min, 2 h 05 min, 4 d 3 h."""
    number = _decimal(seconds)
    if number is None:
        return NOTHING
    left = round(number)
    if left < 0:
        return _MINUS + duration(-left)
    if left < 60:
        return f"{left}\u00a0s"
    if left < 3600:
        return f"{left // 60}\u00a0min"
    if left < 86400:
        return f"{left // 3600}\u00a0h {left % 3600 // 60:02}\u00a0min"
    return f"{left // 86400}\u00a0d {left % 86400 // 3600}\u00a0h"


def delay(received: Any, happened: Any) -> str:
    """How long an alert took from its own time to its receipt."""
    first, last = _instant(happened), _instant(received)
    if first is None or last is None:
        return NOTHING
    seconds = Decimal(round((last - first).total_seconds() * 1000)) / 1000
    return f"{fixed(seconds, 1)}\u00a0s" if abs(seconds) < 60 else duration(seconds)


def day(value: date) -> str:
    """A day: Mon Nov 02."""
    return f"{value:%a %b %d}"


def words(code: Any) -> str:
    """A code as words: EXIT_STOP_LOSS is exit stop loss."""
    return str(code).replace("_", " ").lower() if code else NOTHING


#: The formats as the templates name them.
FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "fixed": fixed,
    "r": r_text,
    "r_plain": r_plain,
    "pct": percent,
    "points": points,
    "share": share,
    "money": money,
    "price": price,
    "count": count,
    "tone": tone,
    "when": when,
    "when_full": when_full,
    "when_short": when_short,
    "clock": clock,
    "ago": ago,
    "duration": duration,
    "delay_after": delay,
    "day": day,
    "words": words,
    "stream": stream_name,
}
