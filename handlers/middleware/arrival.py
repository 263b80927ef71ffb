"""How long a request has lain in the system's queue before the server came to it, and whether anybody still waits."""

import socket
import struct
from typing import Any, Final, NamedTuple

#: Of Linux' tcp_info: the connection's state, and how many milliseconds ago its last bytes came.
_TCP_INFO: Final = struct.Struct("=B51xI")
_CLOSED_BY_PEER: Final = 8


class Arrival(NamedTuple):
    """Seconds since the last bytes came in, and whether the sender has hung up since."""

    waited: float
    hung_up: bool


_UNKNOWN: Final = Arrival(0.0, hung_up=False)


def arrival_of(environ: dict[str, Any]) -> Arrival:
    """What the system tells of a request's connection; nothing waited where it does not tell (Linux does, of TCP)."""
    connection: socket.socket | None = environ.get("gunicorn.socket")
    if connection is None or not hasattr(socket, "TCP_INFO"):
        return _UNKNOWN
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    except OSError:
        return _UNKNOWN
    if len(told) < _TCP_INFO.size:
        return _UNKNOWN
    state, milliseconds = _TCP_INFO.unpack(told)
    return Arrival(milliseconds / 1000, hung_up=state == _CLOSED_BY_PEER)
