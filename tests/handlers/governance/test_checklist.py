"""The go-live checklist: each check broken in turn fails under its own name and no other."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from handlers.governance import checklist
from handlers.packs import PACKS, Pack
from handlers.services import Services
from jobs import backup, running
from settings import Settings, load
from tests.conftest import run_sql
from web_server import create_app

REQUIRED = {"backend_complete", "packs_installed", "caps_set", "audit_verifies", "intake_healthy"}
CHECKLIST = "/api/governance/go-live/checklist"
ENABLE = "/api/governance/go-live/enable"


def failing(client: FlaskClient) -> set[str]:
    found = client.get(CHECKLIST).get_json()
    assert set(found["required"]) == REQUIRED
    names = {name for name, check in found["required"].items() if not check["ok"]}
    assert found["ok"] == (not names)
    return names


def test_a_fresh_installation_may_go_live(client: FlaskClient) -> None:
    assert failing(client) == set()
    answer = client.post(ENABLE, json={"actor": "me"})
    assert (answer.status_code, answer.get_json()["go_live_enabled"]) == (200, True)


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("DELETE FROM _yoyo_migration WHERE migration_id LIKE '0024.%'", "backend_complete"),
        ("UPDATE risk_policy SET enabled = FALSE WHERE engine = 'GLOBAL'", "caps_set"),
        ("UPDATE risk_policy SET max_open_risk = 0 WHERE engine = 'WHOLESALE'", "caps_set"),
        ("UPDATE governance_audit SET actor = 'somebody else' WHERE seq = 1", "audit_verifies"),
        ("DELETE FROM governance_audit WHERE seq = 1", "audit_verifies"),
    ],
)
def test_each_fault_fails_under_its_name(client: FlaskClient, database_url: str, fault: str, name: str) -> None:
    client.post("/api/governance/go-live/disable", json={"actor": "me", "reason": "a record"})
    run_sql(database_url, fault)
    assert failing(client) == {name}


def test_a_dropped_table_fails_the_backend_and_its_pack(client: FlaskClient, database_url: str) -> None:
    run_sql(database_url, "DROP TABLE kpi_event")
    assert failing(client) == {"backend_complete", "packs_installed"}
    required = client.get(CHECKLIST).get_json()["required"]
    assert required["backend_complete"]["detail"]["missing_tables"] == ["kpi_event"]
    assert required["packs_installed"]["detail"]["missing_or_not_installed"] == ["tripwire"]


def test_a_pack_that_says_it_is_ill(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checklist, "PACKS", (*PACKS, Pack("builder", lambda _services: "its folder is gone")))
    assert failing(client) == {"packs_installed"}


def test_a_stopped_drainer(app: Flask, client: FlaskClient) -> None:
    services: Services = app.extensions["alertbook"]
    services.caretaker.stop()
    services.spool.put("events", datetime.now(UTC), "[]", timeout=5)
    assert failing(client) == {"intake_healthy"}
    assert "1 alerts wait in the spool" in str(client.get(CHECKLIST).get_json()["required"]["intake_healthy"])


def test_a_database_that_takes_no_writes(settings: Settings, direct_url: str) -> None:
    name = direct_url.partition("?")[0].rpartition("/")[2]
    run_sql(direct_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert failing(create_app(settings).test_client()) == {"intake_healthy"}


def test_a_full_quarantine(database_url: str, tmp_path: Path) -> None:
    small = {"DATABASE_URL": database_url, "ALERTBOOK_DATA_DIR": str(tmp_path), "QUARANTINE_MAX_TOTAL": "2"}
    client = create_app(load(small)).test_client()
    waiting = (
        "INSERT INTO quarantine (received_at, peer, raw, reason, message, details, parser_version) "
        "VALUES (clock_timestamp(), 'p', '', 'r', 'm', '[]', '1')"
    )
    run_sql(database_url, waiting)
    assert failing(client) == set()
    run_sql(database_url, waiting)
    assert failing(client) == {"intake_healthy"}


def test_a_builder_without_its_folder(database_url: str, tmp_path: Path) -> None:
    root = tmp_path / "desk"
    root.mkdir()
    given = {"DATABASE_URL": database_url, "ALERTBOOK_DATA_DIR": str(tmp_path), "BUILDER_ROOT": str(root)}
    client = create_app(load(given)).test_client()
    assert failing(client) == set()
    root.rmdir()
    assert failing(client) == {"packs_installed"}


def test_enabling_answers_what_fails_and_an_override_is_told(client: FlaskClient, database_url: str) -> None:
    run_sql(database_url, "UPDATE risk_policy SET max_daily_loss = 0 WHERE engine = 'GLOBAL'")
    refused = client.post(ENABLE, json={"actor": "me"})
    assert refused.status_code == 412
    body = refused.get_json()
    assert (body["ok"], body["failing"], body["required"]["caps_set"]["ok"]) == (False, ["caps_set"], False)
    unsaid = client.post(ENABLE, json={"actor": "me", "override": True})
    assert (unsaid.status_code, unsaid.get_json()["details"][0]["field"]) == (422, "reason")
    assert not client.get("/api/governance/go-live/state").get_json()["go_live_enabled"]
    forced = client.post(ENABLE, json={"changed_by": "me", "override": True, "reason": "known"})
    assert forced.get_json()["go_live_enabled"]
    record = client.get("/api/governance/audit?limit=1").get_json()["items"][0]
    assert (record["action"], record["reason"]) == ("go_live.enable", "known")
    assert (record["after"]["override"], record["after"]["failing"]) == (True, ["caps_set"])


def test_warnings_do_not_forbid(client: FlaskClient, settings: Settings, database_url: str) -> None:
    warnings = client.get(CHECKLIST).get_json()["warnings"]
    assert {name: warning["ok"] for name, warning in warnings.items()} == {
        "tripwire": True,
        "key_age": True,
        "last_backup": False,
    }
    run_sql(database_url, "INSERT INTO regression_state (domain, metric, triggered) VALUES ('D', 'm', TRUE)")
    done = running.run(backup.JOB, settings, ("--made-elsewhere", "a snapshot"), now=datetime.now(UTC))
    assert done.exit_code == 0
    found = client.get(CHECKLIST).get_json()
    assert (found["ok"], found["warnings"]["tripwire"]["ok"], found["warnings"]["last_backup"]["ok"]) == (
        True,
        False,
        True,
    )
    assert found["warnings"]["last_backup"]["detail"]["made_elsewhere"] == "a snapshot"
    run_sql(database_url, "UPDATE job_runs SET finished_at = finished_at - interval '2 days'")
    assert not client.get(CHECKLIST).get_json()["warnings"]["last_backup"]["ok"]


def test_an_old_key_is_named_but_never_shown(database_url: str, tmp_path: Path) -> None:
    keys = {"ADMIN_KEY": "admin-key-12345", "API_KEY": "api-key-12345"}
    app = create_app(load({"DATABASE_URL": database_url, "ALERTBOOK_DATA_DIR": str(tmp_path), **keys}))
    headers = {"X-Admin-Key": "admin-key-12345"}
    client = app.test_client()
    client.post("/api/governance/go-live/disable", json={"actor": "me"}, headers=headers)
    run_sql(database_url, "UPDATE governance_audit SET at = at - interval '91 days'")
    warning = client.get(CHECKLIST, headers=headers).get_json()["warnings"]["key_age"]
    assert not warning["ok"]
    assert warning["detail"][0]["key_id"].startswith("admin:")
    assert "admin-key" not in client.get("/api/governance/audit", headers=headers).get_data(as_text=True)


def test_a_checklist_without_a_database(tmp_path: Path) -> None:
    away = load({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "ALERTBOOK_DATA_DIR": str(tmp_path)})
    assert failing(create_app(away).test_client()) == REQUIRED
