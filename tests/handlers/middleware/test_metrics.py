"""Requests are counted and timed, and the numbers of several processes add up."""

from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from handlers.middleware.metrics import BUCKETS, quantile_ms, traffic
from tests.handlers.middleware import workers


def test_the_numbers_of_all_processes_add_up(tmp_path: Path) -> None:
    spawn = get_context("spawn")
    servers = [spawn.Process(target=workers.serve, args=(str(tmp_path), count)) for count in (20, 30)]
    for process in servers:
        process.start()
    for process in servers:
        process.join()
        assert process.exitcode == 0
    answers = spawn.Queue()
    asker = spawn.Process(target=workers.ask, args=(str(tmp_path), answers))
    asker.start()
    seen = answers.get(timeout=60)
    asker.join()
    assert (seen.requests_total, seen.errors_total) == (50, 0)
    assert 0 < seen.p50_ms <= seen.p95_ms


def test_a_request_is_counted_with_its_status(client: FlaskClient) -> None:
    before = traffic()
    client.get("/healthz")
    client.get("/nowhere")
    after = traffic()
    assert after.requests_total - before.requests_total == 2
    assert after.errors_total == before.errors_total


def test_prometheus_gets_requests_by_route(client: FlaskClient) -> None:
    client.get("/healthz")
    text = client.get("/metrics").get_data(as_text=True)
    assert 'alertbook_requests_total{method="GET",route="/healthz",status="200"}' in text
    assert 'alertbook_request_seconds_bucket{le="+Inf",route="/healthz"}' in text


def test_no_observations_have_no_quantile() -> None:
    assert quantile_ms([], 0.5) is None
    assert quantile_ms([(0.1, 0.0), (float("inf"), 0.0)], 0.5) is None


def test_slower_than_every_bound_is_the_last_bound() -> None:
    assert quantile_ms([(1.0, 0.0), (float("inf"), 4.0)], 0.5) == 1000


@given(st.lists(st.floats(0.0006, 15), min_size=1, max_size=60), st.sampled_from([0.5, 0.95]))
def test_a_quantile_is_within_its_bucket(seconds: list[float], share: float) -> None:
    counts = [sum(value <= bound for value in seconds) for bound in BUCKETS]
    found = quantile_ms([*zip(BUCKETS, counts, strict=True), (float("inf"), len(seconds))], share)
    exact = sorted(seconds)[max(0, -int(-share * len(seconds) // 1) - 1)] * 1000
    assert found == pytest.approx(exact, rel=0.26)


def test_bounds_rise() -> None:
    assert list(accumulate(BUCKETS, max)) == list(BUCKETS)
    assert BUCKETS[-1] > 15
