"""What every request passes through, in this order."""

from flask import Flask

from handlers.middleware import access, answers, bodies, cors, headers, request_id


def install(app: Flask) -> None:
    """Put the middleware around the application."""
    request_id.install(app)
    headers.install(app)
    answers.install(app)
    bodies.install(app)
    cors.install(app)
    access.install(app)
