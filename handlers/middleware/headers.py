"""Security headers on every answer."""

from typing import Final

from flask import Flask, Response

SECURITY: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


def install(app: Flask) -> None:
    """Add the headers that an answer does not carry already."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        own = {name for name, _ in response.headers}
        response.headers.extend([pair for pair in SECURITY if pair[0] not in own])
        return response
