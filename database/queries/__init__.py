"""The queries, loaded once from the .sql files beside this: one attribute per file, one function per query."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiosql


def _load(folder: Path) -> Any:
    return SimpleNamespace(**{file.stem: aiosql.from_path(file, "psycopg2") for file in sorted(folder.glob("*.sql"))})


QUERIES: Any = _load(Path(__file__).parent)
