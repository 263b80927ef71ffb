"""Order alerts of a strategy, nested: the order in `strategy`, the bar in `bar`, the symbol beside them."""

from typing import Final

from handlers.payloads.fields import Fields, Layer
from handlers.payloads.order import ACTIONS, read_order_fields
from handlers.payloads.positions import opened, position_reading, refuse_placeholders
from handlers.payloads.reading import Body, Context, Reading, Version

NAME: Final = "order_nested"
#: The order in `strategy` may have a side of its own; a strategy's name stands beside it, or is its `name`.
STRATEGIES: Final = ("strategy_name", "name", "strategy_id")


def recognises(body: Body) -> bool:
    """True when `strategy` is an object with an order's action."""
    inside = body.get("strategy")
    return isinstance(inside, dict) and any(inside.get(name) is not None for name in ACTIONS[1::-1])


def read(body: Body, context: Context) -> Reading:
    """One position event; the bar's close and time count where the order tells none. Raises Invalid."""
    body = opened(body)
    bar = body.get("bar")
    layers = [Layer(body["strategy"], "strategy."), Layer({**body, "strategy": None})]
    if isinstance(bar, dict):
        layers.append(Layer({name: bar.get(name) for name in ("time", "close")}, "bar."))
    fields = Fields(*layers)
    refuse_placeholders(body, fields.findings)
    return position_reading(fields, context, body, NAME, read_order_fields(fields, STRATEGIES))


VERSION: Final = Version(
    name=NAME,
    style="position",
    recognised_by="an object strategy with order_action",
    recognises=recognises,
    read=read,
)
