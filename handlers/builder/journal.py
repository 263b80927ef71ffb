"""Writing files below the builder's root all or none, whatever happens on the way, the end of the process included.

1. A journal in the root names the files. 2. Each new content is written beside its place, and beside it a copy of what
stands there. 3. The journal says that all of that is on the disk. 4. The files are moved to their places. 5. The
caller commits its note of this apply. 6. `settle` takes copies and journal away; and first, if the note was never
committed, it puts everything back. Whoever writes or settles holds the desk's lock, from 1 to 5 and at 6.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from hashlib import file_digest, sha256
from io import BytesIO
from pathlib import Path
from shutil import copyfileobj
from stat import S_IMODE
from typing import BinaryIO, Final

from errors import Conflict
from handlers.builder.files import LeadsAway, Parts, folder_of, open_in

JOURNAL: Final = ".alertbook-apply.json"
_UNFINISHED: Final = f"{JOURNAL}.part"
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: where it belongs, the digest of its new content, and whether something stood there before."""

    parts: Parts
    digest: str
    existed: bool = False


@dataclass(frozen=True, slots=True)
class Journal:
    """An apply under way. `staged`: contents and copies are on the disk; before that no file has moved."""

    apply_id: str
    entries: tuple[Entry, ...]
    made: tuple[Parts, ...]
    staged: bool = False

    def names(self, number: int) -> tuple[str, str]:
        """The names beside its place of a file's new content, and of the copy of the old one."""
        return f".{self.apply_id}.{number}.new", f".{self.apply_id}.{number}.old"


def is_open(root: Path) -> bool:
    """Whether an apply is under way, or was when its process ended."""
    return os.path.lexists(root / JOURNAL) or os.path.lexists(root / _UNFINISHED)


def write_all(root: Path, apply_id: str, files: Sequence[tuple[Parts, str]]) -> None:
    """Write all files, or none: raises LeadsAway, or Conflict when the disk refuses, and then all is as it was.

    What it returns from is undone by `settle` until the caller has committed a note of `apply_id`.
    """
    contents = [content.encode() for _, content in files]
    entries = [Entry(parts, sha256(content).hexdigest()) for (parts, _), content in zip(files, contents, strict=True)]
    journal = Journal(apply_id, tuple(entries), _missing_folders(root, entries))
    try:
        _save(root, journal)
        existed = [_stage(root, journal, number, content) for number, content in enumerate(contents)]
        staged = tuple(replace(entry, existed=old) for entry, old in zip(entries, existed, strict=True))
        _save(root, replace(journal, entries=staged, staged=True))
        for number, entry in enumerate(entries):
            with folder_of(root, entry.parts) as folder:
                os.replace(journal.names(number)[0], entry.parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
                os.fsync(folder)
    except OSError as error:
        settle(root, lambda _: False)
        raise Conflict(
            f"Nothing was written: the disk refused ({error.strerror}).", code="CANNOT_BE_WRITTEN"
        ) from error
    except LeadsAway:
        settle(root, lambda _: False)
        raise


def settle(root: Path, is_committed: Callable[[str], bool]) -> None:
    """Bring an apply to its end that is committed or was cut off; harmless to repeat, and to be cut off itself.

    Raises Conflict when the disk refuses; the journal stays then.
    """
    try:
        journal = _load(root)
        if journal is None:
            return
        if journal.staged and not is_committed(journal.apply_id):
            for number in range(len(journal.entries)):
                _put_back(root, journal, number)
        _clean(root, journal)
    except OSError as error:
        raise Conflict(
            f"An apply that was cut off cannot be undone: the disk refused ({error.strerror}).",
            code="CANNOT_BE_WRITTEN",
        ) from error


def _missing_folders(root: Path, entries: Sequence[Entry]) -> tuple[Parts, ...]:
    """The folders that will be made, the outer ones first."""
    folders = {entry.parts[:depth] for entry in entries for depth in range(1, len(entry.parts))}
    return tuple(sorted(parts for parts in folders if not os.path.lexists(root.joinpath(*parts))))


def _save(root: Path, journal: Journal) -> None:
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _put(folder, _UNFINISHED, BytesIO(json.dumps(asdict(journal)).encode()), 0o600)
        os.replace(_UNFINISHED, JOURNAL, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    finally:
        os.close(folder)


def _load(root: Path) -> Journal | None:
    try:
        told = json.loads((root / JOURNAL).read_bytes())
    except FileNotFoundError:
        (root / _UNFINISHED).unlink(missing_ok=True)
        return None
    entries = tuple(Entry(tuple(one["parts"]), one["digest"], one["existed"]) for one in told["entries"])
    return Journal(told["apply_id"], entries, tuple(map(tuple, told["made"])), told["staged"])


def _put(folder: int, name: str, content: BinaryIO, mode: int) -> None:
    """Write a file to the disk, not only to its cache."""
    descriptor = os.open(name, _CREATE | os.O_TRUNC, mode, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        copyfileobj(content, file)
        os.fchmod(descriptor, mode)
        file.flush()
        os.fsync(descriptor)


def _stage(root: Path, journal: Journal, number: int, content: bytes) -> bool:
    """Write a file's new content beside its place, with a copy of the old one; returns whether there is one."""
    parts = journal.entries[number].parts
    new, old = journal.names(number)
    with folder_of(root, parts, make=True) as folder:
        mode = None
        with suppress(FileNotFoundError), open_in(folder, parts[-1]) as before:
            mode = S_IMODE(os.fstat(before.fileno()).st_mode) & 0o777
            _put(folder, old, before, mode)
        _put(folder, new, BytesIO(content), 0o644 if mode is None else mode)
        os.fsync(folder)
    return mode is not None


def _put_back(root: Path, journal: Journal, number: int) -> None:
    """Put back what stood at a place, unless its file was not moved yet or somebody has written to it since."""
    entry = journal.entries[number]
    name, old = entry.parts[-1], journal.names(number)[1]
    with suppress(FileNotFoundError, LeadsAway), folder_of(root, entry.parts) as folder:
        with open_in(folder, name) as file:
            if file_digest(file, "sha256").hexdigest() != entry.digest:
                return
        if entry.existed:
            os.replace(old, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)
        os.fsync(folder)


def _clean(root: Path, journal: Journal) -> None:
    """Take away what was beside the files, folders that were made and are empty, and last the journal."""
    for number, entry in enumerate(journal.entries):
        with suppress(FileNotFoundError, LeadsAway), folder_of(root, entry.parts) as folder:
            for name in journal.names(number):
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
    for parts in reversed(journal.made):
        with suppress(OSError, LeadsAway), folder_of(root, parts) as folder:
            os.rmdir(parts[-1], dir_fd=folder)
    for name in (_UNFINISHED, JOURNAL):
        (root / name).unlink(missing_ok=True)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
