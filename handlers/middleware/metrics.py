"""What is measured of every request, right across all worker processes of a server.

Each worker writes its numbers to files of its own in PROMETHEUS_MULTIPROC_DIR, which the master sets and empties
before it forks; whoever is asked adds up all files. Without that folder (a single process) they are kept in memory.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

from flask import Flask, Response, g, request
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, Metric, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

#: Upper bounds in seconds, each about a quarter above the one before: a quantile read from them is at most 12% off.
BUCKETS: Final = tuple(round(0.0005 * 1.25**step, 7) for step in range(48))

REQUESTS: Final = Counter(
    "alertbook_requests", "Requests answered, by route, method and status.", ["method", "route", "status"]
)
SECONDS: Final = Histogram(
    "alertbook_request_seconds", "Seconds from a request's arrival to its answer.", ["route"], buckets=BUCKETS
)


@dataclass(frozen=True, slots=True)
class Traffic:
    """All requests since the server started: how many, how many failed (status 500 and above), how long they took.

    The quantiles are milliseconds, None before the first request.
    """

    requests_total: int
    errors_total: int
    p50_ms: float | None
    p95_ms: float | None


def install(app: Flask) -> None:
    """Measure each request."""

    @app.after_request
    def count_answer(response: Response) -> Response:
        # the rule, never the path: a path may hold the webhook's secret
        rule = request.url_rule
        count(request.method if rule else "ANY", rule.rule if rule else "(no route)", response.status_code, g.arrived)
        return response


def count(method: str, route: str, status: int, arrived: float) -> None:
    """Count an answer and time it, from its request's arrival (of `time.perf_counter`) to now."""
    answered, took = _measures(method, route, status)
    answered.inc()
    took.observe(time.perf_counter() - arrived)


@cache
def _measures(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """What counts and what times the answers of one kind: there are as many as routes, methods and statuses."""
    return REQUESTS.labels(method, route, str(status)), SECONDS.labels(route)


def all_workers() -> Collector:
    """The numbers of every worker of this server, those that ended included."""
    if values.ValueClass is values.MutexValue:
        return REGISTRY
    registry = CollectorRegistry()
    return MultiProcessCollector(registry)  # type: ignore[no-untyped-call]


class _Requests(Collector):
    """Of all that the workers keep, the requests alone."""

    def collect(self) -> Iterator[Metric]:
        for family in all_workers().collect():
            if family.name in ("alertbook_requests", "alertbook_request_seconds"):
                yield family


def exposition() -> bytes:
    """Requests and their times of all workers, in Prometheus' text format."""
    return generate_latest(_Requests())


def traffic() -> Traffic:
    """What all workers together have answered since the server started."""
    requests = errors = 0.0
    buckets: dict[float, float] = {}
    for family in _Requests().collect():
        for sample in family.samples:
            if sample.name == "alertbook_requests_total":
                requests += sample.value
                errors += sample.value if sample.labels["status"] >= "500" else 0
            elif sample.name == "alertbook_request_seconds_bucket":
                bound = float(sample.labels["le"])
                buckets[bound] = buckets.get(bound, 0.0) + sample.value
    counted = sorted(buckets.items())
    return Traffic(int(requests), int(errors), quantile_ms(counted, 0.50), quantile_ms(counted, 0.95))


def quantile_ms(counted: Iterable[tuple[float, float]], share: float) -> float | None:
    """The quantile in milliseconds of cumulative counts by upper bound in seconds, linear within a bucket.

    None without observations; beyond the last finite bound it is that bound. Source: Prometheus histogram_quantile.
    """
    steps = [(0.0, 0.0), *counted]
    if len(steps) < 2 or not steps[-1][1]:
        return None
    rank = share * steps[-1][1]
    for (low, below), (high, upto) in pairwise(steps):
        if upto >= rank and upto > below:
            if high == float("inf"):
                return round(low * 1000, 3)
            return round((low + (high - low) * (rank - below) / (upto - below)) * 1000, 3)
    return None
