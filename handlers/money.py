"""What position trades brought in money, where the symbol's point value is set."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from handlers.services import services
from state.r_multiple import EXACT


def with_money(trade: Mapping[str, Any]) -> dict[str, Any]:
    """A trade as shown; one that carries realized_points also realized_money, null when no point value is set."""
    if "realized_points" not in trade:
        return dict(trade)
    values = services().settings.point_values
    points, worth = trade["realized_points"], values.get(str(trade.get("symbol")).upper())
    money = None if points is None or worth is None else EXACT.multiply(Decimal(points), worth)
    return {**trade, "realized_money": money}
