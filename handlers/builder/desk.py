"""Ending what an apply left behind: before the next one, before a draft is read, and when the server starts."""

import threading
import time
from pathlib import Path
from typing import Final

import structlog

from database import builder as store
from errors import AlertbookError
from handlers.builder import journal
from handlers.services import Services

log = structlog.get_logger()

RETRY_SECONDS: Final = 2.0


def take(root: Path | None, desk: store.Desk) -> None:
    """Be the only one who writes, over files of which none is half way."""
    desk.take()
    if root is not None:
        journal.settle(root, desk.is_committed)


def settle(here: Services) -> None:
    """End an apply that is committed or was cut off, once whoever is at it is done. Raises AlertbookError."""
    root = here.settings.builder_root
    if root is not None and journal.is_open(root):
        with store.taken_desk(here.pool) as desk:
            journal.settle(root, desk.is_committed)


def settle_later(here: Services) -> None:
    """The same where it can wait: what an apply leaves is in nobody's way."""
    try:
        settle(here)
    except AlertbookError as error:
        log.warning("apply_not_settled", code=error.code)


def settle_at_start(here: Services) -> None:
    """End what the process before this one left, in a light thread that tries until it is done."""
    root = here.settings.builder_root
    if root is not None and journal.is_open(root):
        threading.Thread(target=_settle_until_done, args=(here, root), name="builder", daemon=True).start()


def _settle_until_done(here: Services, root: Path) -> None:
    while journal.is_open(root):
        settle_later(here)
        if journal.is_open(root):
            time.sleep(RETRY_SECONDS)
