"""Small helpers of forms and links."""

from typing import Any

from flask import request


def kept(*names: str) -> dict[str, str]:
    """Those of the address's parameters that are set, to be repeated in a form or a link."""
    return {name: request.args[name] for name in names if request.args.get(name, "").strip()}


def all_but(*names: str) -> dict[str, Any]:
    """The address's set parameters without the named ones."""
    return {name: value for name, value in request.args.items() if value.strip() and name not in names}
