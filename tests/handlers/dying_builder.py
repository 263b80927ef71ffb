"""A process that applies drafts and ends itself before a chosen step, for tests of what is left of an apply.

It reads lines "<task> <step>" and answers each with the exit code of a fork that applied the task: -9 when the fork
met that step.
"""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from settings import load
from web_server import create_app

#: What changes a disk, or makes a change last.
STEPS = ("mkdir", "replace", "rmdir", "unlink", "fsync")


def main() -> None:
    app = create_app(load(os.environ))
    for line in sys.stdin:
        task_id, step = map(int, line.split())
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            die_before(step)
            answer = app.test_client().post("/api/builder/apply", json={"task_id": task_id})
            os._exit(0 if answer.status_code == 200 else 1)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def die_before(step: int) -> None:
    """Let all steps but the chosen one happen."""
    counted = count(1)

    def stepping(act: Callable[..., Any]) -> Callable[..., Any]:
        def taken(*args: Any, **kwargs: Any) -> Any:
            if next(counted) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return act(*args, **kwargs)

        return taken

    for name in STEPS:
        setattr(os, name, stepping(getattr(os, name)))


if __name__ == "__main__":
    main()
