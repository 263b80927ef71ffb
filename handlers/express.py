"""The webhook's express lane: an alert that goes well passes without Flask's machinery for requests.

That machinery costs as much as reading and checking the alert. What is decided about an alert is decided by
`handlers.signals.take`, here as there; whatever goes wrong is answered by Flask, in the one shape of errors.
"""

import re
import time
from collections.abc import Iterable
from typing import Any, Final

from flask import Flask, g

from errors import Overloaded
from handlers import signals
from handlers.middleware import answers, headers, metrics, request_id
from handlers.services import Services
from state import jsontext

Environ = dict[str, Any]

_PATH: Final = "/api/automated-signals/webhook"
_ADDRESS: Final = re.compile(rf"{_PATH}(?:/(?P<secret>[!-.0-~]+))?")


def install(app: Flask, here: Services) -> None:
    """Let alerts pass before Flask; every other request, and every address that is not plain, goes to it."""
    through_flask = app.wsgi_app

    def wsgi(environ: Environ, start_response: Any) -> Iterable[bytes]:
        address = _ADDRESS.fullmatch(environ["PATH_INFO"])
        if address is None or environ["REQUEST_METHOD"] != "POST" or environ.get("QUERY_STRING"):
            return through_flask(environ, start_response)
        return _take(app, here, environ, start_response, address["secret"])

    app.wsgi_app = wsgi  # type: ignore[method-assign]


def _take(app: Flask, here: Services, environ: Environ, start_response: Any, secret: str | None) -> Iterable[bytes]:
    arrived, name = time.perf_counter(), request_id.name_of(environ)
    status, more = "200 OK", []
    try:
        told = signals.take(here, environ, secret)
    except Overloaded as error:  # many come at once, and each must hear of it in time
        status, more = "503 SERVICE UNAVAILABLE", [("Retry-After", str(error.retry_after))]
        told = answers.refused(error.code, error.message, name)
    except Exception as error:  # noqa: BLE001 - as in Flask, whose handler logs and answers what nobody expected
        with app.request_context(environ):
            g.request_id, g.arrived = name, arrived
            return app.finalize_request(app.handle_user_exception(error))(environ, start_response)
    body = jsontext.dump(told).encode()
    rule = _PATH if secret is None else f"{_PATH}/<secret>"
    metrics.count("POST", rule, int(status[:3]), arrived)
    own = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("X-Request-Id", name),
    ]
    start_response(status, [*own, *more, *headers.SECURITY])
    return [body]
