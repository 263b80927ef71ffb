"""Runs baseline (c) as its own command would, with TCP_NODELAY on its socket.

uvicorn's workers take their connections from a socket on which asyncio does not recognise TCP, so that a kept-alive
sender would wait 40 ms for each answer: that is no measure of the design.
"""

import socket
import sys

import uvicorn
from uvicorn.supervisors import Multiprocess


def main() -> None:
    """Serve on the port that the first argument names."""
    config = uvicorn.Config(
        "bench.baselines.asyncio_design:app", port=int(sys.argv[1]), workers=2, log_level="warning", access_log=False
    )
    sock = config.bind_socket()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    Multiprocess(config, sockets=[sock]).run()


if __name__ == "__main__":
    main()
