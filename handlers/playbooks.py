"""Playbooks: public to read when enabled, written with the key."""

import re
from collections.abc import Mapping
from typing import Any, Final

import marshmallow as ma
from flask import Response

from database import playbooks
from errors import AlertbookError
from handlers.blueprint import Blueprint
from handlers.fields import Text, Yes
from handlers.middleware.access import Role, access
from handlers.middleware.answers import answer
from handlers.paging import IdPageQuery, next_cursor
from handlers.services import services

blueprint = Blueprint("playbooks", __name__, description="Playbooks.")

_SLUG: Final = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*", re.ASCII)


class Slug(Text):
    """The playbook's name in its address."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(1, 255, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        slug = super()._deserialize(value, attr, data, **kwargs).lower()
        if not _SLUG.fullmatch(slug):
            raise ma.ValidationError("must be of letters, digits and single hyphens, such as open-a-trade")
        return slug


class Tags(Text):
    """Words separated by commas, or a list of them."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if isinstance(value, list) and all(isinstance(tag, str) for tag in value):
            value = ",".join(tag.strip() for tag in value)
        return super()._deserialize(value, attr, data, **kwargs)


class DuplicateSlug(AlertbookError):
    """The slug belongs to another playbook; the older client knows this as a 400."""

    status = 400
    code = "DUPLICATE_SLUG"


class PlaybookIn(ma.Schema):
    """A playbook."""

    slug = Slug(required=True)
    title = Text(1, 512, required=True)
    body_md = Text(0, 50_000, required=True)
    tags = Tags(0, 512, load_default=None, allow_none=True)
    enabled = Yes(load_default=True)


class PlaybookChange(ma.Schema):
    """What is to change of a playbook."""

    slug = Slug(load_default=None)
    title = Text(1, 512, load_default=None)
    body_md = Text(0, 50_000, load_default=None)
    tags = Tags(0, 512, load_default=None)
    enabled = Yes(load_default=None)


@blueprint.get("/api/playbooks")
@access(Role.PUBLIC)
@blueprint.arguments(IdPageQuery, location="query")
def list_playbooks(query: dict[str, Any]) -> Response:
    """The enabled playbooks, newest first, as a bare array; the cursor of the next page stands in X-Next-Cursor."""
    limit = query["limit"]
    rows = playbooks.select_playbooks(services().pool, before=query["cursor"], limit=limit + 1)
    more = next_cursor(rows, limit)
    return answer([row._asdict() for row in rows[:limit]], headers={"X-Next-Cursor": more} if more else None)


@blueprint.get("/api/playbooks/<slug>")
@access(Role.PUBLIC)
def show_playbook(slug: str) -> Response:
    """One enabled playbook; 404 for one that is not enabled."""
    return answer(playbooks.select_playbook(services().pool, slug)._asdict())


@blueprint.post("/api/playbooks")
@access(Role.WRITE)
@blueprint.arguments(PlaybookIn, location="json")
def add_playbook(body: dict[str, Any]) -> Response:
    """Write a new playbook. Idempotency: a slug is taken once; the second time is 400."""
    made = playbooks.insert_playbook(services().pool, **body)
    if made is None:
        raise _taken(body["slug"])
    return answer({"ok": True, **made._asdict()})


@blueprint.put("/api/playbooks/<slug>")
@access(Role.WRITE)
@blueprint.arguments(PlaybookChange, location="json")
def change_playbook(body: dict[str, Any], slug: str) -> Response:
    """Change what is sent of a playbook. Idempotency: the same again leaves the same."""
    new_slug = body.pop("slug")
    made = playbooks.update_playbook(services().pool, slug, new_slug=new_slug, **body)
    if made is None:
        raise _taken(new_slug)
    return answer({"ok": True, **made._asdict()})


@blueprint.delete("/api/playbooks/<slug>")
@access(Role.WRITE)
def delete_playbook(slug: str) -> Response:
    """Remove a playbook. Idempotency: the second time is 404."""
    playbooks.delete_playbook(services().pool, slug)
    return answer({"ok": True, "slug": slug})


def _taken(slug: str) -> DuplicateSlug:
    return DuplicateSlug(f"There is a playbook with the slug {slug} already.")
