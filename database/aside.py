"""Long computations beside the event loop: other requests go on being answered meanwhile."""

import sys
import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

from errors import AlertbookError

T = TypeVar("T")


@cache
def _thread() -> Any:
    """This process's one thread for such work: a second would only share the same interpreter lock."""
    from gevent.threadpool import ThreadPool

    return ThreadPool(1)


def patiently(items: Iterable[T], every: int = 100) -> list[T]:
    """The items as a list, made with a turn for others every so often: where gevent runs, a long list of rows is
    read from JSON in the loop's own thread."""
    found: list[T] = []
    for item in items:
        found.append(item)
        if len(found) % every == 0:
            time.sleep(0)
    return found


def aside(work: Callable[[], T]) -> T:
    """What `work` returns, computed in a thread of its own where gevent runs, else right here.

    Python's threads take turns every 5 ms, so the loop waits no longer than that. `work` must compute only: no
    request, no database. Raises what `work` raises.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("socket"):
        return work()

    # A thread's exception would be printed by the hub as if nobody caught it, so ours come back as values.
    def guarded() -> T | AlertbookError:
        try:
            return work()
        except AlertbookError as error:
            return error

    result: T | AlertbookError = _thread().apply(guarded)
    if isinstance(result, AlertbookError):
        raise result
    return result
