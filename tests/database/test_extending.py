"""A long trade's summary that goes on from the one before equals the fold of all its events."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from database import extending, rebuild, signals, summaries
from database.pool import Pool
from settings import Settings
from state import jsontext
from state.trade import fold
from tests.conftest import run_sql
from tests.handlers.test_reads import get
from tests.handlers.test_signals import post
from tests.handlers.test_trades import alert


@pytest.fixture
def pool(settings: Settings) -> Iterator[Pool]:
    made = Pool(str(settings.database_url), 2)
    yield made
    made.close()


@pytest.fixture
def extensions(client: FlaskClient, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A trade of four events, long already, and whether each later fold of it went on from what was known."""
    monkeypatch.setattr(extending, "LONG", 3)
    post(client, alert("t", "ENTRY", "2025-11-20T14:30:00Z", direction="LONG", entry_price=100, stop_loss=90))
    for minute in (31, 32, 33):
        post(client, alert("t", "MFE_UPDATE", f"2025-11-20T14:{minute}:00Z", mfe_R=minute))
    summaries.refresh(pool)
    seen: list[bool] = []
    extend = extending.extend

    def noted(connection: Any, trade_id: str) -> Any:
        row = extend(connection, trade_id)
        seen.append(row is not None)
        return row

    monkeypatch.setattr(extending, "extend", noted)
    return seen


def check(client: FlaskClient, pool: Pool) -> Any:
    """The trade as it is read, which must be the fold of all of its events, in its order."""
    found = get(client, "trade/t")
    whole = fold(signals.select_events_for_trade(pool, "t"))
    assert found["trade"] == jsontext.stored(jsontext.dump(whole.as_dict()))
    assert [event["event_id"] for event in found["events"]] == [event.id for event in whole.events]
    assert get(client, "stats")["stats"]["total_signals"] == whole.event_count
    assert rebuild.rebuild(pool).differed == []
    return found["trade"]


def test_a_long_trade_goes_on(client: FlaskClient, pool: Pool, extensions: list[bool]) -> None:
    for minute in (40, 41):
        post(client, alert("t", "MFE_UPDATE", f"2025-11-20T14:{minute}:00Z", mfe_R=minute))
        summaries.refresh(pool)
        assert check(client, pool)["max_mfe"] == minute
    post(client, alert("t", "MFE_UPDATE", "2025-11-20T14:35:00Z", mfe_R=90))
    assert check(client, pool)["max_mfe"] == 90
    post(client, alert("t", "EXIT_STOP_LOSS", "2025-11-20T14:50:00Z"))
    assert check(client, pool)["status"] == "COMPLETED"
    assert extensions == [True, True, False, False]


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM automated_signals WHERE mfe = 32",
        "UPDATE automated_signals SET mfe = 99 WHERE mfe = 32",
        "UPDATE trade_summary SET trade = replace(trade::text, '33', '77')::json",
        "UPDATE trade_summary SET event_ids = NULL",
    ],
)
def test_what_changed_otherwise_is_folded_whole(
    client: FlaskClient, pool: Pool, extensions: list[bool], change: str
) -> None:
    run_sql(pool.url, change)
    run_sql(pool.url, "INSERT INTO trade_dirty (trade_id) VALUES ('t')")
    check(client, pool)
    assert extensions == [False]


def test_an_adopted_row_moves_to_its_own_time(client: FlaskClient, pool: Pool, extensions: list[bool]) -> None:
    run_sql(
        pool.url,
        "UPDATE automated_signals SET event_key = 'row-1', created_at = '2025-11-20T10:00:00Z',"
        ' telemetry = telemetry || \'{"event_timestamp": "2025-11-20T14:29:00Z"}\' WHERE mfe = 33',
    )
    post(client, alert("t", "MFE_UPDATE", "2025-11-20T14:44:00Z", mfe_R=44))
    check(client, pool)
    assert extensions == [False]
