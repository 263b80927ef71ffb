"""What must hold after every fault, whatever it was."""

import json
import subprocess
import time
from collections import Counter
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from database.embedded import binary, running_url
from tests.conftest import run_sql
from tests.faults.senders import SECRET, Senders, Sent, alert, send
from tests.processes import Server, wait_until

HEALTHY_SECONDS = 30


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


def verify(one: Server, senders: Senders) -> Counter[str]:
    """Nothing answered was lost, nothing is there twice, order is kept, no secret is anywhere; all well again soon."""
    wait_until(lambda: healthy(one), HEALTHY_SECONDS, "everything to be healthy again")
    rows = run_sql(url_of(one), "SELECT trade_id, count(*), min(received_at) FROM automated_signals GROUP BY 1")
    counts = {str(trade_id): count for trade_id, count, _ in rows}
    received = {str(trade_id): str(at) for trade_id, _, at in rows}
    lost = [sent.id for sent in senders.sent if sent.accepted and sent.id not in counts]
    assert lost == []
    assert {trade_id: count for trade_id, count in counts.items() if count != 1} == {}
    for journal in senders.journals:
        stored = [sent.id for sent in journal if sent.id in received and len(sent.statuses) == 1]
        assert stored == sorted(stored, key=lambda sent_id: received[sent_id])
    assert_no_secret(one)
    return tell(senders)


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
