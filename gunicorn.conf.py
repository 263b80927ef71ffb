"""How the server runs. gunicorn picks this file up by its name, from the folder it starts in.

Everything that needs threads or blocks (the embedded database, migrations) happens in the master, before
the fork and without gevent's patches; a worker only ever connects.
"""

import ctypes
import json
import logging
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

# Pure libraries that each worker imports: read once here, so that the successor of a killed worker serves sooner.
# They neither connect to anything nor keep threads; the product itself is imported after gevent's patches.
# Never prometheus_client: at its import it looks for the folder that on_starting makes, and without it counts alone.
import aiosql  # noqa: F401
import flask_smorest  # noqa: F401
import gevent
import structlog  # noqa: F401
from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.workers.ggevent import GeventWorker

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

import database.queries  # noqa: E402, F401 - reading them takes a fifth of a worker's start
from database import migrate  # noqa: E402
from database.embedded import EmbeddedPostgres, EmbeddedPostgresError  # noqa: E402
from errors import SettingsError  # noqa: E402
from settings import Settings, load  # noqa: E402

#: Set by `python web_server.py` and `./dev serve`: this server brings its database up to date by itself.
MIGRATE_AT_START = "ALERTBOOK_MIGRATE_AT_START"
_PR_SET_PDEATHSIG = 1
#: At a stop, how long a request that is just arriving may still become one.
IDLE_GRACE_SECONDS = 0.5


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _refuse(reason: str, code: int) -> NoReturn:
    """End the start with one sentence instead of a traceback."""
    sys.stderr.write(f"alertbook cannot start: {reason}\n")
    raise SystemExit(code)


def _load_settings() -> Settings:
    try:
        settings = load(os.environ)
        settings.require_keys()
    except SettingsError as error:
        _refuse(str(error), 2)
    return settings


_settings = _load_settings()

#: Where each worker writes its numbers: read by prometheus_client when it is first imported, in the workers.
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_host = _settings.host.strip("[]")

chdir = str(ROOT)
bind = [f"[{_host}]:{_settings.port}" if ":" in _host else f"{_host}:{_settings.port}"]
wsgi_app = "web_server:create_app()"
proc_name = "alertbook"


class Worker(GeventWorker):  # type: ignore[misc]
    """gunicorn's gevent worker, except that its end does not wait for connections with no request on them.

    With a keepalive of 75 s a single open browser would otherwise hold every stop for all of graceful_timeout.
    """

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Around the wait for a connection's next request."""
        waiting = (gevent.getcurrent(), gevent.Timeout(self.cfg.keepalive, False))
        with waiting[1]:
            self._idle().add(waiting)
            try:
                yield
            finally:
                self._idle().discard(waiting)

    def _idle(self) -> set[tuple[Any, Any]]:
        idle: set[tuple[Any, Any]] = self.__dict__.setdefault("idle_connections", set())
        return idle

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        gevent.spawn_later(IDLE_GRACE_SECONDS, self._drop_idle)

    def _drop_idle(self) -> None:
        for greenlet, keepalive_over in list(self._idle()):
            greenlet.throw(keepalive_over)


class _Response(wsgi.Response):  # type: ignore[misc]
    """gunicorn's response, except that head and body of an answer of known length leave together.

    Sent apart they are two calls and two packets, and the sender is woken for the head alone.
    """

    headers_sent: bool
    _head = b""
    _together = True

    def send_headers(self) -> None:
        if self._together and self.response_length and not self._omits_body and not self.headers_sent:
            lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
            self._head, self.headers_sent = "".join(lines).encode("latin-1"), True
        else:
            super().send_headers()

    def _emit_body(self, data: bytes) -> None:
        head, self._head = self._head, b""
        super()._emit_body(head + data)

    def sendfile(self, respiter: Any) -> bool:
        self._together = False  # the system sends the file past `_emit_body`
        return bool(super().sendfile(respiter))

    def close(self) -> None:
        if self._head:  # the body did not come
            self._emit_body(b"")
        super().close()


