"""What storing one full snapshot costs, and where: `python bench/snapshots.py`.

25 KPIs, 6,000 points, 400 extremes and 200 assets, stored again and again through the application and a PostgreSQL
with durable commits; each post is another version of the same date. Prints the median of 20 and of its parts.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from database import migrate, snapshots
from database.embedded import EmbeddedPostgres
from database.pool import Pool
from settings import load
from state import jsontext
from state.newyork import NEW_YORK
from state.snapshot_reading import normalise
from state.snapshot_values import localiser
from web_server import create_app

ROUNDS: Final = 20
OPEN: Final = datetime(2026, 2, 11, 14, 30, tzinfo=UTC)


def sample(round_number: int) -> dict[str, Any]:
    """A snapshot of full size; its values differ from round to round."""
    names = [f"KPI {number}" for number in range(25)]
    item = dict.fromkeys(("metric_raw", "metric_abs", "individual_pnl", "cost_basis", "qty"), 1.5 + round_number)
    return {
        "date": "2026-02-11",
        "updated_at": (OPEN + timedelta(seconds=round_number)).isoformat(),
        "rows": [{"kpi": name, "value": f"${1000 + round_number:,}.56"} for name in names],
        "overlay": {
            "seriesByKpi": {
                name: [
                    {
                        "t": (OPEN + timedelta(minutes=minute)).isoformat()[:-6] + "Z",
                        "v": round(minute / 7 + round_number, 4),
                        "src": "live",
                    }
                    for minute in range(400)
                ]
                for name in names[:15]
            },
            "extremes": {
                "byKpi": {
                    name: {
                        side: [
                            {"trade_id": n, "symbol": "AAPL", "contract_name": "AAPL 250321C185", **item}
                            for n in range(10)
                        ]
                        for side in ("hi", "lo")
                    }
                    for name in names[:20]
                }
            },
            "portfolioAssets": [{"trade_id": n, "symbol": "AAPL", "contract_name": f"AAPL {n}"} for n in range(200)],
        },
    }


def timed(work: Callable[[], Any], into: list[float]) -> Any:
    """What `work` returns; its milliseconds go into the list."""
    started = time.perf_counter()
    result = work()
    into.append((time.perf_counter() - started) * 1000)
    return result


def parts(pool: Pool, body: str, spent: dict[str, list[float]]) -> None:
    """The same work in its parts."""
    value = timed(lambda: jsontext.parse(body, max_keys=600_000), spent["parse"])
    snapshot = timed(lambda: normalise(value, now=datetime.now(UTC), localise=localiser(NEW_YORK)), spent["normalise"])
    prepared = timed(lambda: snapshots.prepare(snapshot), spent["write out"])
    timed(lambda: snapshots.store(pool, prepared), spent["database"])


def main() -> None:
    """Run and print."""
    with tempfile.TemporaryDirectory() as folder:
        postgres = EmbeddedPostgres(Path(folder))
        url = postgres.start()
        try:
            migrate.apply(url)
            app = create_app(load({"DATABASE_URL": url, "ALERTBOOK_DATA_DIR": folder, "LOG_LEVEL": "ERROR"}))
            client = app.test_client()
            bodies = [jsontext.dump(sample(number)) for number in range(2 * ROUNDS + 1)]
            whole: list[float] = []
            for body in bodies[: ROUNDS + 1]:
                answer = timed(lambda body=body: client.post("/v1/internal/trades/snapshot", data=body), whole)
                assert answer.status_code == 200, answer.get_data(as_text=True)
            spent: dict[str, list[float]] = {name: [] for name in ("parse", "normalise", "write out", "database")}
            pool = Pool(url, 2)
            for body in bodies[ROUNDS + 1 :]:
                parts(pool, body, spent)
            sys.stdout.write(f"body {len(bodies[0]):,} bytes\n")
            sys.stdout.write(f"whole post   {statistics.median(whole[1:]):6.1f} ms (median of {ROUNDS})\n")
            for name, times in spent.items():
                sys.stdout.write(f"  {name:<10} {statistics.median(times):6.1f} ms\n")
            pool.close()
        finally:
            postgres.stop()


if __name__ == "__main__":
    main()
