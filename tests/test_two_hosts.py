"""Two servers with folders of their own on one database: what must be exact is exact over both."""

import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from database import migrate
from tests.conftest import run_sql, url_for
from tests.jobs.counting import start
from tests.pgbouncer import through
from tests.processes import ROOT, Server, wait_until
from tests.proxy import Proxy, proxy

WEBHOOK = "/api/automated-signals/webhook"
TELEMETRY = json.loads((ROOT / "test_telemetry_payload.json").read_text())
SENDERS = 6
RESERVE = "/api/governance/risk/check-and-reserve"
SWITCH = "/api/governance/go-live/kill-switch"


class Hosts(NamedTuple):
    """Two servers, the database that both use, and the way that leads there."""

    one: Server
    two: Server
    url: str
    way: Proxy

    def sql(self, query: str) -> list[tuple[object, ...]]:
        return run_sql(self.url, query)

    def number(self, query: str) -> int:
        found = self.sql(query)[0][0]
        assert isinstance(found, int)
        return found


@pytest.fixture(scope="module")
def hosts(server: str, pooler: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Both start at once on a database in which nothing was ever done, so both want to migrate it."""
    run_sql(server, "CREATE DATABASE two_hosts")
    folder, url = tmp_path_factory.mktemp("hosts"), url_for(server, "two_hosts")
    with proxy(url if pooler is None else through(pooler, url)) as way:
        urls = {"DATABASE_URL": way.url, "DATABASE_URL_DIRECT": url}
        one, two = (Server(folder / name, urls) for name in ("one", "two"))
        try:
            for started in (one, two):
                started.launch()
            for started in (one, two):
                wait_until(started.answers, 60, "the server's first answer")
            yield Hosts(one, two, url, way)
        finally:
            for started in (one, two):
                started.end()
    run_sql(server, "DROP DATABASE two_hosts WITH (FORCE)")


def post(one: Server, path: str, body: Any) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=20)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        found = json.loads(answer.read())
        assert answer.status == 200, found
        return found
    finally:
        connection.close()


def to_both(hosts: Hosts, path: str, bodies: list[Any]) -> list[tuple[Any, Any]]:
    """Post every body to both servers at the same moment; returns both answers to each."""
    together = threading.Barrier(2)

    def send(one: Server, body: Any) -> Any:
        together.wait(30)
        return post(one, path, body)

    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        answers = [(first.submit(send, hosts.one, body), second.submit(send, hosts.two, body)) for body in bodies]
        return [(one.result(), two.result()) for one, two in answers]


def alerts(name: str, each: int) -> list[dict[str, Any]]:
    """Alerts that carry their own time, and such as do not and are the same only for a while."""
    timed = [{**TELEMETRY, "trade_id": f"{name}-timed-{n}"} for n in range(each)]
    return timed + [{"type": "ENTRY", "signal_id": f"{name}-{n}", "entry_price": 20500} for n in range(each)]


def test_two_that_start_at_once_migrate_once(hosts: Hosts) -> None:
    assert migrate.pending(hosts.url) == []
    logged = "SELECT count(*), count(DISTINCT migration_id) FROM _yoyo_log WHERE operation = 'apply'"
    assert hosts.sql(logged) == [(len(migrate.names()), len(migrate.names()))]


def test_an_alert_that_comes_to_both_at_once_is_one_row(hosts: Hosts) -> None:
    answers = to_both(hosts, WEBHOOK, alerts("same", 20))
    assert all(one["event_id"] == two["event_id"] for one, two in answers)
    assert [sum("duplicate" in answer for answer in pair) for pair in answers] == [1] * 40
    stored = "SELECT count(*), count(DISTINCT trade_id) FROM automated_signals WHERE trade_id LIKE 'same-%'"
    assert hosts.sql(stored) == [(40, 40)]
    assert hosts.number("SELECT count(*) FROM receipt WHERE kind = 'repeat' AND trade_id LIKE 'same-%'") == 40


def test_a_cap_admits_just_what_fits_over_both(hosts: Hosts) -> None:
    ask = {"engine": "CAPITAL", "amount": 27.5, "actor": "test"}
    with ThreadPoolExecutor(SENDERS) as senders:
        answers = list(senders.map(lambda one: post(one, RESERVE, ask), [hosts.one, hosts.two] * 20))
    assert sum(answer["ok"] for answer in answers) == 27  # 27 x 27.5 = 742.5 of 750
    ledger = hosts.sql("SELECT exposure_used, actions_count FROM risk_ledger_day WHERE engine = 'CAPITAL'")
    assert [(float(str(used)), actions) for used, actions in ledger] == [(742.5, 27)]


def test_no_reserve_commits_anywhere_once_the_switch_has_answered(hosts: Hosts) -> None:
    caps = dict.fromkeys(("max_daily_loss", "max_daily_exposure", "max_open_risk"), 10**9)
    for engine in ("GLOBAL", "WHOLESALE"):
        opened = {"engine": engine, "enabled": True, "changed_by": "test", "reason": "test", **caps}
        post(hosts.one, "/api/governance/risk/policies/upsert", opened)
    stop, ask = threading.Event(), {"engine": "WHOLESALE", "amount": 1, "actor": "test"}
    reserved = "SELECT count(*) FROM risk_reservation WHERE engine = 'WHOLESALE'"

    def reserve(one: Server) -> None:
        while not stop.is_set():
            post(one, RESERVE, ask)

    with ThreadPoolExecutor(SENDERS) as senders:
        under_way = [senders.submit(reserve, one) for one in [hosts.one, hosts.two] * (SENDERS // 2)]
        try:
            late = [_reserved_after_engaging(hosts, flip, reserved) for flip in range(6)]
        finally:
            stop.set()
    for one in under_way:
        one.result()
    assert late == [0] * 6


def _reserved_after_engaging(hosts: Hosts, flip: int, reserved: str) -> int:
    """Engage on one server and release on the other, in turns; how many reserves came in between."""
    here, there = (hosts.one, hosts.two) if flip % 2 else (hosts.two, hosts.one)
    before, who = hosts.number(reserved), {"actor": "test", "reason": "test"}
    wait_until(lambda: hosts.number(reserved) >= before + 8, 20, "reserves on both servers")
    post(here, f"{SWITCH}/engage", who)
    engaged = hosts.number(reserved)
    # several requests of every sender meet the switch on both servers in this time
    denials = "SELECT count(*) FROM risk_event WHERE action = 'DENY'"
    refused = hosts.number(denials)
    wait_until(lambda: hosts.number(denials) >= refused + 4 * SENDERS, 20, "refusals on both servers")
    late = hosts.number(reserved) - engaged
    post(there, f"{SWITCH}/release", who)
    return late


def test_both_spools_are_emptied_and_each_alert_is_one_row(hosts: Hosts) -> None:
    bodies = alerts("spooled", 10)
    hosts.way.cut()
    try:
        answers = to_both(hosts, WEBHOOK, bodies)
    finally:
        hosts.way.mend()
    assert {answer["durable"] for pair in answers for answer in pair} == {"spool"}
    stored = "SELECT count(*) FROM automated_signals WHERE trade_id LIKE 'spooled-%'"
    repeats = "SELECT count(*) FROM receipt WHERE kind = 'repeat' AND trade_id LIKE 'spooled-%'"
    wait_until(lambda: hosts.number(repeats) >= len(bodies), 30, "both spools to be empty")
    assert (hosts.number(stored), hosts.number(repeats)) == (len(bodies), len(bodies))


def test_a_job_that_both_start_at_once_runs_once(database_url: str, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    environments = [{"DATABASE_URL": database_url, "ALERTBOOK_DATA_DIR": str(folder)} for folder in folders]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        started = [processes.submit(start, environment, True) for environment in environments]
        results = [job.result() for job in started]
    assert sorted("skipped" in result for result in results) == [False, True]
    written = [folder / "runs.txt" for folder in folders]
    assert sum(len(path.read_text().splitlines()) for path in written if path.exists()) == 1
