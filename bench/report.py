"""What every bench does at its ends: bench-only packages before, a table and a file of results after."""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def require(*requirements: str) -> None:
    """Install bench-only packages into this environment, where they are missing."""
    missing = [one for one in requirements if find_spec(one.partition("==")[0]) is None]
    if missing:
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", *missing], check=True)


def publish(name: str, rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table and keep them in bench/results/<name>.json with the machine and the date."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [columns, *([str(row.get(column, "")) for column in columns] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    for line in cells:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")
    RESULTS.mkdir(exist_ok=True)
    about = {
        "bench": name,
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
    (RESULTS / f"{name}.json").write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n")
