"""Styles, scripts and the chart library, served from here under addresses that change with their content."""

import gzip
import re
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from flask import Response, request, url_for

from errors import NotFound
from handlers.middleware.access import Role, access

_STATIC: Final = Path(__file__).parent / "static"
_KINDS: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_STYLE_ELEMENT: Final = re.compile(rb'!document\.getElementById\("[0-9a-f]{40,64}"\)')
PLOTLY: Final = "plotly.min.js"
_FOREVER: Final = "public, max-age=31536000, immutable"


@cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in _STATIC.iterdir() if path.suffix in _KINDS) | {PLOTLY}


@cache
def _content(name: str) -> bytes:
    if name != PLOTLY:
        return (_STATIC / name).read_bytes()
    # Only the file is wanted: importing the package would cost every worker its Python side.
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise NotFound("The chart library is not installed.")
    script = (Path(spec.origin).parent / "package_data" / PLOTLY).read_bytes()
    # A style attribute is refused and reported under the strict style policy, a style property is not; and the
    # style element that the maps bring is left out, as if it were there already: no page draws a map.
    script = script.replace(b'.attr("style",', b'.property("style",')
    return _STYLE_ELEMENT.sub(b"!document.head", script)


@cache
def _compressed(name: str) -> bytes:
    return gzip.compress(_content(name), 6, mtime=0)


@cache
def _version(name: str) -> str:
    return sha256(_content(name)).hexdigest()[:12]


def asset_url(name: str) -> str:
    """The address of an asset as it is now."""
    return url_for("dashboard.show_asset", version=_version(name), name=name)


def plotly_url() -> str:
    """The address of the chart library."""
    return asset_url(PLOTLY)


@access(Role.PUBLIC)
def show_asset(version: str, name: str) -> Response:
    """An asset, compressed where the browser takes it, kept for ever: another content has another address."""
    if name not in _names() or version != _version(name):
        raise NotFound("There is no such asset.")
    packed = request.accept_encodings.quality("gzip") > 0
    response = Response(_compressed(name) if packed else _content(name), mimetype=_KINDS[Path(name).suffix])
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = _FOREVER
    return response
