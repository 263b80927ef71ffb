"""After any intakes, reversals and repeats over several processes, every balance is the fold of the ledger."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from multiprocessing import get_context
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database import capital
from database.pool import Pool
from state.capital import balances
from tests.conftest import run_sql
from tests.handlers.ledger_worker import send
from tests.handlers.test_signals import read_json

INTAKE = "/api/capital/intake"
PROCESSES = 3
Request = tuple[str, dict[str, Any], str | None]

amounts = st.decimals(Decimal("-1e6"), Decimal("1e6"), places=2).filter(bool)
intakes = st.tuples(st.sampled_from(["fx", "flip"]), st.sampled_from(["CAD", "USD"]), amounts)


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as made:
        yield made


def everywhere(processes: ProcessPoolExecutor, url: str, requests: list[Request]) -> list[tuple[int, Any]]:
    """Send the same requests from every process at once, each in another order."""
    step = max(1, len(requests) // PROCESSES)
    turned = [requests[number * step :] + requests[: number * step] for number in range(PROCESSES)]
    jobs = [processes.submit(send, url, mine) for mine in turned]
    return [answer for job in jobs for answer in job.result()]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(intakes, min_size=1, max_size=6), undone=st.sets(st.integers(0, 5)), keyed=st.booleans())
def test_balances_are_the_fold_of_the_ledger(
    client: FlaskClient,
    database_url: str,
    processes: ProcessPoolExecutor,
    made: list[tuple[str, str, Decimal]],
    undone: set[int],
    keyed: bool,
) -> None:
    run_sql(database_url, "TRUNCATE capital_intake")
    requests: list[Request] = [
        (INTAKE, {"source": source, "currency": currency, "amount": amount, "note": "n"}, f"key-{number}")
        for number, (source, currency, amount) in enumerate(made)
    ]
    answers = everywhere(processes, database_url, requests)
    assert {status for status, _ in answers} == {201}
    ids = sorted({record["id"] for _, record in answers})
    assert len(ids) == len(made)
    chosen = [ids[number] for number in undone if number < len(ids)]
    reversals: list[Request] = [(f"{INTAKE}/{row}/reverse", {}, f"undo-{row}" if keyed else None) for row in chosen]
    statuses = [status for status, _ in everywhere(processes, database_url, reversals)]
    assert statuses.count(201) == len(chosen) * (PROCESSES if keyed else 1)
    assert set(statuses) <= ({201} if keyed else {201, 409})
    _agree(client, database_url, answers, chosen)


def _agree(client: FlaskClient, url: str, answers: list[tuple[int, Any]], undone: list[int]) -> None:
    left = {record["id"]: record for _, record in answers if record["id"] not in undone}
    expected: dict[tuple[str, str], Decimal] = {}
    for record in left.values():
        place = (record["source"], record["currency"])
        expected[place] = expected.get(place, Decimal(0)) + record["amount"]
    pool = Pool(url, 1)
    entries = capital.select_entries(pool)
    pool.close()
    assert len(entries) == len({record["id"] for _, record in answers}) + len(undone)
    folded = {place: total for place, total in balances(entries).items() if total}
    assert folded == {place: total for place, total in expected.items() if total}
    trends = read_json(client.get("/api/capital/trends?bucket=month"))["items"]
    shown = {(item["source"], item["currency"]): item["balance"] for item in reversed(trends)}
    assert {place: total for place, total in shown.items() if total} == folded
    forecast = read_json(client.get("/api/jobs/forecast/month?currency=USD"))
    in_usd = sum((total for (_, currency), total in folded.items() if currency == "USD"), Decimal(0))
    assert forecast["current_total"] == in_usd
