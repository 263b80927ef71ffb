"""What the tests of the snapshot job share: a served application, seeded trades, a view of somebody else's."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import WSGIRequestHandler, make_server

from state import jsontext
from tests.handlers.test_signals import post

DAY = "2025-11-20"


class _Quiet(WSGIRequestHandler):
    def log_request(self, *args: Any) -> None:
        """The server of a test prints nothing."""


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The address at which the application answers, for as long as the block runs."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Seed:
    """One trade that was sent. `exit_at` None: still open."""

    trade_id: str
    long: bool
    entry_at: datetime
    entry: Decimal
    stop: Decimal
    exit_at: datetime | None
    exit_price: Decimal | None


def seeds(number: int = 200) -> list[Seed]:
    """Trades of one New York day, some open, many ending at the same second."""
    chance = random.Random(20251120)
    made = []
    for n in range(number):
        entry_at = datetime(2025, 11, 20, 14, 31, tzinfo=UTC) + timedelta(seconds=chance.randrange(0, 12_000, 60))
        long = chance.random() < 0.5
        entry, risk = Decimal(chance.randrange(10_000, 20_000)) / 100, Decimal(chance.randrange(100, 500)) / 100
        gain = risk * chance.choice((Decimal(-1), Decimal(-1), Decimal(0), Decimal("1.37"), Decimal(2), Decimal("0.3")))
        ended = chance.random() < 0.9
        made.append(
            Seed(
                trade_id=f"seed-{n}",
                long=long,
                entry_at=entry_at,
                entry=entry,
                stop=entry - risk if long else entry + risk,
                exit_at=entry_at + timedelta(seconds=chance.randrange(60, 6_000, 60)) if ended else None,
                exit_price=(entry + gain if long else entry - gain) if ended else None,
            )
        )
    return made


def send(client: FlaskClient, trades: list[Seed]) -> None:
    """Send each trade's alerts through the webhook."""
    for trade in trades:
        about = {"schema_version": "1.0.0", "trade_id": trade.trade_id, "direction": "LONG" if trade.long else "SHORT"}
        alerts: list[dict[str, Any]] = [
            {
                **about,
                "event_type": "ENTRY",
                "event_timestamp": trade.entry_at.isoformat(),
                "entry_price": trade.entry,
                "stop_loss": trade.stop,
                "symbol": "NQ1!",
                "position_size": 2,
            }
        ]
        if trade.exit_at is not None:
            won = abs(trade.exit_price - trade.stop) > abs(trade.entry - trade.stop) if trade.exit_price else False
            even = trade.exit_price == trade.entry
            kind = "EXIT_BREAK_EVEN" if even else "EXIT_TAKE_PROFIT" if won else "EXIT_STOP_LOSS"
            at = trade.exit_at.isoformat()
            alerts.append({**about, "event_type": kind, "event_timestamp": at, "exit_price": trade.exit_price})
        for alert in alerts:
            assert post(client, jsontext.dump(alert)).status_code == 200
