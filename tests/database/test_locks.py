"""Advisory locks: no two kinds of work share one, or a reader would wait for a job that it has nothing to do with."""

import re
from pathlib import Path

from tests.processes import ROOT

LOCK = re.compile(r"advisory_xact_lock(?:_shared)?\((\d+), (\w+)")


def test_no_two_kinds_of_work_wait_for_the_same_lock() -> None:
    found: dict[tuple[str, str], Path] = {}
    for path in sorted((ROOT / "database" / "queries").glob("*.sql")):
        for number, part in LOCK.findall(path.read_text(encoding="utf-8")):
            known = found.setdefault((number, part), path)
            assert known == path, f"{path.name} and {known.name} share lock {number}"
    assert len(found) > 3
