"""The shipped server settings for a baseline's application: same worker class, same numbers, nothing of ours else."""

import os
import runpy
from pathlib import Path
from typing import Any

_shipped = runpy.run_path(str(Path(__file__).parents[2] / "gunicorn.conf.py"))
_names = ("bind", "worker_class", "workers", "worker_connections", "keepalive", "timeout", "graceful_timeout")
globals().update({name: _shipped[name] for name in _names})

wsgi_app = os.environ["BASELINE_APP"]
control_socket_disable = True
loglevel = "warning"


def post_fork(server: Any, worker: Any) -> None:
    """psycopg2 waits through gevent, as in the shipped settings."""
    from psycogreen.gevent import patch_psycopg

    patch_psycopg()
