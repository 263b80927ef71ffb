"""Blueprints whose JSON bodies are read exactly and within bounds; a form says the same things as JSON."""

from typing import Any
from urllib.parse import parse_qsl

import flask_smorest
from flask import Request
from marshmallow import Schema
from webargs.flaskparser import FlaskParser

from errors import Invalid
from handlers.middleware.bodies import json_object, read_body

_FORM = "application/x-www-form-urlencoded"


class BodyParser(FlaskParser):  # type: ignore[misc]
    """Reads `location="json"` from a JSON object or, where the Content-Type says so, from a form.

    curl -d sends JSON under the form's Content-Type when no other is given, so a body that begins as JSON is JSON.
    Unknown fields of a body are errors: a misspelt name must not be taken for an absent one.
    """

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "json": "raise"}  # noqa: RUF012

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The body as an object. Raises NotJson, TooLarge, or Invalid."""
        body = read_body()
        if req.mimetype == _FORM and not body.lstrip().startswith(b"{"):
            return _form(body)
        if not body.strip() and not any(field.required for field in schema.fields.values()):
            return {}
        return json_object(body)


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=200)
    except ValueError:
        raise Invalid("The body is neither a JSON object nor a form.", code="NOT_A_FORM") from None
    return dict(pairs)


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """flask-smorest's blueprint with our reading of bodies."""

    ARGUMENTS_PARSER = BodyParser()
