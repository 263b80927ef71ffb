"""An answer that was read from a replica says how far behind it may be."""

from flask import Flask, Response

from database import replica


def install(app: Flask) -> None:
    """Add X-Replica-Lag, in seconds, to the answers that a replica had a part in."""

    @app.before_request
    def begin() -> None:
        replica.begin()

    @app.after_request
    def say_how_far_behind(response: Response) -> Response:
        behind = replica.behind()
        replica.begin()  # the connection's next request may be an alert, which passes the hooks by
        if behind is not None:
            response.headers["X-Replica-Lag"] = f"{behind:.3f}"
        return response
