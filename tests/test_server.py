"""The server as its users start it: how it begins, refuses and ends."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.processes import ROOT, Server, copy_of_the_product, family, needs, none_left, only_when, server

ALERT = {"type": "ENTRY", "signal_id": "kept", "entry_price": 20500}


def post(url: str, alert: dict[str, object]) -> int:
    """Send one alert; the status of the answer."""
    with urlopen(
        Request(f"{url}/api/automated-signals/webhook", data=json.dumps(alert).encode()), timeout=20
    ) as answer:
        return int(answer.status)


def trade_exists(url: str, trade_id: str) -> bool:
    with urlopen(f"{url}/api/automated-signals/trade/{trade_id}", timeout=20) as answer:
        return bool(json.load(answer)["trade"]["trade_id"] == trade_id)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for the tests of this file, each of which starts the server anew."""
    return tmp_path_factory.mktemp("server") / "data"


def refusal(**options: object) -> tuple[int, str]:
    """Exit code and output of a server that ought not to start."""
    one = Server(**options).launch()  # type: ignore[arg-type]
    try:
        output = one.output()
        assert one.process is not None
        return one.process.returncode, output
    finally:
        one.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_and_an_idle_connection_does_not_delay_it(data: Path, number: int) -> None:
    with server(data) as one:
        idle = http.client.HTTPConnection("127.0.0.1", one.port)
        idle.request("GET", "/healthz")
        idle.getresponse().read()
        processes = family(one.pid)
        assert len(processes) > 5
        started = time.monotonic()
        one.signal(number)
        output = one.output()
        idle.close()
        assert one.process is not None
        assert one.process.returncode == 0, output
        none_left(processes, 1)
        assert time.monotonic() - started < 20  # waiting for the connection would take 25
        assert "Traceback" not in output


@pytest.mark.faults
def test_killing_all_of_it_loses_no_answered_alert(data: Path) -> None:
    with server(data) as one:
        assert post(one.url, ALERT) == 200
        for process in family(one.pid):
            if process.is_running():
                process.kill()
        one.output()
    with server(data) as again:
        assert trade_exists(again.url, "kept")


def test_the_banner_tells_where_and_how_but_no_key(data: Path) -> None:
    keys = {"WEBHOOK_SECRET": "hush-hush-hush", "API_KEY": "sesame-open-up"}
    with server(data, environment=keys) as one:
        one.signal(signal.SIGTERM)
        output = one.output()
    assert f"ready: {one.url}" in output
    assert str(data) in output
    assert "ADMIN_KEY, INTERNAL_TOKEN, SESSION_SECRET unset" in output
    assert f"curl -X POST {one.url}/api/automated-signals/webhook/$WEBHOOK_SECRET" in output
    assert "hush" not in output
    assert "sesame" not in output


def test_a_second_server_on_the_same_data_is_refused(data: Path) -> None:
    with server(data) as one:
        code, output = refusal(data=data)
        assert code == 1
        assert f"process {one.pid}) already uses the data folder" in output
        assert "Traceback" not in output
        assert one.answers()


def test_a_taken_port_is_told_at_once_and_nothing_is_left(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, output = refusal(data=tmp_path / "data", port=taken.getsockname()[1])
    assert code == 1
    assert "cannot be used (Address already in use)" in output
    assert "Retrying" not in output  # as gunicorn does for five seconds
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"PORT": "http"}, "PORT"),
        ({"HOST": "0.0.0.0"}, "these keys are unset: WEBHOOK_SECRET, API_KEY, ADMIN_KEY"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL must start with postgresql://"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_one_sentence(
    tmp_path: Path, environment: dict[str, str], sentence: str
) -> None:
    code, output = refusal(data=tmp_path / "data", environment=environment)
    assert code == 2
    assert sentence in output
    assert "Traceback" not in output
    assert not (tmp_path / "data").exists()


def test_an_unreachable_database_is_told(tmp_path: Path) -> None:
    code, output = refusal(data=tmp_path, environment={"DATABASE_URL": "postgresql://x@127.0.0.1:1/x"})
    assert code == 1
    assert "The database cannot be reached" in output
    assert "Traceback" not in output


def test_a_platform_without_a_database_is_warned(data: Path) -> None:
    with server(data, environment={"RAILWAY_PROJECT_ID": "1", "HOST": "127.0.0.1"}) as one:
        one.signal(signal.SIGTERM)
        output = one.output()
    assert "RAILWAY_PROJECT_ID says that this is a deployment, but DATABASE_URL is unset" in output


def test_an_ordinary_user_can_run_it_too(tmp_path: Path) -> None:
    only_when(os.geteuid() == 0, "as root, which can become somebody else; otherwise every test shows it")
    become = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    needs(shutil.which("setpriv"), "setpriv")
    asked = (*become, sys.executable, "-c", "import sys; print(sys.version)")
    version = subprocess.run(asked, check=False, capture_output=True, text=True, cwd="/").stdout.strip()
    only_when(version == sys.version, "with a Python that lies outside root's home")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    home = copy_of_the_product(tmp_path / "a clone" / "alertbook")
    subprocess.run(["chown", "-R", "nobody", str(home)], check=True)
    environment = {"HOME": str(home), "ALERTBOOK_DATA_DIR": str(home / "data")}
    command = (*become, sys.executable, "web_server.py")
    with server(home / "data", command=command, cwd=home, environment=environment) as one:
        assert post(one.url, ALERT) == 200
        assert (home / "data" / "postgres").stat().st_uid == home.stat().st_uid
        assert {process.uids().effective for process in family(one.pid)} == {home.stat().st_uid}


def test_a_broken_request_does_not_carry_the_secret_into_the_log(data: Path) -> None:
    with server(data, environment={"WEBHOOK_SECRET": "hush-hush-hush"}) as one:
        with socket.create_connection(("127.0.0.1", one.port)) as connection:
            connection.sendall(b"POST /api/automated-signals/webhook/hush-hush-hush broken HTTP/1.1\r\n\r\n")
            assert b" 400 " in connection.recv(1000)
        one.signal(signal.SIGTERM)
        output = one.output()
    assert "hush-hush" not in output


def test_procfile_and_platform_files_start_the_same_server() -> None:
    railway = json.loads((ROOT / "railway.json").read_text())["deploy"]
    render = (ROOT / "render.yaml").read_text()
    assert f"web: {railway['startCommand']}\n" in (ROOT / "Procfile").read_text()
    assert f"startCommand: {railway['startCommand']}\n" in render
    assert f"healthCheckPath: {railway['healthcheckPath']}\n" in render
    assert f"preDeployCommand: {railway['preDeployCommand'][0]}\n" in render
    assert railway["drainingSeconds"] == 30
