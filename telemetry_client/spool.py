"""Batches that could not be sent, in files, until the next run sends them.

A file is written whole under a name of its own and never changed, so that no two processes ever share one for
writing. Whoever wants to send a file takes it by renaming it; a file taken by a process that died is taken again.
Every batch keeps its id, so sending one twice does no harm.
"""

from __future__ import annotations

import glob
import json
import os
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

_TAKEN = ".sending-"
_UNFINISHED = ".writing-"
_BROKEN = ".broken-"
#: What follows the path in the names that `_publish` and `take` give. Any other file beside it is somebody else's.
_OURS = re.compile(r"(?:|\.[0-9a-f]{32}|\.sending-[0-9]+-[0-9a-f]+)")
#: A file that was taken so long ago is taken again, whatever lives under its taker's number.
_TAKEN_SECONDS = 3600.0
#: What this process is sending: its number alone says little, for in a container every run has the same one.
_ours: set[str] = set()


@dataclass(frozen=True)
class Batch:
    """Records as they are sent: the id stays the same however often they are."""

    batch_id: str
    body: bytes
    count: int


def new_batch(lines: Sequence[str]) -> Batch:
    """A batch of records, each one line of JSON."""
    return Batch(uuid.uuid4().hex, ("\n".join(lines) + "\n").encode("utf-8"), len(lines))


class Spool:
    """The files beside one path."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)

    def write(self, batches: Sequence[Batch]) -> None:
        """Keep batches on disk. Raises OSError; then nothing is kept."""
        unfinished = f"{self._path}{_UNFINISHED}{uuid.uuid4().hex}"
        text = "".join(
            json.dumps({"batch_id": batch.batch_id, "count": batch.count, "body": batch.body.decode("utf-8")}) + "\n"
            for batch in batches
        )
        try:
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            self._publish(unfinished)
        finally:
            if os.path.exists(unfinished):
                os.unlink(unfinished)

    def _publish(self, unfinished: str) -> None:
        """Give a finished file the spool's own name, or one of its own when that is taken or links are not known."""
        try:
            os.link(unfinished, self._path)
        except OSError:
            os.replace(unfinished, f"{self._path}.{uuid.uuid4().hex}")

    def take(self) -> list[tuple[str, list[Batch]]]:
        """Take every file that nobody is sending: (its name for `done`, its batches).

        A file that cannot be read is set aside under a name that ends in .broken-... .
        """
        found = []
        for name in sorted(glob.glob(glob.escape(self._path) + "*")):
            if not _OURS.fullmatch(name[len(self._path) :]) or not os.path.isfile(name) or _is_being_sent(name):
                continue
            taken = f"{self._path}{_TAKEN}{os.getpid()}-{uuid.uuid4().hex}"
            try:
                os.rename(name, taken)
            except FileNotFoundError:
                continue  # another process was quicker
            _ours.add(taken)
            try:
                found.append((taken, _read(taken)))
            except (ValueError, KeyError, TypeError):
                os.rename(taken, f"{self._path}{_BROKEN}{uuid.uuid4().hex}")
        return found

    @staticmethod
    def done(name: str) -> None:
        """Remove a file all of whose batches were sent or written again."""
        os.unlink(name)
        _ours.discard(name)


def _is_being_sent(name: str) -> bool:
    _, mark, rest = name.rpartition(_TAKEN)
    pid = rest.partition("-")[0]
    if not mark or not pid.isdigit():
        return False
    if name in _ours:
        return True
    if int(pid) == os.getpid() or time.time() - os.stat(name).st_ctime > _TAKEN_SECONDS:
        return False
    return _is_alive(int(pid))


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        return False  # there the question would end the process; sending twice does no harm
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it lives, but is somebody else's
    return True


def _read(name: str) -> list[Batch]:
    batches = []
    with open(name, encoding="utf-8") as file:
        for line in file:
            held = json.loads(line)
            batches.append(Batch(held["batch_id"], held["body"].encode("utf-8"), held["count"]))
    return batches
