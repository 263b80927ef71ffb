"""Numbers of many trades from their exact sums, which the database can make of any number of rows.

Sums are exact; a quotient or root is rounded half even to 28 significant digits, whatever the caller's
context is. Where there is nothing to measure the answer is None, never 0 and never NaN.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from state.r_multiple import EXACT, RATIO
from state.telemetry.intervals import mean_interval, rate_interval

_ZERO: Final = Decimal(0)
_HUNDRED: Final = Decimal(100)
ANNUALISATION: Final = "none: per trade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Exact sums over trades: counts, P&L in currency, and slippage as a fraction."""

    trades: int
    wins: int
    losses: int
    total: Decimal = _ZERO
    gross_profit: Decimal = _ZERO
    #: negative, or 0
    gross_loss: Decimal = _ZERO
    #: of the squares of all P&L, and of the negative ones
    squares: Decimal = _ZERO
    loss_squares: Decimal = _ZERO
    slippages: int = 0
    slippage_total: Decimal = _ZERO
    #: the largest fall of the running total, which starts at 0, from its peak
    max_drawdown: Decimal | None = None


def mean(total: Decimal | None, count: int) -> Decimal | None:
    """total / count, or None without a count."""
    return RATIO.divide(total or _ZERO, Decimal(count)) if count else None


def percent(part: int | Decimal, whole: int | Decimal) -> Decimal | None:
    """part / whole * 100, or None when the whole is not above 0."""
    if whole <= 0:
        return None
    return RATIO.divide(EXACT.multiply(Decimal(part), _HUNDRED), Decimal(whole))


def deviation(count: int, total: Decimal, squares: Decimal) -> Decimal | None:
    """The sample standard deviation (n - 1) from exact sums; None for fewer than two values."""
    if count < 2:
        return None
    n = Decimal(count)
    # n * sum(x^2) - sum(x)^2 is exact, so that nothing cancels
    spread = EXACT.subtract(EXACT.multiply(n, squares), EXACT.multiply(total, total))
    return RATIO.sqrt(RATIO.divide(spread, n * (n - 1)))


def sharpe(sums: Sums) -> Decimal | None:
    """Mean P&L of a trade over its standard deviation, without a risk-free rate, per trade.

    W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21, 1994. None for fewer than two trades
    or when all are equal.
    """
    spread = deviation(sums.trades, sums.total, sums.squares)
    average = mean(sums.total, sums.trades)
    return RATIO.divide(average, spread) if average is not None and spread else None


def sortino(sums: Sums) -> Decimal | None:
    """Mean P&L of a trade over its downside deviation from 0, over all trades, per trade.

    F. A. Sortino and L. N. Price, "Performance Measurement in a Downside Risk Framework", Journal of Investing 3,
    1994. None for fewer than two trades or without a loss.
    """
    average = mean(sums.total, sums.trades)
    if sums.trades < 2 or average is None or not sums.loss_squares:
        return None
    return RATIO.divide(average, RATIO.sqrt(RATIO.divide(sums.loss_squares, Decimal(sums.trades))))


def profit_factor(sums: Sums) -> Decimal | None:
    """Gross profit over gross loss (J. D. Schwager, "Schwager on Futures", 1996); None without a loss."""
    return RATIO.divide(sums.gross_profit, -sums.gross_loss) if sums.gross_loss else None


def performance(sums: Sums) -> dict[str, Any]:
    """The report of all trades: money in currency, rates in percent, ratios per trade.

    Expectancy is the mean P&L of a trade (V. K. Tharp, "Trade Your Way to Financial Freedom", 2nd ed., ch. 7).
    """
    average = mean(sums.total, sums.trades)
    spread = deviation(sums.trades, sums.total, sums.squares)
    return {
        "total_trades": sums.trades,
        "winning_trades": sums.wins,
        "losing_trades": sums.losses,
        "breakeven_trades": sums.trades - sums.wins - sums.losses,
        "total_pnl": sums.total if sums.trades else None,
        "avg_pnl": average,
        "win_rate": percent(sums.wins, sums.trades),
        "avg_win": mean(sums.gross_profit, sums.wins),
        "avg_loss": mean(sums.gross_loss, sums.losses),
        "profit_factor": profit_factor(sums),
        "expectancy": average,
        "max_drawdown": sums.max_drawdown if sums.trades else None,
        "sharpe": sharpe(sums),
        "sortino": sortino(sums),
        "annualisation": ANNUALISATION,
        "sample_size": sums.trades,
        "win_rate_interval_95": _bounds(rate_interval(sums.wins, sums.trades)),
        "expectancy_interval_95": _bounds(mean_interval(sums.trades, average or _ZERO, spread)),
    }


def _bounds(interval: tuple[Decimal, Decimal] | None) -> dict[str, Decimal] | None:
    return {"low": interval[0], "high": interval[1]} if interval else None


def breakout(sums: Sums) -> dict[str, Any]:
    """The breakout numbers of one group of trades."""
    return {
        "success_rate": percent(sums.wins, sums.trades),
        "avg_slippage": mean(sums.slippage_total, sums.slippages),
        "avg_profit_per_trade": mean(sums.total, sums.trades),
        "avg_win": mean(sums.gross_profit, sums.wins),
        "avg_loss": mean(sums.gross_loss, sums.losses),
        "total_trades": sums.trades,
        "profitable_trades": sums.wins,
        "losing_trades": sums.losses,
        "breakeven_trades": sums.trades - sums.wins - sums.losses,
        "total_pnl": sums.total if sums.trades else None,
    }


def equity(latest: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the latest equity point tells: money in currency, margin in percent of equity (may exceed 100)."""
    if latest is None:
        names = ("current_equity", "total_pnl", "unrealized_pnl", "realized_pnl", "margin_utilization_pct", "as_of")
        return dict.fromkeys(names)
    return {
        "current_equity": latest["account_equity"],
        "total_pnl": EXACT.add(latest["unrealized_pnl"], latest["realized_pnl"]),
        "unrealized_pnl": latest["unrealized_pnl"],
        "realized_pnl": latest["realized_pnl"],
        "margin_utilization_pct": percent(latest["margin_used"], latest["account_equity"]),
        "as_of": latest["recorded_at"],
    }


def drawdown_pct(value: Decimal | None, peak: Decimal | None) -> Decimal | None:
    """How far a value lies below its running peak, in percent of it, positive; None when the peak is not above 0.

    M. Magdon-Ismail and A. F. Atiya, "Maximum Drawdown", Risk 17, 2004: the maximum drawdown is the largest of
    these over time.
    """
    if value is None or peak is None or peak <= 0:
        return None
    return percent(EXACT.subtract(peak, value), peak)


def percentile(ordered: list[Decimal], share: Decimal) -> Decimal | None:
    """The smallest value that at least `share` (above 0, at most 1) of the ascending values do not exceed.

    The nearest-rank definition (R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", American
    Statistician 50, 1996, definition 1), as percentile_disc of SQL has it: always a value that occurred.
    """
    if not ordered:
        return None
    rank = (share * len(ordered)).to_integral_value(rounding="ROUND_CEILING")
    return ordered[max(int(rank), 1) - 1]
