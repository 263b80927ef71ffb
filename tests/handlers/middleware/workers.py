"""Worker processes for tests of the metrics. Imports nothing: the folder must be known before the first import."""

import os
from typing import Any


def serve(folder: str, requests: int) -> None:
    """Answer so many requests, one of ten of them for an unknown address."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    from settings import load
    from web_server import create_app

    client = create_app(load({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})).test_client()
    for number in range(requests):
        assert client.get("/nowhere" if number % 10 == 0 else "/healthz").status_code in (200, 404)


def ask(folder: str, answers: Any) -> None:
    """The numbers as any one worker sees them."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    from handlers.middleware.metrics import traffic

    answers.put(traffic())
