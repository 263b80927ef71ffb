"""What position trades brought in money, where the symbol's point value is set."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from database.summaries import Listed
from handlers.services import services
from state import jsontext
from state.r_multiple import EXACT


def with_money(trade: Mapping[str, Any]) -> dict[str, Any]:
    """A trade as shown; one that carries realized_points also realized_money, null when no point value is set."""
    if "realized_points" not in trade:
        return dict(trade)
    return {**trade, "realized_money": _money(trade["realized_points"], trade.get("symbol"))}


def as_listed(trade: Listed, **more: Any) -> str:
    """A trade of a list as JSON: its own text, with money as `with_money` gives it and with `more` before it, nothing
    read and nothing rendered again."""
    text = trade.text
    if trade.is_position:
        money = jsontext.dump(_money(trade.realized_points, trade.symbol))
        text = f'{text[:-1]},"realized_money":{money}}}'
    if more:
        text = f"{jsontext.dump(more)[:-1]},{text[1:]}"
    return text


def _money(points: Decimal | int | None, symbol: str | None) -> Decimal | None:
    worth = services().settings.point_values.get(str(symbol).upper())
    return None if points is None or worth is None else EXACT.multiply(Decimal(points), worth)
