"""What every request passes through, in this order."""

from flask import Flask

from handlers.middleware import access, answers, bodies, cors, gate, headers, metrics, replica, request_id


def install(app: Flask) -> None:
    """Put the middleware around the application."""
    metrics.install(app)
    request_id.install(app)
    headers.install(app)
    answers.install(app)
    bodies.install(app)
    cors.install(app)
    gate.install(app)
    access.install(app)
    replica.install(app)
