"""Research: sources, texts taken in, and finding words in them."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import marshmallow as ma
from flask import Response

from database import research
from errors import AlertbookError, Conflict
from handlers.blueprint import Blueprint
from handlers.fetching import fetch
from handlers.fields import Text, Yes
from handlers.middleware.access import Execution, Role, access
from handlers.middleware.answers import answer
from handlers.paging import IdPageQuery, next_cursor, request_hash
from handlers.services import services
from state.research import chunks, storable, text_of_html

blueprint = Blueprint("research", __name__, description="Research.")

_MAX_ID: Final = 2**63 - 1


class Address(Text):
    """An http or https address."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(1, 2048, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        url = super()._deserialize(value, attr, data, **kwargs)
        try:
            parts = urlsplit(url)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable() and " " not in url
        except ValueError:
            fits = False
        if not fits:
            raise ma.ValidationError("must be an http or https address")
        return url


def _seconds(**kwargs: Any) -> ma.fields.Integer:
    return ma.fields.Integer(strict=True, validate=ma.validate.Range(1, 31_536_000), **kwargs)


class SourceIn(ma.Schema):
    """A source."""

    name = Text(1, 255, required=True)
    url = Address(required=True)
    kind = Text(1, 50, load_default="web")
    ttl_seconds = _seconds(load_default=86_400)
    enabled = Yes(load_default=True)


class SourceChange(ma.Schema):
    """What is to change of a source."""

    name = Text(1, 255, load_default=None)
    url = Address(load_default=None)
    kind = Text(1, 50, load_default=None)
    ttl_seconds = _seconds(load_default=None)
    enabled = Yes(load_default=None)


@blueprint.get("/api/research/sources")
@access(Role.READ)
@blueprint.arguments(IdPageQuery, location="query")
def list_sources(query: dict[str, Any]) -> Response:
    """Sources, newest first, as a bare array; the cursor of the next page stands in X-Next-Cursor."""
    limit = query["limit"]
    rows = research.select_sources(services().pool, before=query["cursor"], limit=limit + 1)
    more = next_cursor(rows, limit)
    return answer([row._asdict() for row in rows[:limit]], headers={"X-Next-Cursor": more} if more else None)


@blueprint.post("/api/research/sources")
@access(Role.WRITE)
@blueprint.arguments(SourceIn, location="json")
def add_source(body: dict[str, Any]) -> Response:
    """Add a source. Idempotency: each request is a source of its own."""
    return answer({"ok": True, **research.insert_source(services().pool, **body)._asdict()})


@blueprint.get("/api/research/sources/<int:source_id>")
@access(Role.READ)
def show_source(source_id: int) -> Response:
    """One source."""
    return answer({"ok": True, **research.select_source(services().pool, min(source_id, _MAX_ID))._asdict()})


@blueprint.put("/api/research/sources/<int:source_id>")
@access(Role.WRITE)
@blueprint.arguments(SourceChange, location="json")
def change_source(body: dict[str, Any], source_id: int) -> Response:
    """Change what is sent of a source. Idempotency: the same again leaves the same."""
    return answer({"ok": True, **research.update_source(services().pool, min(source_id, _MAX_ID), **body)._asdict()})


@blueprint.delete("/api/research/sources/<int:source_id>")
@access(Role.WRITE)
def delete_source(source_id: int) -> Response:
    """Remove a source with its documents. Idempotency: the second time is 404."""
    gone = research.delete_source(services().pool, min(source_id, _MAX_ID))
    return answer({"ok": True, "source_id": source_id, "docs_deleted": gone})


class IngestIn(ma.Schema):
    """A text of a source; without one its address is fetched, where that is switched on."""

    source_id = ma.fields.Integer(required=True, strict=True, validate=ma.validate.Range(1, _MAX_ID))
    text = Text(1, 60_000, load_default=None, allow_none=True)
    title = Text(0, 512, load_default=None, allow_none=True)


class Disabled(AlertbookError):
    """The source is switched off; the older client knows this as a 400."""

    status = 400
    code = "SOURCE_DISABLED"


@blueprint.post("/api/research/ingest")
@access(Role.WRITE, Execution.PROD_EXEC)
@blueprint.arguments(IngestIn, location="json")
def ingest(body: dict[str, Any]) -> Response:
    """Take in a text of a source; `doc_count` is the number of pieces that were new.

    Without `text` the source's address is fetched, only with RESEARCH_FETCH=1 and only from the public internet.
    Idempotency: the same text of the same source again adds nothing.
    """
    here = services()
    source = research.select_source(here.pool, body["source_id"])
    if not source.enabled:
        raise Disabled(f"Source {source.id} is disabled.")
    text, title = body["text"], body["title"] or None
    if text is None:
        if not here.settings.research_fetch:
            raise Conflict("Fetching is off: send the text, or set RESEARCH_FETCH=1.", code="FETCHING_IS_OFF")
        media, page = fetch(source.url)
        text, found = text_of_html(page) if "html" in media else (page, None)
        text, title = storable(text), title or (storable(found)[:512] if found else None)
    added = research.insert_docs(
        here.pool,
        source.id,
        title=title or source.name,
        url=source.url,
        chunks=chunks(text),
        content_hash=request_hash(text),
    )
    message = f"Ingested {added} documents" if added else "Nothing new"
    return answer({"ok": True, "source_id": source.id, "doc_count": added, "message": message})


class QuestionIn(ma.Schema):
    """Words to look for: quotes keep words together, - leaves one out, `or` means either."""

    q = Text(1, 1000, required=True)
    limit = ma.fields.Integer(load_default=5, strict=True, validate=ma.validate.Range(1, 50))


@blueprint.post("/api/research/query")
@access(Role.READ)
@blueprint.arguments(QuestionIn, location="json")
def query(body: dict[str, Any]) -> Response:
    """Documents in which the words are found, best first; words are marked ** in the snippet. Changes nothing."""
    rows = research.select_matches(services().pool, body["q"], body["limit"])
    names = ("source_name", "doc_id", "title", "url", "snippet", "relevance_score")
    results = [{name: getattr(row, name) for name in names} for row in rows]
    return answer({"query": body["q"], "result_count": len(results), "results": results})
