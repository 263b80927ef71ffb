"""What must hold after every fault, whatever it was."""

import json
import sqlite3
import subprocess
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psycopg2

from database.embedded import binary, running_url
from tests.conftest import run_sql
from tests.faults.senders import SECRET, Senders, Sent, alert, send
from tests.processes import Server, wait_until

HEALTHY_SECONDS = 30
#: An alert is answered within this time, whatever happens to the database.
ANSWER_SECONDS = 2.0
#: A spool is empty this long after the database takes connections again.
DRAIN_SECONDS = 2.0


def url_of(one: Server) -> str:
    """The address of the server's own database."""
    url = running_url(one.data)
    assert url is not None
    return url


def numbers(one: Server) -> dict[str, object]:
    """What the server says about its intake."""
    with urlopen(f"{one.url}/api/v1/intake", timeout=10) as answer:
        found: dict[str, object] = json.load(answer)
        return found


def healthy(one: Server) -> bool:
    """Ready, with an empty spool, and putting the next alert straight into the database."""
    try:
        with urlopen(f"{one.url}/readyz", timeout=3):
            pass
        spool = numbers(one)["spool"]
    except (URLError, OSError):
        return False
    probe = Sent(f"probe-{time.monotonic_ns()}")
    send(one.url, probe, alert(probe.id))
    return isinstance(spool, dict) and spool["depth"] == 0 and probe.places == ["database"]


def verify(one: Server, senders: Senders, *, answered_within: float | None = ANSWER_SECONDS) -> Counter[str]:
    """Nothing answered was lost, nothing is there twice, order is kept, no secret is anywhere; all well again soon.

    `answered_within` is None where the processes that answer were themselves killed or frozen.
    """
    wait_until(lambda: healthy(one), HEALTHY_SECONDS, "everything to be healthy again")
    summary = tell(senders)
    rows = run_sql(
        url_of(one), "SELECT trade_id, count(*), min(received_at), min(id) FROM automated_signals GROUP BY 1"
    )
    counts = {str(trade_id): count for trade_id, count, *_ in rows}
    received: dict[str, datetime] = {str(trade_id): at for trade_id, _, at, _ in rows}  # type: ignore[misc]
    numbered = {str(trade_id): int(str(number)) for trade_id, *_, number in rows}
    lost = [sent.id for sent in senders.sent if sent.accepted and sent.id not in counts]
    assert lost == []
    assert {trade_id: count for trade_id, count in counts.items() if count != 1} == {}
    for journal in senders.journals:
        stored = [sent.id for sent in journal if sent.id in received and len(sent.statuses) == 1]
        assert stored == sorted(stored, key=lambda sent_id: received[sent_id])
    assert_drained_in_order(senders, received, numbered)
    assert_no_secret(one)
    if answered_within is not None:
        slow = [sent.id for sent in senders.sent for took in sent.seconds_of_answers if took >= answered_within]
        assert slow == []
    return summary


def assert_drained_in_order(senders: Senders, received: dict[str, datetime], numbered: dict[str, int]) -> None:
    """What went to the spool has its numbers in the order of its receipt; only what was still being read when the
    spool was emptied, two seconds at most, can come behind what was received after it."""
    spooled = sorted((sent.id for sent in senders.sent if sent.places == ["spool"]), key=lambda one: numbered[one])
    newest = None
    for one in spooled:
        assert newest is None or received[one] > newest - timedelta(seconds=ANSWER_SECONDS), one
        newest = received[one] if newest is None else max(newest, received[one])


def waiting(one: Server) -> int:
    """How many deliveries the spool holds, read from its file."""
    file = one.data / "spool" / "spool.sqlite"
    if not file.exists():
        return 0
    connection = sqlite3.connect(file, timeout=5)
    try:
        found: int = connection.execute("SELECT count(*) FROM waiting").fetchone()[0]
        return found
    finally:
        connection.close()


def takes_connections(one: Server) -> bool:
    """Whether the database answers a new connection."""
    try:
        run_sql(url_of(one), "SELECT 1")
    except (psycopg2.Error, AssertionError):
        return False
    return True


def assert_drained_soon(one: Server) -> None:
    """From the moment at which the database answers again its spool is empty within DRAIN_SECONDS."""
    wait_until(lambda: takes_connections(one), HEALTHY_SECONDS, "the database")
    back, held = time.monotonic(), waiting(one)
    wait_until(lambda: waiting(one) == 0, HEALTHY_SECONDS, "an empty spool")
    took = time.monotonic() - back
    print(f"{held} spooled, empty {took:.2f} s after the database was back")  # noqa: T201
    assert took < DRAIN_SECONDS


def tell(senders: Senders) -> Counter[str]:
    """How the deliveries of a run were answered; printed, because RELIABILITY.md quotes it."""
    summary: Counter[str] = Counter()
    for sent in senders.sent:
        for status in sent.statuses:
            summary[str(status)] += 1
        for place in sent.places:
            summary[place] += 1
    slowest = max((seconds for sent in senders.sent for seconds in sent.seconds), default=0.0)
    print(f"{dict(summary)} alerts={len(senders.sent)} slowest={slowest:.2f}s")  # noqa: T201
    return summary


def assert_no_secret(one: Server) -> None:
    """The canary is in no dump, no log and no spool."""
    canary = SECRET.encode()
    dump = subprocess.run([binary("pg_dump"), url_of(one)], capture_output=True, check=True).stdout
    assert b"automated_signals" in dump
    assert canary not in dump
    assert canary not in one.printed.read_bytes()
    for path in (*Path(one.data, "spool").glob("*"), Path(one.data, "postgres.log")):
        assert not path.is_file() or canary not in path.read_bytes(), path
