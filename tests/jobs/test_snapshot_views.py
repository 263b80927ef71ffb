"""Our own four views against sums done by hand: Fractions over what was sent, nothing of the product's formulas."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from flask.testing import FlaskClient

from database import snapshot_source
from database.pool import Pool
from database.snapshot_source import Views
from settings import Settings
from tests.conftest import run_sql
from tests.jobs.snapshot_helpers import DAY, Seed, seeds, send

DAY_DATE = date.fromisoformat(DAY)


def views(settings: Settings) -> Views:
    return Views(
        settings.mv_kpi_table, settings.mv_series_table, settings.mv_extremes_table, settings.mv_portfolio_table
    )


def read(settings: Settings, day: date) -> Any:
    assert settings.database_url is not None
    pool = Pool(settings.database_url, 1)
    try:
        snapshot_source.refresh(pool, views(settings))
        return snapshot_source.read(pool, views(settings), day)
    finally:
        pool.close()


def result(trade: Seed) -> Fraction:
    """The trade's R."""
    assert trade.exit_price is not None
    gain = Fraction(trade.exit_price) - Fraction(trade.entry)
    return (gain if trade.long else -gain) / abs(Fraction(trade.entry) - Fraction(trade.stop))


def shown(value: Fraction | int, unit: str = "") -> str:
    """Rounded to 4 places, half away from zero, without zeros at the end."""
    exact = Fraction(value)
    number = (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    text = format(number, "f").rstrip("0").rstrip(".")
    return ("0" if text == "-0" else text) + unit


def drawdown(results: Iterable[Fraction]) -> Fraction:
    equity = peak = deepest = Fraction(0)
    for value in results:
        equity += value
        peak = max(peak, equity)
        deepest = max(deepest, peak - equity)
    return deepest


@pytest.fixture
def trades(client: FlaskClient) -> list[Seed]:
    made = seeds(200)
    send(client, made)
    return made


def total(values: Iterable[Fraction]) -> Fraction:
    return sum(values, Fraction(0))


def closed(trades: list[Seed]) -> list[Seed]:
    ended = [trade for trade in trades if trade.exit_at is not None]
    return sorted(ended, key=lambda trade: (trade.exit_at or trade.entry_at, trade.trade_id))


def test_every_kpi_of_200_trades(settings: Settings, trades: list[Seed]) -> None:
    ended = closed(trades)
    results = [result(trade) for trade in ended]
    wins, losses = [r for r in results if r > 0], [r for r in results if r < 0]
    holds = [Fraction(int((trade.exit_at - trade.entry_at).total_seconds())) for trade in ended if trade.exit_at]
    rows = read(settings, DAY_DATE)["kpis"]
    assert [(row.kpi_name, row.display_value) for row in rows] == [
        ("Signals", str(len(trades) + len(ended))),
        ("Entries opened", "200"),
        ("Exits closed", str(len(ended))),
        ("Daily R", shown(total(results))),
        ("Win rate", shown(Fraction(100 * len(wins), len(results)), "%")),
        ("Profit factor", shown(total(wins) / -total(losses), "x")),
        ("Expectancy R", shown(total(results) / len(results))),
        ("Max drawdown R", shown(drawdown(results))),
        ("Avg hold time", shown(total(holds) / len(holds), "s")),
        ("Best R", shown(max(results))),
        ("Worst R", shown(min(results))),
    ]


def test_the_series_run_through_the_day(settings: Settings, trades: list[Seed]) -> None:
    ended = closed(trades)
    series: dict[str, dict[datetime, Decimal]] = {}
    for row in read(settings, DAY_DATE)["series"]:
        assert row.ts not in series.setdefault(row.kpi_name, {})
        series[row.kpi_name][row.ts] = row.value
    instants = sorted({trade.exit_at for trade in ended if trade.exit_at})
    assert len(instants) < len(ended)  # some end at the same second, so this is tried
    for kpi in ("Daily R", "Win rate", "Expectancy R", "Max drawdown R", "Exits closed"):
        assert sorted(series[kpi]) == instants
    for instant in instants:
        so_far = [trade for trade in ended if trade.exit_at and trade.exit_at <= instant]
        results = [result(trade) for trade in so_far]
        wins, losses = sum(r for r in results if r > 0), -sum(r for r in results if r < 0)
        expected = {
            "Daily R": sum(results),
            "Win rate": Fraction(100 * sum(r > 0 for r in results), len(results)),
            "Expectancy R": sum(results) / Fraction(len(results)),
            "Max drawdown R": drawdown(results),
            "Exits closed": len(so_far),
        }
        if losses:
            expected["Profit factor"] = wins / losses
        for kpi, value in expected.items():
            assert abs(Fraction(series[kpi][instant]) - Fraction(value)) < Fraction(1, 10**12), (kpi, instant)
    assert max(series["Entries opened"].values()) == 200


def test_the_extremes_are_the_ten_highest_and_lowest(settings: Settings, trades: list[Seed]) -> None:
    rows = read(settings, DAY_DATE)["extremes"]
    by_id = {trade.trade_id: trade for trade in trades}
    for side, factor in (("hi", -1), ("lo", 1)):
        wanted = sorted(closed(trades), key=lambda trade: (factor * result(trade), trade.trade_id))[:10]
        found = [row for row in rows if (row.kpi_name, row.side) == ("Daily R", side)]
        assert [(row.rank, row.trade_id) for row in found] == list(enumerate((t.trade_id for t in wanted), start=1))
        holds = [row.metric_raw for row in rows if (row.kpi_name, row.side) == ("Avg hold time", side)]
        assert holds == sorted(holds, reverse=side == "hi")
    assert {row.kpi_name for row in rows} == {"Daily R", "Avg hold time", "Max drawdown R"}
    for row in rows:
        trade = by_id[row.trade_id]
        assert trade.exit_price is not None
        change = (Fraction(trade.exit_price) / Fraction(trade.entry) - 1) * (100 if trade.long else -100)
        assert abs(Fraction(row.percent_change) - change) < Fraction(1, 10**9)
        assert (row.qty, row.cost_basis, row.symbol) == (2, 2 * trade.entry, "NQ1!")
        assert row.contract_name == ("NQ1! LONG" if trade.long else "NQ1! SHORT")


def test_the_portfolio_is_what_is_open(settings: Settings, trades: list[Seed]) -> None:
    rows = read(settings, DAY_DATE)["portfolio"]
    assert {row.trade_id for row in rows} == {trade.trade_id for trade in trades if trade.exit_at is None}


def test_a_day_is_new_yorks_and_a_trade_stays_open_overnight(client: FlaskClient, settings: Settings) -> None:
    late = datetime(2025, 11, 21, 2, 30, tzinfo=UTC)  # 21:30 on the 20th
    night = Seed("night", True, late, Decimal(100), Decimal(90), late + timedelta(hours=12), Decimal(120))
    send(client, [night])
    evening, morning = read(settings, DAY_DATE), read(settings, DAY_DATE + timedelta(days=1))
    told = {row.kpi_name: row.display_value for row in evening["kpis"]}
    assert (told["Entries opened"], told["Exits closed"], told["Daily R"], told["Win rate"]) == ("1", "0", "—", "—")
    assert [row.trade_id for row in evening["portfolio"]] == ["night"]
    told = {row.kpi_name: row.display_value for row in morning["kpis"]}
    assert (told["Exits closed"], told["Daily R"], told["Profit factor"]) == ("1", "2", "—")
    assert morning["portfolio"] == []


def test_nothing_gives_nothing(settings: Settings) -> None:
    assert not any(read(settings, DAY_DATE).values())


def test_the_views_have_the_columns_of_the_contract(database_url: str) -> None:
    def columns(view: str) -> set[object]:
        statement = f"SELECT attname FROM pg_attribute WHERE attrelid = '{view}'::regclass AND attnum > 0"  # noqa: S608
        return {name for (name,) in run_sql(database_url, statement)}

    assert columns("utils_statistics.trades_kpi_summary_mv") >= {
        "kpi_name",
        "display_value",
        "sort_order",
        "report_date",
    }
    assert columns("utils_statistics.trades_kpi_series_mv") >= {"kpi_name", "ts", "value", "source", "report_date"}
    assert columns("utils_statistics.trades_portfolio_assets_mv") >= {
        "trade_id", "symbol", "contract_name", "report_date",
    }  # fmt: skip


def test_trades_that_were_never_closed_meet_trading_days_alone(client: FlaskClient, database_url: str) -> None:
    for number, day in enumerate(("2016-03-01", "2021-03-02", "2026-02-11")):
        body = {"trade_id": f"open-{number}", "event_type": "ENTRY", "event_timestamp": f"{day}T15:00:00Z"}
        told = {"direction": "LONG", "entry_price": 100, "stop_loss": 99, "symbol": "NQ1!"}
        assert client.post("/api/automated-signals/webhook", json={**body, **told}).status_code == 200
    assert client.get("/api/automated-signals/trades").status_code == 200
    view = "pg_get_viewdef('utils_statistics.trades_portfolio_assets_mv'::regclass)"
    ((query,),) = run_sql(database_url, f"SELECT {view}")
    ((plan,),) = run_sql(database_url, f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")
    assert 6 <= max(made_by(plan[0]["Plan"])) <= 20  # type: ignore[index]


def made_by(plan: dict[str, Any]) -> list[float]:
    """The rows that each node of a plan made in all."""
    rows = plan["Actual Rows"] * plan["Actual Loops"]
    return [rows, *(made for inner in plan.get("Plans", []) for made in made_by(inner))]
