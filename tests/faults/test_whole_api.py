"""Every operation of the API's description meets generated requests: no 5xx, no undocumented status."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import server

pytestmark = pytest.mark.faults

SEED = "20261120"


def test_no_generated_request_finds_a_fault_or_an_undocumented_status(tmp_path: Path) -> None:
    with server(tmp_path / "data", environment={"WEB_CONCURRENCY": "2"}) as one:
        checks = ("--checks", "not_a_server_error,status_code_conformance", "--phases", "examples,coverage,fuzzing")
        bounds = ("--seed", SEED, "--max-examples", "15", "--request-timeout", "20", "--suppress-health-check", "all")
        program = "from schemathesis.cli import schemathesis; schemathesis()"
        run = subprocess.run(
            [sys.executable, "-c", program, "run", f"{one.url}/openapi.json", *checks, *bounds, "--no-color"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        print(run.stdout[-1500:])  # noqa: T201
        assert run.returncode == 0, run.stdout + run.stderr
        assert one.answers()
