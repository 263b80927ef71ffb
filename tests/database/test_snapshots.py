"""A date holds one whole snapshot at every moment: beside other posts, and when a writer dies in the middle."""

import multiprocessing
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psycopg2
import pytest

from database import migrate, snapshots
from database.arrays import array, text_array
from database.embedded import running_url
from database.pool import Pool
from state import jsontext
from state.newyork import NEW_YORK
from state.snapshot import Verdict
from state.snapshot_reading import normalise
from state.snapshot_values import localiser
from tests.conftest import run_sql
from tests.processes import server, wait_until

SPAWN = multiprocessing.get_context("spawn")
OPEN = datetime(2026, 2, 11, 14, 30, tzinfo=UTC)
SERIES = [f"KPI {n}" for n in range(10)]

#: One statement, so one moment: does what is derived belong to the archive row, all of it and nothing else?
WHOLE = """
SELECT
    d.headline,
    d.kpis = (SELECT count(*) FROM metrics_kpi_values)
    AND d.series_points = (SELECT count(*) FROM metrics_series_points)
    AND d.extremes = (SELECT count(*) FROM metrics_extremes_items)
    AND d.portfolio_assets = (SELECT count(*) FROM metrics_portfolio_assets)
    AND ARRAY[d.headline] = ALL (
        SELECT array_agg(DISTINCT told) FROM (
            SELECT value_text AS told FROM metrics_kpi_values UNION SELECT v::text FROM metrics_series_points
            UNION SELECT symbol FROM metrics_extremes_items UNION SELECT symbol FROM metrics_portfolio_assets
        ) AS parts
    )
    AND d.overlay_json #>> '{portfolioAssets,0,symbol}' = d.headline
FROM metrics_daily AS d
"""


def body(number: int, points: int = 100) -> dict[str, Any]:
    """A snapshot in which every part tells its number; the sizes differ too."""
    minutes = [(OPEN + timedelta(minutes=minute)).isoformat() for minute in range(points + number)]
    item = {"trade_id": number, "symbol": str(number)}
    return {
        "date": "2026-02-11",
        "updated_at": OPEN.isoformat(),
        "headline": str(number),
        "rows": [{"kpi": name, "value": number} for name in SERIES],
        "overlay": {
            "seriesByKpi": {name: [{"t": minute, "v": number} for minute in minutes] for name in SERIES},
            "extremes": {"byKpi": {name: {"hi": [item] * 10, "lo": [item]} for name in SERIES}},
            "assets": [{"id": n, "symbol": str(number)} for n in range(20 + number)],
        },
    }


def prepared(number: int, **options: int) -> snapshots.Prepared:
    return snapshots.prepare(normalise(body(number, **options), now=datetime.now(UTC), localise=localiser(NEW_YORK)))


def write_for_ever(url: str, begun: Event) -> None:
    """Store one snapshot after the other until killed."""
    pool = Pool(url, 1)
    ready = [prepared(number, points=400) for number in range(1, 4)]
    begun.set()
    while True:
        for one in ready:
            snapshots.store(pool, one)


@pytest.mark.faults
def test_a_killed_writer_leaves_the_old_or_the_new(database_url: str) -> None:
    chance = random.Random(7)
    seen = set()
    for _ in range(6):
        begun = SPAWN.Event()
        writer = SPAWN.Process(target=write_for_ever, args=(database_url, begun))
        writer.start()
        assert begun.wait(60)
        wait_until(lambda: bool(run_sql(database_url, "SELECT 1 FROM metrics_daily")), 30, "the first snapshot")
        time.sleep(chance.uniform(0.02, 0.25))
        writer.kill()
        writer.join()
        ((headline, whole),) = run_sql(database_url, WHOLE)
        assert whole, headline
        seen.add(headline)
    assert seen <= {"1", "2", "3"}
    pool = Pool(database_url, 1)
    assert snapshots.store(pool, prepared(9)) is Verdict.STORE  # nobody is left holding the date
    pool.close()
    assert run_sql(database_url, WHOLE) == [("9", True)]


def test_readers_never_see_a_half(database_url: str) -> None:
    stop = threading.Event()
    found: list[tuple[object, ...]] = []

    def watch() -> None:
        connection = psycopg2.connect(database_url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute(WHOLE)
                found.extend(cursor.fetchall())
        connection.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    pool = Pool(database_url, 1)
    try:
        for number in range(1, 16):
            assert snapshots.store(pool, prepared(number)) is Verdict.STORE
    finally:
        stop.set()
        watcher.join()
        pool.close()
    assert found
    assert all(whole for _, whole in found)


def test_eight_posts_at_once_through_two_workers(tmp_path: Path) -> None:
    bodies = [jsontext.dump(body(number)).encode() for number in range(1, 9)]

    def post(url: str, data: bytes) -> int:
        request = Request(f"{url}/v1/internal/trades/snapshot", data=data)
        try:
            with urlopen(request, timeout=60) as answer:
                return int(answer.status)
        except HTTPError as error:
            with error:
                return error.code

    with server(tmp_path / "data", environment={"WEB_CONCURRENCY": "2"}) as one:
        with ThreadPoolExecutor(8) as threads:
            statuses = list(threads.map(lambda data: post(one.url, data), bodies))
        assert statuses == [200] * 8
        url = running_url(tmp_path / "data")
        assert url is not None
        ((_, whole),) = run_sql(url, WHOLE)
        assert whole
        history = run_sql(url, "SELECT version FROM metrics_daily_versions ORDER BY version")
        assert history == [(version,) for version in range(1, 8)]
        assert post(one.url, b"{") == 400  # an error of the thread beside the loop arrives as one
        assert post(one.url, b'{"date": "2026-13-45"}') == 422
        assert "Traceback" not in one.printed.read_text()


def test_the_same_post_from_two_sides_is_stored_once(database_url: str) -> None:
    one = prepared(1)
    pool = Pool(database_url, 4)
    with ThreadPoolExecutor(4) as threads:
        verdicts = list(threads.map(lambda _: snapshots.store(pool, one), range(4)))
    pool.close()
    assert sorted(verdicts) == [Verdict.SAME, Verdict.SAME, Verdict.SAME, Verdict.STORE]
    assert run_sql(database_url, "SELECT count(*) FROM metrics_daily_versions") == [(0,)]


@pytest.mark.parametrize(
    "text", ["plain", "", "NULL", 'a"b', "a\\b", "{a,b}", "\u2014 \U0001f600", "a'b", "%s", "a\nb"]
)
def test_array_literals(database_url: str, text: str) -> None:
    connection = psycopg2.connect(database_url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text[]", (text_array([text, None, text]),))
        assert cursor.fetchone() == ([text, None, text],)
        cursor.execute("SELECT %s::numeric[]", (array(["1.50", "-2"]),))
        assert [str(value) for value in (cursor.fetchone() or ([],))[0]] == ["1.50", "-2"]
    connection.close()


def test_the_rollback_keeps_snapshots(database_url: str) -> None:
    pool = Pool(database_url, 1)
    snapshots.store(pool, prepared(1))
    pool.close()
    with pytest.raises(migrate.MigrationError, match="holds snapshots"):
        migrate.rollback_to(database_url, "0006.notices")
    assert run_sql(database_url, WHOLE) == [("1", True)]
