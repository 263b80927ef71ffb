"""A way to a database that can be cut and mended, as a network can."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import parse_qs, unquote, urlsplit

from tests.processes import free_port


class Proxy:
    """Passes a TCP port of the loopback address on to a database's unix socket, until it is cut."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        asked = parse_qs(parts.query)
        self._target = f"{unquote(asked['host'][0])}/.s.PGSQL.{asked['port'][0]}"
        self._port = free_port()
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.url = f"postgresql://{parts.username}@127.0.0.1:{self._port}{parts.path}"

    def mend(self) -> None:
        """Listen, and pass on what comes."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse whoever comes, and end every connection there is."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # closing alone would leave the thread that waits in accept, and with it the port, as they are
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            ending, self._open = self._open, set()
        for one in ending:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            database = socket.socket(socket.AF_UNIX)
            database.connect(self._target)
            with self._lock:
                self._open |= {client, database}
            for source, sink in ((client, database), (database, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        """Pass on until one side ends; each direction closes the socket that it reads from."""
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
        source.close()


@contextmanager
def proxy(url: str) -> Iterator[Proxy]:
    """A mended way to the database of this URL, cut at the end."""
    one = Proxy(url)
    one.mend()
    try:
        yield one
    finally:
        one.cut()
