"""What the pages cost over a million stored events: ./dev bench pages.

The real server over a PostgreSQL filled by `bench.fill`. Each figure is the median of some rounds, in milliseconds
until the whole page has come: `after_alert` as the first look after an alert, which reads everything anew, and
`again` as the next look, which may be answered from what was just read.
"""

import json
import time
from statistics import median
from typing import Any, Final

import click

from bench import report
from bench.reads import Client, book
from bench.telemetry import Server

EVENTS: Final = 1_000_000
#: A new process counts the totals anew beside its first answers.
SETTLE_SECONDS: Final = 30
#: (what, address, the most that it may take in milliseconds, if anything was promised)
PAGES: Final = (
    ("Today, 30 days", "", 100),
    ("Today, a year", "?days=365", None),
    ("Today's feed", "/today/feed", 100),
    ("Today's state", "/today/state", 100),
    ("Trades", "/trades", None),
    ("Trades by result", "/trades?sort=r", None),
    ("Analysis, 90 days", "/analysis", None),
    ("Analysis, all", "/analysis?from=2020-01-01", None),
    ("Intake", "/intake", None),
    ("Governance", "/governance", None),
)


@click.command()
@click.option("--rounds", default=7, show_default=True)
def main(rounds: int) -> None:
    """Measure the pages over a million events."""
    lines: list[dict[str, Any]] = []
    with book(EVENTS) as url:
        server = Server(url)
        server.start()
        try:
            page, api = Client(server.port, "/dashboard"), Client(server.port)
            api.get("/stats?from=2099-01-01")  # folds everything
            time.sleep(SETTLE_SECONDS)
            items = json.loads(api.get("/trades?status=ACTIVE,BE_PROTECTED&limit=50")[1])["items"]
            trade_id = min(items, key=lambda trade: abs(trade["event_count"] - 20))["trade_id"]
            trade = api.trade(trade_id)
            for name, path, target in PAGES:
                first, again = [], []
                for _ in range(rounds):
                    api.alert(trade)
                    first.append(page.get(path)[0])
                    again.append(page.get(path)[0])
                row = {"page": name, "after_alert_ms": round(median(first), 1), "again_ms": round(median(again), 1)}
                lines.append({**row, "target_ms": target, "met": "" if target is None else median(first) <= target})
        finally:
            server.kill()
    report.publish("pages", lines)


if __name__ == "__main__":
    main()
