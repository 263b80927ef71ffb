"""What the builder may write, and how a change reads. Pure: it looks at names and texts, never at a disk."""

import difflib
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

MODES: Final = ("add", "replace")
MAX_FILE_BYTES: Final = 200_000
MAX_FILES: Final = 200
#: Names that are never written, in whatever case a file system may read them.
_NEVER: Final = frozenset({".git", ".hg", ".svn", ".env"})
_FORBIDDEN: Final = frozenset('\\:*?"<>|')


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file as it is to be. `base` is the digest of the text that the draft was made against, None for none."""

    path: str
    content: str
    mode: str
    base: str | None = None


def parts_of(path: str, allowed: Sequence[str]) -> tuple[str, ...] | None:
    """The segments of a path that may be written, or None: relative, plain, and in one of the allowed folders."""
    if not 0 < len(path) <= 500 or not path.isprintable() or _FORBIDDEN & set(path):
        return None
    parts = tuple(path.split("/"))
    for part in parts:
        plain = part not in ("", ".", "..") and part == part.strip() and not part.endswith(".") and len(part) <= 200
        if not plain or part.lower() in _NEVER or part.startswith("~"):
            return None
    inside = any(parts[: len(folder)] == folder for folder in (tuple(name.split("/")) for name in allowed if name))
    return parts if inside else None


def digest(text: str | None) -> str | None:
    """What tells one text of a file from another; None for a file that does not exist."""
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def diff(path: str, before: str | None, after: str) -> str:
    """A file's change as a unified diff that `patch -p1` and `git apply` take; "" when nothing changes."""
    old = [] if before is None else before.splitlines(keepends=True)
    lines = difflib.unified_diff(
        old, after.splitlines(keepends=True), "/dev/null" if before is None else f"a/{path}", f"b/{path}"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def patch(diffs: Iterable[str]) -> str:
    """Several files' changes as one patch."""
    return "".join(diffs)
