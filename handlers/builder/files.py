"""Reaching files below the builder's root, so that no link and no race leads outside.

Every folder on the way is opened by its name within the one before it and never through a link.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Final

Parts = tuple[str, ...]

_MAX_READ: Final = 2_000_000
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class LeadsAway(Exception):
    """A link, or something that is no plain file or folder, stands on the way."""


@contextmanager
def folder_of(root: Path, parts: Parts, *, make: bool = False) -> Iterator[int]:
    """The descriptor of the folder that holds a file; with `make`, missing folders are made.

    Raises FileNotFoundError, or LeadsAway for a link or what is no folder.
    """
    with ExitStack() as opened:
        here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        opened.callback(os.close, here)
        for name in parts[:-1]:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=here)
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
        with folder_of(root, parts) as folder, open_in(folder, parts[-1]) as file:
            return file.read(_MAX_READ).decode("utf-8", "replace")
    except FileNotFoundError:
        return None


def open_in(folder: int, name: str) -> BufferedReader:
    """A file of an open folder, for reading. Raises FileNotFoundError, or LeadsAway for what is no plain file."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError:
        raise LeadsAway from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)  # fdopen refuses a folder with an OSError, as a disk would
        raise LeadsAway
    return os.fdopen(descriptor, "rb")
