"""Made-up trades as the alerts that would have told them. Always the same, except that they end today."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from state.newyork import NEW_YORK

DAYS: Final = 100
BAR: Final = timedelta(minutes=5)

#: an alert's own time, and its body
Alert = tuple[datetime, dict[str, Any]]

#: (strategy id, symbol, price, risk in points, drift of R per bar, trades a day, targets in R)
STRATEGIES: Final = (
    ("LIQUIDITY_SWEEP", "MNQ1!", 20500.0, 25.0, 0.011, 3, (1, 2, 3)),
    ("OPENING_RANGE", "MES1!", 5890.0, 6.0, 0.004, 2, (1, 2)),
    ("LONDON_FADE", "6E1!", 1.0840, 0.0009, -0.002, 1, (1, 3)),
)
SETUPS: Final = (("FVG_CORE", "HTF_ALIGNED"), ("FVG_CORE", "COUNTER_TREND"), ("SWEEP", "SESSION_HIGH"))
HOURS: Final = {"LIQUIDITY_SWEEP": (9, 10, 11, 13, 14), "OPENING_RANGE": (9, 10), "LONDON_FADE": (3, 4, 5)}


def alerts(now: datetime) -> list[Alert]:
    """The alerts of all trades of all strategies until now, in no order."""
    chance = random.Random(20261120)
    today = now.astimezone(NEW_YORK).date()
    days = [today - timedelta(days=back) for back in range(DAYS, -1, -1)]
    bodies = [
        body
        for day in days
        for strategy in STRATEGIES
        for trade in range(strategy[5])
        for body in trade_alerts(chance, strategy, day, trade)
        if day.weekday() < 5 or day == today
    ]
    due = [(at, body) for at, body in bodies if at <= now]
    running = [body for strategy in STRATEGIES[:2] for body in open_alerts(strategy, now)]
    return [*due, *running, *position_alerts(now)]


def trade_alerts(chance: random.Random, strategy: tuple[Any, ...], day: date, place: int) -> Iterator[Alert]:
    """The alerts of one trade: entry, MFE updates on the way, break-even, exit."""
    name, symbol, price, risk, drift, _, targets = strategy
    hour = chance.choice(HOURS[name])
    start = NEW_YORK.localize(datetime.combine(day, time(hour, chance.randrange(0, 60, 5)))).astimezone(UTC)
    long = chance.random() < 0.55
    sign = 1 if long else -1
    trend = drift * (1.6 if hour in (9, 10) else 0.2)
    entry = round(price * (1 + chance.uniform(-0.012, 0.012)), 5 if price < 10 else 2)
    shared = {"schema_version": "1.0.0", "trade_id": f"{name}_{day:%Y%m%d}_{place + 1}", "symbol": symbol}
    digits = 5 if price < 10 else 2

    def at_r(r: float) -> float:
        return float(round(entry + sign * risk * r, digits))

    def alert(kind: str, at: datetime, **more: Any) -> Alert:
        stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return at, {**shared, "event_type": kind, "event_timestamp": stamp, **more}

    family, variant = chance.choice(SETUPS)
    yield alert(
        "ENTRY", start, direction="LONG" if long else "SHORT", timeframe="5", strategy_id=name,
        entry_price=entry, stop_loss=at_r(-1), targets={f"tp{i}_price": at_r(t) for i, t in enumerate(targets, 1)},
        setup={"setup_family": family, "setup_variant": variant},
    )  # fmt: skip
    r = best = worst = 0.0
    protected, stopped_at, exits_at_entry = False, None, name != "LIQUIDITY_SWEEP"
    for bar in range(1, 60):
        r += chance.gauss(trend, 0.28)
        best, worst = max(best, r), min(worst, r)
        at = start + bar * BAR
        if stopped_at is None and protected and r <= 0:
            stopped_at = best
        legs = {"be_mfe": round(best if stopped_at is None else stopped_at, 2), "no_be_mfe": round(best, 2)}
        if not protected and best >= 1:
            protected = True
            yield alert("BE_TRIGGERED", at, **legs)
        ended = _ended(r, best, protected and exits_at_entry, targets, bar)
        told = {**legs, "mae_global_R": round(worst, 2)}
        if ended:
            kind, at_exit = ended
            yield alert(kind, at + timedelta(seconds=7), exit_price=at_r(at_exit), final_mfe=round(best, 2), **told)
            return
        if bar % 3 == 0:
            yield alert("MFE_UPDATE", at, current_price=at_r(r), **told)


def _ended(r: float, best: float, protected: bool, targets: tuple[int, ...], bar: int) -> tuple[str, float] | None:
    if best >= targets[-1]:
        return "EXIT_TAKE_PROFIT", float(targets[-1])
    if protected and r <= 0:
        return "EXIT_BREAK_EVEN", 0.0
    if r <= -1:
        return "EXIT_STOP_LOSS", -1.0
    return ("EXIT_MANUAL", round(r, 2)) if bar == 59 else None


def open_alerts(strategy: tuple[Any, ...], now: datetime) -> Iterator[Alert]:
    """The alerts of a trade that runs right now."""
    name, symbol, price, risk, *_ = strategy
    start = now - timedelta(minutes=40)
    shared = {"schema_version": "1.0.0", "trade_id": f"{name}_{start:%Y%m%d}_OPEN", "symbol": symbol}

    def alert(kind: str, minutes: int, **more: Any) -> Alert:
        at = start + timedelta(minutes=minutes)
        return at, {**shared, "event_type": kind, "event_timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"), **more}

    yield alert(
        "ENTRY", 0, direction="LONG", timeframe="5", strategy_id=name, entry_price=price, stop_loss=price - risk,
        targets={"tp1_price": price + risk, "tp2_price": price + 2 * risk},
        setup={"setup_family": "FVG_CORE", "setup_variant": "HTF_ALIGNED"},
    )  # fmt: skip
    for minutes, r in ((10, 0.3), (20, 0.7), (30, 0.6), (38, 0.9)):
        price_now = round(price + risk * r, 2)
        yield alert("MFE_UPDATE", minutes, current_price=price_now, be_mfe=r, no_be_mfe=max(r, 0.7), mae_global_R=-0.2)


#: hours ago, what was done, the position before and after, and the price; the last one's buy never came
_POSITIONS: Final = (
    (74, "buy", "flat", "long", 20480.25),
    (71, "sell", "long", "flat", 20511.75),
    (50, "sell", "flat", "short", 20530.0),
    (47, "buy", "short", "flat", 20512.25),
    (26, "sell", "long", "flat", 20545.5),
)


def position_alerts(now: datetime) -> Iterator[Alert]:
    """The order fills of a strategy that tells positions instead of trades; one alert is missing."""
    for hours, action, before, after, price in _POSITIONS:
        at = now - timedelta(hours=hours)
        yield at, {
            "ticker": "MNQ1!", "exchange": "CME_MINI", "interval": "60", "strategy_name": "SWING", "action": action,
            "contracts": "2", "price": price, "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "market_position": after, "market_position_size": 0 if after == "flat" else 2,
            "prev_market_position": before, "prev_market_position_size": 0 if before == "flat" else 2,
        }  # fmt: skip
