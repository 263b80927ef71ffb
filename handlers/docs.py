"""The API's description as pages, with every asset served from here."""

from importlib.resources import files
from typing import Final

from flask import Response, request

from errors import NotFound
from handlers.blueprint import Blueprint
from handlers.middleware.access import Role, access

blueprint = Blueprint("docs", __name__, description="The description of this API.")

_BUNDLES: Final = files("openapi_ui_bundles")
_SCRIPT: Final = "text/javascript"
_START_SWAGGER: Final = 'window.ui = SwaggerUIBundle({url: "/openapi.json", dom_id: "#docs", deepLinking: true});'
#: ReDoc's bundle asks for its maker's logo at an address outside; the same picture lies in the bundle.
_OUTSIDE_LOGO: Final = "https://cdn.redoc.ly/redoc/logo-mini.svg"

_ASSETS: Final = {
    "swagger-ui.css": ("swagger_ui/vendor/swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": ("swagger_ui/vendor/swagger-ui-bundle.js", _SCRIPT),
    "redoc.standalone.js": ("redoc/vendor/redoc.standalone.js", _SCRIPT),
    "logo-mini.svg": ("redoc/vendor/logo-mini.svg", "image/svg+xml"),
}
_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; frame-ancestors 'none'"
)
_HEAD: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Alertbook API</title>'
    '<link rel="icon" href="data:,">'
)
_VIEWPORT: Final = '<meta name="viewport" content="width=device-width, initial-scale=1">'


def _page(head: str, body: str) -> Response:
    page = f"{_HEAD}{_VIEWPORT}{head}</head><body>{body}</body></html>"
    return Response(page, mimetype="text/html", headers={"Content-Security-Policy": _PAGE_POLICY})


@blueprint.get("/docs")
@access(Role.PUBLIC)
def show_docs() -> Response:
    """The API in Swagger UI."""
    return _page(
        '<link rel="stylesheet" href="/docs/assets/swagger-ui.css">',
        '<div id="docs"></div><script src="/docs/assets/swagger-ui-bundle.js"></script>'
        '<script src="/docs/assets/start-swagger.js"></script>',
    )


@blueprint.get("/redoc")
@access(Role.PUBLIC)
def show_redoc() -> Response:
    """The API in ReDoc."""
    return _page("", '<redoc spec-url="/openapi.json"></redoc><script src="/docs/assets/redoc.standalone.js"></script>')


@blueprint.get("/docs/assets/<name>")
@access(Role.PUBLIC)
def show_asset(name: str) -> Response:
    """A script, style or picture of the pages."""
    if name == "start-swagger.js":
        return Response(_START_SWAGGER, mimetype=_SCRIPT)
    if name not in _ASSETS:
        raise NotFound("There is no such asset.")
    path, kind = _ASSETS[name]
    content = _BUNDLES.joinpath(path).read_bytes()
    if name == "redoc.standalone.js":
        content = content.replace(_OUTSIDE_LOGO.encode(), b"/docs/assets/logo-mini.svg")
    response = Response(content, mimetype=kind, headers={"Cache-Control": "public, max-age=86400"})
    response.add_etag()
    response.make_conditional(request)
    return response
