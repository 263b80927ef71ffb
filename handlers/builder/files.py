"""Reading and writing below the builder's root, so that no link, race or failure leads outside or half way.

Every folder on the way is opened by its name within the one before it and never through a link. All files are first
written beside their places; only then are they moved there, and if one cannot be, those before it are put back.
"""

import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from errors import Conflict

Parts = tuple[str, ...]

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_READ: Final = 2_000_000


class LeadsAway(Exception):
    """A link, or something that is no plain file or folder, stands on the way."""


@contextmanager
def _folder(root: Path, parts: Parts, made: list[tuple[Parts, str]] | None) -> Iterator[int]:
    """The descriptor of the folder that holds a file. With `made`, missing folders are made and noted there."""
    with ExitStack() as opened:
        here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        opened.callback(os.close, here)
        for depth, name in enumerate(parts[:-1]):
            if made is not None:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=here)
                    made.append((parts[: depth + 1], name))
            try:
                here = os.open(name, _FOLDER, dir_fd=here)
            except FileNotFoundError:
                raise
            except OSError:
                raise LeadsAway from None
            opened.callback(os.close, here)
        yield here


def read(root: Path, parts: Parts) -> str | None:
    """The text of a file, None when there is none. Raises LeadsAway for a link or what is no plain file."""
    try:
        with _folder(root, parts, None) as folder:
            return _read(folder, parts[-1])
    except FileNotFoundError:
        return None


def _read(folder: int, name: str) -> str | None:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError:
        raise LeadsAway from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise LeadsAway
        return file.read(_MAX_READ).decode("utf-8", "replace")


@dataclass(slots=True)
class _Place:
    """One file on its way: its folder (held open), and what stood there before."""

    folder: int
    name: str
    temporary: str
    before: bytes | None
    mode: int
    moved: bool = False


@dataclass(slots=True)
class _Work:
    places: list[_Place] = field(default_factory=list)
    made: list[tuple[Parts, str]] = field(default_factory=list)


def write_all(root: Path, files: Sequence[tuple[Parts, str]]) -> None:
    """Write all files or none. Raises LeadsAway, or Conflict when the disk refuses; then all is as it was."""
    work = _Work()
    with ExitStack() as opened:
        try:
            for parts, content in files:
                folder = opened.enter_context(_folder(root, parts, work.made))
                work.places.append(_stage(folder, parts[-1], content.encode()))
            for place in work.places:
                os.replace(place.temporary, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
                place.moved = True
        except OSError as error:
            _undo(root, work)
            raise Conflict(
                f"Nothing was written: the disk refused ({error.strerror}).", code="CANNOT_BE_WRITTEN"
            ) from error
        except BaseException:
            _undo(root, work)
            raise


def _stage(folder: int, name: str, content: bytes) -> _Place:
    """Write a file's new content beside its place."""
    before, mode = None, 0o644
    with suppress(FileNotFoundError):
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            raise LeadsAway
        mode = stat.S_IMODE(found.st_mode) & 0o777
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as file:
            before = file.read()
    place = _Place(folder, name, f".{secrets.token_hex(8)}.tmp", before, mode)
    _put(place, content)
    return place


def _put(place: _Place, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(place.temporary, flags, place.mode, dir_fd=place.folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        os.unlink(place.temporary, dir_fd=place.folder)
        raise


def _undo(root: Path, work: _Work) -> None:
    """Put back what stood there: files by a move as well, folders that were made only if they are empty."""
    for place in reversed(work.places):
        with suppress(OSError):
            if not place.moved:
                os.unlink(place.temporary, dir_fd=place.folder)
            elif place.before is None:
                os.unlink(place.name, dir_fd=place.folder)
            else:
                _put(place, place.before)
                os.replace(place.temporary, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    for parts, name in reversed(work.made):
        with suppress(OSError), _folder(root, parts, None) as folder:
            os.rmdir(name, dir_fd=folder)
