"""The embedded database: where it may live, how it ends, and that nothing ends it for good."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg2
import pytest

from database import accounts
from database.embedded import (
    EmbeddedPostgres,
    EmbeddedPostgresError,
    binary,
    running_url,
)
from database.keeper import processes_of, trim_log
from tests.processes import ROOT, family, none_left, only_when, wait_until

QUICK = {"fsync": "off", "shared_buffers": "16MB"}

#: A process that starts an embedded database, says so, and waits to be killed.
OWNER = """
import sys, time
from pathlib import Path
from database.embedded import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1]), settings={"shared_buffers": "16MB"}).start(), flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose database exists already and is stopped; copy it instead of creating another."""
    folder = tmp_path_factory.mktemp("cluster") / "data"
    postgres = EmbeddedPostgres(folder, settings=QUICK)
    postgres.start()
    postgres.stop()
    return folder


@pytest.fixture
def data(cluster: Path, tmp_path: Path) -> Path:
    """A copy of that folder, under a path with spaces, brackets and 120 characters more."""
    folder = tmp_path / "a b [c]" / ("x" * 120) / "data"
    folder.parent.mkdir(parents=True)
    subprocess.run(["cp", "-a", str(cluster), str(folder)], check=True)
    return folder


@pytest.fixture
def postgres(data: Path) -> Iterator[EmbeddedPostgres]:
    """A started database in that folder."""
    one = EmbeddedPostgres(data, settings=QUICK)
    one.start()
    yield one
    one.stop()


def ask(url: str, statement: str) -> object:
    """The first value of a statement's first row, committed."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None
    finally:
        connection.close()


def answers(url: str) -> bool:
    """True when the database takes connections."""
    try:
        return ask(url, "SELECT 1") == 1
    except psycopg2.OperationalError:
        return False


def postmaster(data: Path) -> psutil.Process:
    """The running postmaster of a data folder."""
    return psutil.Process(int((data / "postgres" / "postmaster.pid").read_text().split()[0]))


def command_of(process: psutil.Process) -> str:
    """Its command line; nothing of one that has ended in the meantime."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def start_owner(data: Path) -> tuple[subprocess.Popen[str], str]:
    """A process that owns a started database, and the database's URL."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(data)], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert owner.stdout is not None
    return owner, owner.stdout.readline().strip()


def test_it_listens_on_no_network_address_and_in_a_private_folder(postgres: EmbeddedPostgres, data: Path) -> None:
    assert ask(postgres.url, "SHOW listen_addresses") == ""
    folder = Path(str(ask(postgres.url, "SHOW unix_socket_directories")).strip('"'))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(str(folder)) < 88
    assert ask(postgres.url, "SHOW data_directory") == str(data / "postgres")
    assert ask(postgres.url, "SHOW server_encoding") == "UTF8"


def test_stop_leaves_no_process_no_socket_and_no_lock(data: Path) -> None:
    postgres = EmbeddedPostgres(data, settings=QUICK)
    url = postgres.start()
    processes = processes_of("alertbook-")
    mine = [one for one in processes if str(data) in command_of(one)]
    folder = Path(str(ask(url, "SHOW unix_socket_directories")).strip('"'))
    assert mine
    postgres.stop()
    none_left(mine, 1)
    assert not folder.exists()
    assert running_url(data) is None
    postgres.stop()
    again = EmbeddedPostgres(data, settings=QUICK)
    again.start()
    again.stop()


def test_running_url_finds_the_database_of_another_process(postgres: EmbeddedPostgres, data: Path) -> None:
    assert running_url(data) == postgres.url


def test_the_folder_is_refused_to_a_second_server(data: Path) -> None:
    owner, url = start_owner(data)
    try:
        with pytest.raises(EmbeddedPostgresError, match=rf"process {owner.pid}\) already uses the data folder"):
            EmbeddedPostgres(data).start()
        assert answers(url)
    finally:
        processes = family(owner.pid)
        owner.kill()
        owner.communicate()
        none_left(processes)


def test_the_folder_is_refused_to_a_second_one_in_this_process(postgres: EmbeddedPostgres, data: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="This process already uses"):
        EmbeddedPostgres(data).start()
    assert answers(postgres.url)


def test_a_killed_owner_takes_everything_with_it_and_loses_nothing(data: Path) -> None:
    owner, url = start_owner(data)
    ask(url, "CREATE TABLE kept (n INT)")
    ask(url, "INSERT INTO kept VALUES (42)")
    processes = family(owner.pid)
    assert len(processes) > 3
    os.kill(owner.pid, signal.SIGKILL)
    owner.communicate()
    postgres = EmbeddedPostgres(data, settings=QUICK)
    assert ask(postgres.start(), "SELECT n FROM kept") == 42
    none_left(processes)
    postgres.stop()


def test_killing_every_process_at_once_loses_nothing(data: Path) -> None:
    owner, url = start_owner(data)
    ask(url, "CREATE TABLE kept (n INT)")
    ask(url, "INSERT INTO kept VALUES (42)")
    processes = family(owner.pid)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    owner.communicate()
    postgres = EmbeddedPostgres(data, settings=QUICK)
    assert ask(postgres.start(), "SELECT n FROM kept") == 42
    postgres.stop()


def test_killing_owner_and_keeper_leaves_no_postmaster(data: Path) -> None:
    only_when(sys.platform.startswith("linux"), "on Linux")
    owner, url = start_owner(data)
    folder = Path(str(ask(url, "SHOW unix_socket_directories")).strip('"'))
    processes = family(owner.pid)
    keeper = next(one for one in processes if "database.keeper" in one.cmdline())
    os.kill(owner.pid, signal.SIGKILL)
    keeper.kill()
    owner.communicate()
    none_left(processes, 20)
    # the next start also removes the socket folder that nobody was left to remove
    postgres = EmbeddedPostgres(data, settings=QUICK)
    postgres.start()
    assert not folder.exists()
    postgres.stop()


