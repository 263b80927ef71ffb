"""The forecast of the capital ledger, as the API and the nightly job give it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from state.capital import NOTHING, converted, money, percent, project


def forecast(
    totals: Mapping[str, Decimal], rates: Mapping[str, Decimal | int], currency: str, monthly_yield: Decimal
) -> dict[str, Any]:
    """One month ahead: total * (1 + yield) of one currency, of the others, and of all together where rates are known.

    `totals` and `rates` are by currency, rates in units of the base currency (which has the rate 1).
    """
    total = money(totals.get(currency, NOTHING))
    others = {name: value for name, value in totals.items() if name != currency}
    return {
        "current_total": total,
        "forecast_yield": monthly_yield,
        "projected_balance": project(total, monthly_yield),
        "currency": currency,
        "note": f"Projected balance one month ahead with {percent(monthly_yield)}% yield",
        "by_currency": {
            name: {"current_total": money(value), "projected_balance": project(value, monthly_yield)}
            for name, value in sorted(others.items())
        },
        "converted": _together(totals, rates, currency, monthly_yield) if others else None,
    }


def _together(
    totals: Mapping[str, Decimal], rates: Mapping[str, Decimal | int], currency: str, monthly_yield: Decimal
) -> dict[str, Any] | None:
    exact = {name: Decimal(rate) for name, rate in rates.items()}
    value, without = converted(totals, exact, currency)
    if len(without) == sum(1 for name, total in totals.items() if total and name != currency):
        return None
    return {
        "currency": currency,
        "current_total": value,
        "projected_balance": project(value, monthly_yield),
        "without": without,
    }
