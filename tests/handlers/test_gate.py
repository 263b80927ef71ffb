"""No more are in hand at once than there are places, and whoever waits longest comes next."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from handlers.gate import Gate
from tests.processes import wait_until


def test_there_are_never_more_than_places() -> None:
    gate, inside, most = Gate(3), [0], [0]
    lock = threading.Lock()

    def visit(_: int) -> None:
        with gate:
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            threading.Event().wait(0.001)
            with lock:
                inside[0] -= 1

    with ThreadPoolExecutor(16) as visitors:
        list(visitors.map(visit, range(200)))
    assert (inside, most) == ([0], [3])


def test_they_come_in_the_order_of_their_waiting() -> None:
    gate, came = Gate(1), list[int]()

    def visit(number: int) -> None:
        with gate:
            came.append(number)

    with ThreadPoolExecutor(8) as visitors, gate:
        for number in range(8):
            visitors.submit(visit, number)
            wait_until(lambda expected=number + 1: len(gate._waiting) == expected, 30, "one more that waits")  # type: ignore[misc]
    assert came == list(range(8))


def test_who_fails_makes_room() -> None:
    gate = Gate(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), gate:
            raise ZeroDivisionError
    with gate:
        pass
