"""Blueprints whose JSON bodies are read exactly and within bounds; a form says the same things as JSON."""

from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl

import flask_smorest
from flask import Request
from marshmallow import Schema, fields
from webargs.flaskparser import FlaskParser

from errors import Detail, Invalid
from handlers.middleware.access import ACCESS_ATTRIBUTE
from handlers.middleware.bodies import json_object, read_body
from handlers.operation_examples import add_examples
from handlers.statuses import responses, shared
from state import jsontext
from state.jsontext import JsonTextError

_FORM: Final = "application/x-www-form-urlencoded"
#: Fields that may hold objects and lists.
_STRUCTURED: Final = (fields.Raw, fields.List, fields.Nested, fields.Dict)

_REFUSALS = shared()


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
            return _form(body, schema)
        if not body.strip() and not any(field.required for field in schema.fields.values()):
            return {}
        return json_object(body)


def _form(body: bytes, schema: Schema) -> dict[str, Any]:
    """A form's fields; what may hold an object or a list and begins as one is read as JSON, whole numbers as such."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=200)
    except ValueError:
        raise Invalid("The body is neither a JSON object nor a form.", code="NOT_A_FORM") from None
    told: dict[str, Any] = {}
    for name, text in pairs:
        if name in told:
            raise _refusal(name, "TWICE", "stands twice in the form")
        told[name] = _value(name, text, schema.fields.get(name))
    return told


def _value(name: str, text: str, field: fields.Field[Any] | None) -> Any:
    if isinstance(field, _STRUCTURED) and text.lstrip().startswith(("{", "[")):
        return _json(name, text)
    # a form has no numbers, so a field that takes nothing else gets one
    whole = isinstance(field, fields.Integer) and len(text) <= jsontext.MAX_DIGITS and text.isascii() and text.isdigit()
    return int(text) if whole else text


def _json(name: str, text: str) -> Any:
    try:
        return jsontext.parse(text)
    except JsonTextError as error:
        raise _refusal(name, "INVALID", f"is not JSON: {error}") from None


def _refusal(name: str, code: str, message: str) -> Invalid:
    return Invalid(f"{name[:100]}: {message}.", details=[Detail(name, code, message)])


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """flask-smorest's blueprint with our reading of bodies; every operation's description tells all its statuses."""

    ARGUMENTS_PARSER = BodyParser()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(_tell_statuses)

    def arguments(self, schema: Any, **kwargs: Any) -> Any:
        """As flask-smorest's; a schema given as a class is made once and not again at every request."""
        return super().arguments(_made(schema) if isinstance(schema, type) else schema, **kwargs)

    def _store_endpoint_docs(self, endpoint: str, obj: Any, *args: Any, **kwargs: Any) -> None:
        super()._store_endpoint_docs(endpoint, obj, *args, **kwargs)
        declared = getattr(obj, ACCESS_ATTRIBUTE, None)
        for method, told in self._docs[endpoint].items():
            if method != "parameters":
                told["role"] = declared.role if declared else None
                told["endpoint"] = f"{self.name}.{endpoint}"


@cache
def _made(schema: type[Schema]) -> Schema:
    return schema()


def _tell_statuses(doc: dict[str, Any], info: dict[str, Any], *, spec: Any, method: str, **_: Any) -> dict[str, Any]:
    """Every status by its number instead of flask-smorest's "default", which would allow any."""
    if not spec.components.responses.keys() >= _REFUSALS.keys():
        spec.components.responses.update(_REFUSALS)
    told = {str(status): said for status, said in doc.get("responses", {}).items()}
    told = {status: said for status, said in told.items() if status not in ("default", "422")}
    doc["responses"] = {**responses(info.get("role"), method), **told}
    add_examples(doc, info["endpoint"], method.lower())
    return doc