# gunicorn has no setting for it
wsgi.Response = _Response


def _write_error(connection: Any, status: int, reason: str, message: str) -> None:
    """A request that is no HTTP is answered in the product's shape, without what was sent: it may hold a secret."""
    status, reason = (400, "Bad Request") if status == 501 else (status, reason)
    ours = status >= 500
    sentence = "Something went wrong here." if ours else f"This is not a request that can be understood: {reason}."
    code = "INTERNAL_ERROR" if ours else "MALFORMED_REQUEST"
    shape = {"success": False, "ok": False, "error": sentence, "code": code, "details": []}
    request_id = uuid.uuid4().hex
    body = json.dumps({**shape, "request_id": request_id}).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nX-Request-Id: {request_id}\r\nX-Content-Type-Options: nosniff\r\n"
        "X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n"
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n\r\n"
    )
    util.write_nonblock(connection, head.encode("latin-1") + body)


# gunicorn has no setting for it, and its own page repeats the request line
util.write_error = _write_error

worker_class = Worker
workers = _settings.web_concurrency
worker_connections = 4000
# as many as Linux keeps by default: alerts that come at once wait here, not for a second try of their connection
backlog = 4096
keepalive = 75
timeout = 60
graceful_timeout = 25

preload_app = False
reuse_port = False
control_socket_disable = True
# an access log would hold the webhook's secret, which TradingView can only send in the path
accesslog = None
loglevel = "info" if _settings.log_level == "DEBUG" else "warning"


class _WithoutSecrets(logging.Filter):
    """Masks what follows the webhook's path in gunicorn's own messages about broken requests."""

    _path = re.compile(r"(/api/automated-signals(?:/webhook)?/)[^\s?'\"]+")

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._path.sub(r"\1***", record.getMessage()), ()
        return True


def on_starting(server: Any) -> None:
    """In the master, before it listens: the port, the database, the migrations."""
    server.log.error_log.addFilter(_WithoutSecrets())
    _refuse_taken_port()
    _make_metrics_folder(server)
    if _settings.platform and _settings.database_url is None:
        sys.stderr.write(
            f"WARNING: {_settings.platform} says that this is a deployment, but DATABASE_URL is unset. Alerts go to "
            f"an embedded database in {_settings.data_dir} and are LOST with this machine's disk at the next deploy. "
            "Add a PostgreSQL service and set DATABASE_URL.\n"
        )
    server.embedded = None
    try:
        if _settings.database_url is None:
            migrate.apply(_start_embedded(server), on_wait=_say)
        elif _settings.database_url_direct and os.environ.get(MIGRATE_AT_START):
            migrate.apply(_settings.database_url_direct, on_wait=_say)
    except (EmbeddedPostgresError, migrate.MigrationError) as error:
        on_exit(server)
        _refuse(str(error), 1)
    except KeyboardInterrupt:
        on_exit(server)
        raise SystemExit(130) from None


def _start_embedded(server: Any) -> str:
    """Start the embedded database and put its URL where the workers read their settings."""
    server.embedded = EmbeddedPostgres(_settings.data_dir)
    url: str = server.embedded.start()
    os.environ["DATABASE_URL"] = url
    return url


def _make_metrics_folder(server: Any) -> None:
    """An empty folder for the workers' numbers: one of its own, or the operator's, rid of an earlier server's files."""
    given = os.environ.get(METRICS_FOLDER)
    server.metrics = None if given else tempfile.mkdtemp(prefix="alertbook-metrics-")
    os.environ[METRICS_FOLDER] = given or str(server.metrics)
    Path(os.environ[METRICS_FOLDER]).mkdir(parents=True, exist_ok=True)
    for old in Path(os.environ[METRICS_FOLDER]).glob("*.db"):
        old.unlink()


