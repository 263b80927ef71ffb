"""What the endpoints answer on random series, against empyrical and numpy over the same series."""

import itertools
import random
from decimal import Decimal

import empyrical
import numpy as np
import pytest
from flask.testing import FlaskClient

from tests.handlers.telemetry_helpers import ago, equity, latency, order, outcome, read, take


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_report_of_a_random_series(client: FlaskClient, seed: int) -> None:
    dice = random.Random(seed)
    results = [Decimal(dice.randint(-5000, 5100)) / 100 for _ in range(400)]
    take(client, *[outcome(100, str(100 + pnl), 500 - place) for place, pnl in enumerate(results)])
    found = {name: value for name, value in read(client, "trades/1/performance").items() if value is not None}
    pnl = np.array(results, dtype=float)
    running = np.concatenate([[0.0], pnl.cumsum()])
    expected = {
        "sharpe": empyrical.sharpe_ratio(pnl, annualization=1),
        "sortino": empyrical.sortino_ratio(pnl, annualization=1),
        "max_drawdown": (np.maximum.accumulate(running) - running).max(),
        "profit_factor": pnl[pnl > 0].sum() / -pnl[pnl < 0].sum(),
        "win_rate": 100 * (pnl > 0).mean(),
        "avg_win": pnl[pnl > 0].mean(),
        "avg_loss": pnl[pnl < 0].mean(),
        "expectancy": pnl.mean(),
    }
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-9), name
    assert found["total_pnl"] == sum(results)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_drawdowns_of_a_random_curve(client: FlaskClient, seed: int) -> None:
    dice = random.Random(seed)
    values = [10_000.0]
    for _ in range(1499):
        values.append(round(values[-1] * (1 + dice.gauss(0, 0.01)), 2))
    shuffled = list(enumerate(values))
    dice.shuffle(shuffled)
    take(client, *[equity(value, 2000 - place) for place, value in shuffled])
    found = read(client, "metrics/equity/1")
    curve = np.array(values)
    peaks = np.maximum.accumulate(curve)
    deepest = -100 * empyrical.max_drawdown(curve[1:] / curve[:-1] - 1)
    assert float(found["max_drawdown_pct"]) == pytest.approx(deepest, rel=1e-9)
    assert float(found["max_drawdown"]) == pytest.approx((peaks - curve).max(), rel=1e-9)
    assert float(found["current_drawdown_pct"]) == pytest.approx(100 * (1 - curve[-1] / peaks[-1]), rel=1e-9)
    assert (float(found["peak_equity"]), float(found["current_equity"])) == (curve.max(), curve[-1])
    assert max(point["high"] for point in found["series"]) == found["peak_equity"]


@pytest.mark.parametrize("seed", [1, 2])
def test_every_stretch_of_a_long_curve(client: FlaskClient, seed: int) -> None:
    """Also below 0, with clusters in time, and with points of one instant: the one that came later is the later one."""
    dice = random.Random(seed)
    points: list[tuple[float, Decimal]] = []
    at, value = 9000.0, Decimal(30)
    for _ in range(1400):
        at -= dice.choice([0, 0, 0.25, 0.5, 1, 30])
        value += Decimal(dice.randint(-2000, 2010)) / 100
        points.append((at, value))
    take(client, *[equity(str(value), at) for at, value in points])
    found = read(client, "metrics/equity/1?days=30")
    peaks = list(itertools.accumulate((value for _, value in points), max))
    times = [ago(at) for at, _ in points]
    place = 0
    for stretch in found["series"]:
        end = max(index for index, time in enumerate(times) if time == stretch["timestamp"]) + 1
        values, tops = [value for _, value in points[place:end]], peaks[place:end]
        falls = [100 * (top - value) / top for top, value in zip(tops, values, strict=True) if top > 0]
        assert (stretch["equity"], stretch["low"], stretch["high"]) == (values[-1], min(values), max(values))
        assert float(stretch["drawdown_pct"]) == pytest.approx(float(max(falls)), rel=1e-12)
        place = end
    assert place == len(points)
    assert 100 < len(found["series"]) <= 500
    assert found["max_drawdown"] == max(top - value for (_, value), top in zip(points, peaks, strict=True))
    assert found["peak_equity"] == peaks[-1]
    assert min(value for _, value in points) < 0


def test_percentiles_of_random_values(client: FlaskClient) -> None:
    dice = random.Random(4)
    values = [round(dice.lognormvariate(3, 0.6), 2) for _ in range(777)]
    fills = [dice.randint(1, 60 * 60) for _ in range(151)]
    take(client, *[latency(value) for value in values])
    for place, seconds in enumerate(fills):
        take(client, order(f"o{place}", "pending", 100), order(f"o{place}", "filled", 100 - seconds / 60))
    (found,) = read(client, "metrics/system/1")
    for name, share in (("p50", 50), ("p95", 95), ("p99", 99)):
        exact = np.percentile(np.array(values), share, method="inverted_cdf")
        assert float(found[f"api_latency_{name}_ms"]) == exact
    assert float(found["api_latency_avg_ms"]) == pytest.approx(np.mean(values), rel=1e-9)
    times = read(client, "metrics/orders/1")["time_to_fill"]
    assert float(times["p50"]) == np.percentile(np.array(fills), 50, method="inverted_cdf")
    assert float(times["p95"]) == np.percentile(np.array(fills), 95, method="inverted_cdf")