def test_a_killed_postmaster_is_started_again(postgres: EmbeddedPostgres, data: Path) -> None:
    first = postmaster(data)
    first.kill()
    wait_until(lambda: answers(postgres.url) and postmaster(data).pid != first.pid, 30, "a new postmaster")


def test_a_killed_keeper_is_replaced(postgres: EmbeddedPostgres, data: Path) -> None:
    keeper = postmaster(data).parent()
    assert keeper is not None
    keeper.kill()
    wait_until(lambda: not answers(postgres.url), 10, "the end of the first database")
    wait_until(lambda: answers(postgres.url), 30, "the second database")


def test_a_stale_lock_file_with_a_reused_pid_does_not_matter(data: Path) -> None:
    # the pid of a living process of PostgreSQL's own account, which PostgreSQL itself would take for a rival
    account = accounts.needed_account(data / "postgres")
    sleeper = subprocess.Popen(["sleep", "600"], user=account.uid if account else None)
    try:
        pid_file = data / "postgres" / "postmaster.pid"
        pid_file.write_text(
            f"{sleeper.pid}\n{data / 'postgres'}\n1700000000\n5432\n/tmp\n\n  5432001  32768\nready   \n"
        )
        shutil.chown(pid_file, data.joinpath("postgres").stat().st_uid)
        postgres = EmbeddedPostgres(data, settings=QUICK)
        assert answers(postgres.start())
        postgres.stop()
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_half_made_cluster_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres.new" / "base").mkdir(parents=True)
    postgres = EmbeddedPostgres(tmp_path, settings=QUICK)
    assert answers(postgres.start())
    assert not (tmp_path / "postgres.new").exists()
    postgres.stop()


def test_a_forked_child_cannot_stop_it(postgres: EmbeddedPostgres) -> None:
    child = os.fork()
    if child == 0:
        postgres.stop()
        os._exit(0)
    os.waitpid(child, 0)
    assert answers(postgres.url)


def test_a_setting_that_postgresql_refuses_is_told_with_its_reason(data: Path) -> None:
    postgres = EmbeddedPostgres(data, settings={"shared_buffers": "not a size"})
    with pytest.raises(EmbeddedPostgresError, match=r"does not start: .*shared_buffers"):
        postgres.start()
    assert running_url(data) is None


def test_data_of_another_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedPostgresError, match="written by PostgreSQL 9"):
        EmbeddedPostgres(tmp_path).start()


def test_a_data_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedPostgresError, match="cannot be used"):
        EmbeddedPostgres(tmp_path / "file" / "data").start()


def test_a_program_that_the_wheel_lacks_is_told() -> None:
    assert binary("pg_dump").name == "pg_dump"
    with pytest.raises(EmbeddedPostgresError, match="set DATABASE_URL"):
        binary("no_such_program")


def test_an_outgrown_log_is_moved_aside(tmp_path: Path) -> None:
    log = tmp_path / "postgres.log"
    trim_log(log)
    log.write_text("x" * 100)
    trim_log(log, limit=100)
    assert log.stat().st_size == 100
    trim_log(log, limit=99)
    assert log.stat().st_size == 0
    assert (tmp_path / "postgres.log.1").stat().st_size == 100


@pytest.fixture
def stranger() -> accounts.Account:
    """An account that owns nothing here."""
    only_when(os.geteuid() == 0, "as root")
    return accounts.Account(64999, 64999)


def test_only_closed_folders_are_opened_and_only_for_passing(tmp_path: Path, stranger: accounts.Account) -> None:
    tmp_path.chmod(0o755)
    closed, open_already = tmp_path / "closed", tmp_path / "closed" / "open"
    open_already.mkdir(parents=True)
    closed.chmod(0o700)
    open_already.chmod(0o755)
    opened = accounts.open_passage(open_already / "data", stranger)
    assert closed in opened
    assert open_already not in opened
    assert stat.S_IMODE(closed.stat().st_mode) == 0o701
    assert accounts.open_passage(open_already / "data", stranger) == []


def test_private_programs_are_shared_for_reading_and_running(tmp_path: Path, stranger: accounts.Account) -> None:
    (tmp_path / "bin").mkdir()
    program, library = tmp_path / "bin" / "postgres", tmp_path / "bin" / "lib.so"
    program.write_text("")
    library.write_text("")
    program.chmod(0o700)
    library.chmod(0o600)
    (tmp_path / "bin" / "link").symlink_to("/etc/shadow")
    assert accounts.share_programs(tmp_path, stranger)
    assert stat.S_IMODE(program.stat().st_mode) == 0o755
    assert stat.S_IMODE(library.stat().st_mode) == 0o644
    assert not accounts.share_programs(tmp_path, stranger)


def test_root_never_runs_postgresql_itself(postgres: EmbeddedPostgres, data: Path) -> None:
    only_when(os.geteuid() == 0, "as root")
    assert postmaster(data).uids().real != 0


def test_without_an_account_of_its_own_it_runs_as_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    only_when(os.geteuid() == 0, "as root")
    monkeypatch.setattr(accounts, "ACCOUNT_NAME", "no-such-account")
    monkeypatch.setattr("shutil.which", lambda name, path: None)
    account = accounts.needed_account(tmp_path)
    assert account is not None
    assert account.uid == 65534
