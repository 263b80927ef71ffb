"""The one thread that sends what was recorded: batches, retries, the spool, and the accounts of it all."""

from __future__ import annotations

import logging
import random
import sys
import threading
import time
from collections import deque
from typing import Any

from telemetry_client import checks
from telemetry_client.counting import Tally
from telemetry_client.records import NotedCall, as_line, made
from telemetry_client.spool import Batch, Spool, new_batch
from telemetry_client.storage import Receipt, Refused, Storage, Unreachable

log = logging.getLogger("telemetry_client")

POLL_SECONDS = 0.05
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 15.0
#: When much has piled up, batches grow to this many records.
BIG_BATCH = 1000
BATCH_BYTES = 4 * 1024 * 1024
LINE_BYTES = 64 * 1024
#: Records that are looked at before the script may have its turn.
SLICE = 8
#: How long the books are held at most while records are looked at.
LOOK_SECONDS = 0.25
_ACCOUNTS = ("sent", "rejected", "refused", "spooled", "lost", "batches", "resent", "resent_rejected")


class Sender:
    """Owns the queue. The recording side only appends to it and counts; everything else happens in the thread."""

    def __init__(
        self,
        storage: Storage,
        batch_size: int,
        interval: float,
        spool: Spool | None,
        max_queue: int,
        may_be_plain: bool,
    ) -> None:
        self.storage = storage
        self.batch_size = batch_size
        self.interval = interval
        self.spool = spool
        self.max_queue = max_queue
        self._may_be_plain = may_be_plain
        self.reset()

    def reset(self) -> None:
        """Begin with nothing: at first, and in the child of a fork, whose parent sends what it recorded itself."""
        #: what was recorded, as it came; the recording side appends, whoever holds the books takes
        self.raw: deque[NotedCall] = deque()
        #: how many calls may wait in `raw`; 0 while a call needs more than to be noted
        self.room = 0
        self._is_plain = self.closed = False
        #: what was found to be in order, each a line of JSON
        self.queue: deque[str] = deque()
        self.dropped = Tally()
        self.invalid = 0
        self.reasons: dict[str, int] = {}
        self.started = False
        self.accounts = dict.fromkeys(_ACCOUNTS, 0)
        self.failures = 0
        self.last_error: str | None = None
        self._taken = self._settled = 0
        self._current: Batch | None = None
        self._from_spool: deque[Batch] = deque()
        self._files: list[str] = []
        self._told_invalid = self._told_dropped = False
        self._starting = threading.Lock()
        #: held by whoever moves batches and their accounts; the recording side never asks for it
        self._books = threading.Lock()
        self._closing = threading.Event()
        self._urgent = threading.Event()
        self._abandoned = False
        self._give_up_at = float("inf")
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, unless somebody is just doing so. Never waits for another thread's start."""
        if not self._starting.acquire(False):
            return
        try:
            if not self.started and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
                self.started = True
                self._set_plain(self._may_be_plain)
                self._thread.start()
        except RuntimeError:
            self._thread = None  # the interpreter is on its way out: close() keeps what there is
            self.started = False
            self._set_plain(False)
        finally:
            self._starting.release()

    def _run(self) -> None:
        try:
            self._take_spooled()
            last = time.monotonic()
            while not (self._closing.is_set() and not self._waiting()):
                self._report()
                if self._abandoned or time.monotonic() > self._give_up_at:
                    return
                with self._books:
                    batch = None if self._abandoned else self._next_batch(time.monotonic() - last >= self.interval)
                if batch is None:
                    self._closing.wait(POLL_SECONDS)
                    continue
                last = time.monotonic()
                self._deliver(batch)
            self._report()
        finally:
            self.started = False
            self._set_plain(False)

    def _set_plain(self, is_plain: bool) -> None:
        """Whether a call need only be noted: with a thread that looks at it later, and nothing else to do."""
        self._is_plain = is_plain
        self._make_room()

    def _make_room(self) -> None:
        """What waits in order takes its part of the queue's bound."""
        self.room = self.max_queue - len(self.queue) if self._is_plain and not self.closed else 0

    def take(self, call: NotedCall) -> bool:
        """Note a call outside the usual way, unless the sender is closed or full."""
        if self.closed or len(self.raw) >= self.max_queue - len(self.queue):
            return False
        self.raw.append(call)
        return True

    def _waiting(self) -> bool:
        return bool(self.raw or self.queue or self._from_spool or self._current)

    def _next_batch(self, is_due: bool) -> Batch | None:
        """The batch that is to go now: an unfinished one, one of the spool, or what the queue has when it is time."""
        if self._current is not None:
            return self._current
        if self._from_spool:
            self._current = self._from_spool[0]
            return self._current
        self._sift()
        waiting = len(self.queue)
        hurried = self._closing.is_set() or self._urgent.is_set()
        if waiting == 0:
            self._urgent.clear()
            return None
        if waiting < self.batch_size and not is_due and not hurried:
            return None
        much = waiting >= 4 * self.batch_size
        self._current = self._cut(max(BIG_BATCH, self.batch_size) if much else self.batch_size)
        return self._current

    def _sift(self, seconds: float = LOOK_SECONDS) -> None:
        """Look at what was recorded since, for so long: what is wrong is counted, the rest waits as lines to be sent.

        The interpreter is offered to the script after every few records, so that it never waits for many: unless the
        script is at its end, when a thread of it that never pauses would take every turn that it is offered.
        """
        until = time.monotonic() + seconds
        for place in range(1, len(self.raw) + 1):
            line = self._line_of(self.raw[0])
            if line:
                self.queue.append(line)
                self._make_room()
            else:
                self._settled += 1
            self._taken += 1
            self.raw.popleft()
            if place % SLICE == 0:
                if time.monotonic() >= until:
                    return
                if not self.closed:
                    time.sleep(0)

    def _line_of(self, call: NotedCall) -> str:
        """A call as a line of JSON, "" when it says nothing that can be sent."""
        try:
            record = made(call)
            wrong = checks.wrong(record)
        except Exception as error:  # noqa: BLE001 - an argument's own methods may raise anything; the rest goes on
            wrong = f"{call[0]}: {type(error).__name__}"
        if wrong is not None:
            return self._leave_out(wrong)
        try:
            line = as_line(record)
        except Exception as error:  # noqa: BLE001 - as above
            return self._leave_out(f"a value cannot be written as JSON ({type(error).__name__})")
        if len(line) > LINE_BYTES:
            return self._leave_out(f"a record has more than {LINE_BYTES} bytes")
        return line

    def _leave_out(self, reason: str) -> str:
        """Count a record that is not sent; the thread reports it. Returns the line that stands for it: none."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        self.invalid += 1
        return ""

    def _cut(self, most: int) -> Batch:
        """Take up to `most` lines off the queue, which holds some."""
        lines: list[str] = []
        size = 0
        while self.queue and len(lines) < min(most, 5000) and size < BATCH_BYTES:
            lines.append(self.queue.popleft())
            size += len(lines[-1])
        self._make_room()
        return new_batch(lines)

    def _deliver(self, batch: Batch) -> None:
        """Send one batch, again and again, until it is settled, or until the sender must give up."""
        pause = FIRST_PAUSE_SECONDS
        while not self._abandoned and time.monotonic() <= self._give_up_at:
            try:
                receipt = self.storage.send(batch.batch_id, batch.body, batch.count)
            except Refused as error:
                log.error("telemetry: a batch of %d records was refused: %s", batch.count, error)
                self._settle(batch, None)
                return
            except Unreachable as error:
                self._note_failure(str(error))
                wait = max(pause, error.retry_after or 0.0)
            except Exception as error:  # noqa: BLE001 - a storage may be anybody's; the batch is tried again
                self._note_failure(f"{type(error).__name__}: {error}")
                wait = pause
            else:
                self._settle(batch, receipt)
                return
            self._pause(min(wait, LONGEST_PAUSE_SECONDS) * random.uniform(0.7, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _note_failure(self, error: str) -> None:
        if self.failures == 0:
            log.warning("telemetry: cannot send now, will go on trying: %s", error)
        self.failures += 1
        self.last_error = error

    def _pause(self, seconds: float) -> None:
        """Wait before the next try, looking at what is recorded meanwhile; who closes or flushes makes it short."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            hurried = self._closing.is_set() or self._urgent.is_set()
            time.sleep(POLL_SECONDS)
            with self._books:
                if not self._abandoned:
                    self._sift()
            if hurried:
                return

    def _settle(self, batch: Batch, receipt: Receipt | None) -> None:
        """Enter into the accounts what became of a batch; None: it was refused as a whole."""
        rejected = batch.count if receipt is None else len(receipt.rejected)
        if receipt is not None and rejected:
            log.warning("telemetry: the server rejected %d records, first: %s", rejected, receipt.rejected[0])
        with self._books:
            if self._abandoned:
                return
            self._current = None
            self.accounts["batches"] += receipt is not None
            if self._from_spool and self._from_spool[0] is batch:
                self._from_spool.popleft()
                self.accounts["resent"] += batch.count - rejected
                self.accounts["resent_rejected"] += rejected
                if not self._from_spool:
                    self._clear_taken()
                return
            self.accounts["sent"] += batch.count - rejected
            self.accounts["refused" if receipt is None else "rejected"] += rejected
            self._settled += batch.count

    def _take_spooled(self) -> None:
        if self.spool is None:
            return
        try:
            for name, batches in self.spool.take():
                self._files.append(name)
                self._from_spool.extend(batches)
        except OSError as error:
            log.error("telemetry: the spool cannot be read: %s", error)
        if not self._from_spool:
            self._clear_taken()

    def _clear_taken(self) -> None:
        for name in self._files:
            try:
                Spool.done(name)
            except OSError as error:
                log.error("telemetry: a spool file that was sent cannot be removed: %s", error)
        self._files = []

    def _report(self) -> None:
        """One log line for the first invalid record and one for the first that found the queue full."""
        if not self._told_invalid and self.invalid:
            self._told_invalid = True
            log.warning("telemetry: records are invalid and not sent, see stats(): %s", next(iter(self.reasons)))
        if not self._told_dropped and self.dropped.value:
            self._told_dropped = True
            log.warning("telemetry: the queue is full and records are dropped, see stats()")

    def flush(self, timeout: float | None) -> bool:
        """Send what was recorded until now; whether all of it was settled within `timeout` seconds."""
        with self._books:
            target = self._taken + len(self.raw)
        give_up = float("inf") if timeout is None else time.monotonic() + timeout
        while self._settled < target:
            if self.closed or time.monotonic() >= give_up:
                return False
            if not self.started:
                self.start()
            self._urgent.set()
            time.sleep(0.005)
        return True

    def close(self, timeout: float) -> None:
        """Send for at most `timeout` seconds, then keep or count what is left. The second call does nothing."""
        if self.closed:
            return
        if self._waiting() and not self.started:
            self.start()
        self.closed = True
        self._make_room()
        self._give_up_at = time.monotonic() + timeout
        self._closing.set()
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
        with self._books:
            self._abandoned = True
            self._keep_rest()
        self._report()
        if thread is None or not thread.is_alive():
            self.storage.close()

    def _keep_rest(self) -> None:
        """What could not be sent goes to the spool; without one, or when it cannot be written, it is lost."""
        older = list(self._from_spool)
        newer = [self._current] if self._current is not None and self._current not in older else []
        self._sift(LOOK_SECONDS if self.spool is None else float("inf"))
        unseen = len(self.raw)
        for _ in range(unseen):
            self.raw.popleft()
        self._taken += unseen
        while self.queue:
            newer.append(self._cut(BIG_BATCH))
        self._current = None
        self._from_spool.clear()
        if not (older or newer or unseen):
            return
        count = unseen + sum(batch.count for batch in newer)
        kept = self._keep(older + newer)
        self.accounts["spooled" if kept else "lost"] += count
        log.warning(
            "telemetry: %d records could not be sent and %s", count, "wait in the spool" if kept else "are lost"
        )

    def _keep(self, batches: list[Batch]) -> bool:
        """Write batches to the spool, in place of the files that some of them came from; whether that went well."""
        if self.spool is None:
            return False
        try:
            self.spool.write(batches)
        except OSError as error:
            log.error("telemetry: the spool cannot be written: %s", error)
            return False
        self._clear_taken()
        return True

    def stats(self) -> dict[str, Any]:
        """The accounts, in records.

        recorded (calls) = sent + rejected + refused + queued + dropped + invalid + spooled + lost. `resent` and
        `resent_rejected` are of an earlier run's spool; `batches` counts deliveries, `failures` tries that failed.
        """
        with self._books:
            if not self.closed:
                self._sift()
            accounts, settled = dict(self.accounts), self._settled
            noted = self._taken + len(self.raw)
        return {
            "recorded": noted + self.dropped.value,
            "queued": noted - settled - accounts["spooled"] - accounts["lost"],
            "dropped": self.dropped.value,
            "invalid": self.invalid,
            "invalid_reasons": dict(self.reasons),
            **accounts,
            "failures": self.failures,
            "last_error": self.last_error,
        }


def in_child_of_multiprocessing() -> bool:
    """Whether this process ends by multiprocessing's own way, which does not run what atexit holds."""
    multiprocessing = sys.modules.get("multiprocessing")
    return multiprocessing is not None and multiprocessing.parent_process() is not None
