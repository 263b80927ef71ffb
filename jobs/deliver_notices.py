"""Deliver what people must be told. One worker at a time, in a scheduler's process or behind the web server.

An attempt is noted before it is made and its end after it. When a receiver got a message and its answer never came (a
hang, a killed worker), the message is sent again only where the receiver can tell: the signed form carries the same
webhook-id in every attempt. To a chat, which cannot, nothing is sent twice: that delivery's end is unknown and shown.
"""

import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import structlog

from database import deliveries, jobs
from database.pool import Pool
from errors import AlertbookError
from jobs.background import Background
from jobs.job import Job, Outcome
from jobs.sending import post
from settings import Settings
from state import notices
from state.notices import LONGEST_WAIT, Notice, Target

log = structlog.get_logger()

NAME: Final = "deliver-notices"
SEND_SECONDS: Final = 10.0
POLL_SECONDS: Final = 2.0
LEASE_SECONDS: Final = 60.0


class Deliverer:
    """Delivers to the receivers of the settings."""

    def __init__(self, pool: Pool, urls: Sequence[str], secret: str | None, *, send_seconds: float = SEND_SECONDS):
        self._pool = pool
        self._targets: Mapping[str, Target] = {target.name: target for target in map(notices.target, urls)}
        self._once = [target.name for target in self._targets.values() if not target.knows_repeats]
        self._secret = secret
        self._send_seconds = send_seconds
        #: what a receiver has taken while the database could not be told
        self._taken: dict[tuple[int, str], int | None] = {}

    def deliver_due(self, holder: str | None = None, over: threading.Event | None = None) -> dict[str, int]:
        """Deliver all that is due and return how many were delivered and failed.

        With `holder` the lease is renewed before each attempt, and lost means stop, as does `over` when set.
        """
        done = {"delivered": self._note_taken(), "failed": 0}
        names = list(self._targets)
        if not names:
            return done
        deliveries.plan(self._pool, names, once=self._once)
        while holder is None or jobs.renew_lease(self._pool, NAME, holder, LEASE_SECONDS):
            due = deliveries.begin_attempt(self._pool, names)
            if due is None:
                break
            name, attempts, notice = due
            done["delivered" if self._attempt(self._targets[name], attempts, notice) else "failed"] += 1
            if over is not None and over.is_set():
                break
        return done

    def _attempt(self, target: Target, attempts: int, notice: Notice) -> bool:
        body = notices.message(target.form, notice)
        sent = post(target.url, body, self._headers(target, notice, body), deadline=self._send_seconds)
        if sent.taken:
            self._taken[notice.id, target.name] = sent.status
            return self._note_taken() > 0
        wait: float | None = min(max(notices.wait_after(attempts), sent.retry_after), LONGEST_WAIT)
        if sent.status is None and sent.handed_over and not target.knows_repeats:
            wait = None
        log.warning("notice_not_delivered", notice=notice.id, target=target.name, attempt=attempts, error=sent.error)
        deliveries.mark_failed(
            self._pool,
            notice.id,
            target.name,
            attempts=attempts,
            status_code=sent.status,
            error=sent.error,
            wait=wait,
        )
        return False

    def _note_taken(self) -> int:
        """Note what receivers took; what cannot be now is noted first in the next round. Returns how many."""
        noted = 0
        for (notice_id, name), status in list(self._taken.items()):
            deliveries.mark_delivered(self._pool, notice_id, name, status)
            del self._taken[notice_id, name]
            noted += 1
        return noted

    def _headers(self, target: Target, notice: Notice, body: str) -> dict[str, str]:
        if target.form != notices.GENERIC:
            return {}
        identity, timestamp = notices.message_id(notice.id), int(time.time())
        headers = {"webhook-id": identity, "webhook-timestamp": str(timestamp)}
        if self._secret is not None:
            headers["webhook-signature"] = notices.signature(self._secret, identity, timestamp, body)
        return headers


def run(settings: Settings, arguments: Sequence[str]) -> Outcome:
    """Deliver what is due now."""
    assert settings.database_url is not None
    pool = Pool(settings.database_url, 1)
    try:
        done = Deliverer(pool, settings.notify_urls, settings.notify_signing_secret).deliver_due()
    finally:
        pool.close()
    return Outcome(0, done)


JOB: Final = Job(NAME, "Delivers notices that are due to NOTIFY_WEBHOOK_URLS.", run)


def start_background(settings: Settings) -> Background | None:
    """Deliver in a light thread of this process; None without anybody to tell.

    Of all processes that do so, the one with the row lease works.
    """
    if not settings.notify_urls or settings.database_url is None:
        return None
    return Background(NAME, partial(_deliver_always, settings))


def _deliver_always(settings: Settings, over: threading.Event) -> None:
    assert settings.database_url is not None
    pool = Pool(settings.database_url, 1)
    deliverer = Deliverer(pool, settings.notify_urls, settings.notify_signing_secret)
    holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    while not over.wait(POLL_SECONDS):
        try:
            if jobs.take_lease(pool, NAME, holder, LEASE_SECONDS):
                deliverer.deliver_due(holder, over)
        except AlertbookError as error:
            log.warning("notices_wait", code=error.code)
    with suppress(AlertbookError):
        jobs.drop_lease(pool, NAME, holder)
    pool.close()
