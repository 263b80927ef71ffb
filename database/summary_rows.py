"""What the summary tables hold of trades and gaps."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from state import jsontext
from state.continuity import Gap
from state.position import UNCERTAIN, PositionTrade, compact
from state.tally import Part
from state.trade import Trade


def gap_rows(gaps: Iterable[Gap]) -> list[dict[str, Any]]:
    """Gaps as their table holds them; their ids begin with the time of the alert that shows them."""
    seen: Counter[datetime] = Counter()
    rows = []
    for gap in gaps:
        told = gap.as_dict()
        rows.append(
            {
                "stream_id": gap.stream,
                "gap_id": f"{gap.stream}@{compact(gap.before)}.{seen[gap.before]}",
                "after_time": gap.after,
                "before_time": gap.before,
                "expected": told["expected"],
                "found": told["found"],
            }
        )
        seen[gap.before] += 1
    return rows


def summary(stream_id: str, trade: Trade) -> dict[str, Any]:
    """A trade as the summary table holds it."""
    return {
        "stream_id": stream_id,
        "trade_id": trade.trade_id,
        "status": trade.status,
        "direction": trade.direction,
        "symbol": trade.symbol,
        "strategy_id": trade.strategy_id,
        "strategy": trade.strategy,
        "timeframe": trade.timeframe,
        "session": trade.session,
        "trade_time": trade.entry_time or trade.first_event_time,
        "entry_time": trade.entry_time,
        "exit_time": trade.exit_time,
        "last_event_time": trade.last_event_time,
        "realized_r": trade.realized_r,
        "max_mfe": trade.max_mfe,
        "be_mfe": trade.be_mfe,
        "no_be_mfe": trade.no_be_mfe,
        "mae": trade.mae,
        "event_count": trade.event_count,
        "anomalies": list(trade.anomalies),
        "trade": trade.as_dict(),
        "event_ids": None if isinstance(trade, PositionTrade) else [event.id for event in trade.events],
        "realized_points": trade.realized_points if isinstance(trade, PositionTrade) else None,
        "uncertain": not UNCERTAIN.isdisjoint(trade.anomalies),
    }


@dataclass(frozen=True, slots=True)
class Folded:
    """What folds come to: the summaries as JSON ready to be stored, and what they contribute to the totals."""

    summaries: str
    parts: list[Part]


_PART: Final = tuple(item.name for item in fields(Part))


def folded(trades: Iterable[tuple[str, Trade]], more: Iterable[dict[str, Any]] = ()) -> Folded:
    """The summaries of trades, each with its stream's id, and `more` rows that are made already."""
    rows = [*(summary(stream_id, trade) for stream_id, trade in trades), *more]
    return Folded(jsontext.dump(rows), [Part(**{name: row[name] for name in _PART}) for row in rows])