def _refuse_taken_port() -> None:
    """gunicorn itself tries for five seconds and after the database has been started."""
    if "GUNICORN_FD" in os.environ or "LISTEN_FDS" in os.environ:
        return
    try:
        address = socket.getaddrinfo(_host, _settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(address[0], socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address[4])
            probe.listen(1)
    except OSError as error:
        _refuse(f"{bind[0]} cannot be used ({error.strerror}): stop what uses it, or set HOST and PORT.", 1)


def when_ready(server: Any) -> None:
    """In the master, once it listens."""
    signal.signal(signal.SIGINT, _stop_gently(server))
    _say(_banner(server))


def _stop_gently(server: Any) -> Any:
    """Ctrl-C finishes the requests under way, as SIGTERM does; the second one does not wait for them."""

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, server.signal)
        server.signal(signal.SIGTERM, frame)

    return handle


def post_fork(server: Any, worker: Any) -> None:
    """In each worker: psycopg2 waits through gevent, and the master's end is the worker's too."""
    _end_when_told(server)
    from psycogreen.gevent import patch_psycopg

    patch_psycopg()
    _end_with_the_master()


def _end_when_told(server: Any) -> None:
    """Until a worker has handlers of its own it has the master's, which only note a signal for the master's loop: told
    to end while it boots, it would go on, and the master would wait for it until graceful_timeout."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    while not server.SIG_QUEUE.empty():  # what came between the fork and now
        if server.SIG_QUEUE.get_nowait() in (signal.SIGTERM, signal.SIGQUIT):
            os._exit(0)


def _end_with_the_master() -> None:
    """Ask Linux for a SIGTERM when the master is gone; elsewhere gunicorn's own look once a second has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def post_worker_init(worker: Any) -> None:
    """The terminal sends Ctrl-C to every process; the master decides when a worker ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    services = worker.wsgi.extensions["alertbook"]
    services.caretaker.start()
    services.folder.start()
    services.counter.warm()
    # within the worker: what the master imports stays unpatched
    from handlers.builder.desk import settle_at_start
    from jobs import start_behind

    settle_at_start(services)
    # not the settings read at the start: the embedded database's address came after them
    worker.behind = start_behind(load(os.environ))


def worker_exit(server: Any, worker: Any) -> None:
    """What the worker has counted and not yet reported is reported."""
    for background in getattr(worker, "behind", ()):
        background.stop()
    if getattr(worker, "wsgi", None) is not None:
        worker.wsgi.extensions["alertbook"].close()


def child_exit(server: Any, worker: Any) -> None:
    """In the master, when a worker has ended: what it counted stays, what it was doing does not."""
    for live in Path(os.environ[METRICS_FOLDER]).glob(f"gauge_live*_{worker.pid}.db"):
        live.unlink(missing_ok=True)


def on_exit(server: Any) -> None:
    """In the master, when the workers are gone: the database ends last."""
    if getattr(server, "metrics", None) is not None:
        shutil.rmtree(server.metrics, ignore_errors=True)
    if getattr(server, "embedded", None) is not None:
        server.embedded.stop()


def _banner(server: Any) -> str:
    url = f"http://{bind[0]}"
    for everywhere in ("0.0.0.0", "[::]"):
        url = url.replace(f"//{everywhere}:", "//localhost:")
    lines = ["", f"Alertbook is ready: {url}  (stop with Ctrl-C)"]
    if server.embedded is not None:
        lines.append(f"  data: {server.embedded.data_dir} (embedded PostgreSQL)")
    else:
        lines.append("  data: the database that DATABASE_URL names")
    if _settings.missing_keys:
        lines.append(f"  open without a key, to this machine only: {', '.join(_settings.missing_keys)} unset")
    else:
        lines.append("  keys: all set")
    if server.embedded is not None and server.embedded.opened:
        folders = ", ".join(map(str, server.embedded.opened))
        lines.append(f"  opened for passing through, so that the database's account reaches its files: {folders}")
    secret = "/$WEBHOOK_SECRET" if _settings.webhook_secrets else ""
    lines += [
        "  try:",
        f"  curl -X POST {url}/api/automated-signals/webhook{secret} "
        '-H "Content-Type: application/json" -d @test_telemetry_payload.json',
        "",
    ]
    return "\n".join(lines)
