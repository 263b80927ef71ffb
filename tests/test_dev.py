"""The script `dev`: it sets up once, in any folder, and hands over cleanly."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.processes import ROOT

#: Stands in for a Python that can make environments: `-m venv` links itself, pip only reports its arguments.
PYTHON = """#!/bin/sh
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip") shift 2; echo "Collecting a thing"; echo "pip $*" >> calls ;;
    "-c import"*) ;;
    *) echo "run $*" >> calls ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in a path with spaces, and a `python3.13` that records its calls in the file `calls`."""
    folder = tmp_path / "a b" / "alertbook"
    (folder / "bench").mkdir(parents=True)
    for name in ("dev", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "bench" / "writes.py").write_text("")
    fake = tmp_path / "bin" / "python3.13"
    fake.parent.mkdir()
    fake.write_text(PYTHON)
    fake.chmod(0o755)
    return folder


def dev(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = f"{checkout.parent.parent / 'bin'}:/usr/bin:/bin"
    return subprocess.run(
        [str(checkout / "dev"), *arguments],
        cwd="/",
        env={"PATH": path, "HOME": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )


def calls(checkout: Path) -> list[str]:
    return (checkout / "calls").read_text().splitlines()


def test_serve_sets_up_once_and_becomes_gunicorn(checkout: Path) -> None:
    first = dev(checkout, "serve")
    assert first.returncode == 0, first.stderr
    assert "Installing requirements.txt" in first.stderr
    second = dev(checkout, "serve")
    assert second.stderr == ""
    served = "run -m gunicorn -c gunicorn.conf.py"
    assert calls(checkout) == ["pip install --disable-pip-version-check --no-input -r requirements.txt", served, served]


def test_the_tests_requirements_hold_the_servers(checkout: Path) -> None:
    assert dev(checkout, "test", "tests").returncode == 0
    assert dev(checkout, "serve").stderr == ""


def test_a_broken_environment_is_made_anew(checkout: Path) -> None:
    dev(checkout, "serve")
    (checkout / ".venv" / "bin" / "python").unlink()
    assert "Creating .venv" in dev(checkout, "serve").stderr


def test_changed_requirements_are_installed_again(checkout: Path) -> None:
    dev(checkout, "serve")
    with (checkout / "requirements.txt").open("a") as requirements:
        requirements.write("another==1.0\n")
    assert "Installing requirements.txt" in dev(checkout, "serve").stderr


def test_a_failed_installation_is_not_taken_for_one(checkout: Path) -> None:
    fake = checkout.parent.parent / "bin" / "python3.13"
    fake.write_text(PYTHON.replace('echo "pip $*" >> calls', "exit 1"))
    assert dev(checkout, "serve").returncode == 1
    shutil.rmtree(checkout / ".venv")
    fake.write_text(PYTHON)
    assert dev(checkout, "serve").returncode == 0


def test_arguments_of_test_go_to_pytest(checkout: Path) -> None:
    assert dev(checkout, "test", "tests/state", "-k", "a b").returncode == 0
    assert calls(checkout)[-1] == "run -m pytest tests/state -k a b"


def test_test_runs_every_check_and_then_all_tests_with_coverage(checkout: Path) -> None:
    assert dev(checkout, "test").returncode == 0
    ran = " / ".join(calls(checkout))
    for check in ("ruff check .", "ruff format --check .", "mypy .", "importlinter", "sqlfluff lint"):
        assert check in ran
    processes = (os.cpu_count() or 1) + 1
    assert calls(checkout)[-1] == f"run -m pytest -n {processes} --maxprocesses 4 --cov --cov-fail-under=95"


def test_pgbouncer_is_handed_to_the_tests_by_its_path(checkout: Path) -> None:
    program = checkout.parent.parent / "bin" / "pgbouncer"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    fake = checkout.parent.parent / "bin" / "python3.13"
    fake.write_text(PYTHON.replace('echo "run $*"', 'echo "run $ALERTBOOK_TEST_PGBOUNCER $*"'))
    assert dev(checkout, "test", "--pgbouncer", "tests/state").returncode == 0
    assert calls(checkout)[-1] == f"run {program} -m pytest tests/state"
    assert dev(checkout, "test", "tests/state").returncode == 0
    assert calls(checkout)[-1] == "run  -m pytest tests/state"


def test_bench_lists_and_refuses_unknown_names(checkout: Path) -> None:
    assert dev(checkout, "bench").stdout == "writes\n"
    assert dev(checkout, "bench", "writes", "--fast").returncode == 0
    assert calls(checkout)[-1] == "run -P bench/writes.py --fast"
    unknown = dev(checkout, "bench", "none")
    assert unknown.returncode == 1
    assert "there is no bench/none.py" in unknown.stderr


def test_psql_is_opened_by_deploy(checkout: Path) -> None:
    assert dev(checkout, "psql", "-c", "SELECT 1").returncode == 0
    assert calls(checkout)[-1] == "run deploy.py psql -- -c SELECT 1"


def test_help_and_unknown_commands(checkout: Path) -> None:
    assert dev(checkout).stdout == dev(checkout, "help").stdout
    unknown = dev(checkout, "deploy")
    assert unknown.returncode == 1
    assert "unknown command 'deploy'" in unknown.stderr


def test_a_machine_without_python_is_told_so(checkout: Path) -> None:
    tools = checkout.parent / "tools"
    tools.mkdir()
    for name in ("bash", "dirname", "cat", "cmp", "env"):
        (tools / name).symlink_to(str(shutil.which(name)))
    answer = subprocess.run(
        [str(tools / "bash"), str(checkout / "dev"), "serve"],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert "Python 3.11 or newer is needed" in answer.stderr


def test_continuous_integration_runs_the_same_command() -> None:
    runner = ROOT / ".ci" / "run"
    assert os.stat(runner).st_mode & stat.S_IXUSR
    assert runner.read_text().endswith("\nCI=true ./dev test\nCI=true exec ./dev faults\n")
    jobs = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert jobs.count("- run: .ci/run") == 1
    assert "faults" not in jobs
