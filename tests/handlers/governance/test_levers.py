"""The levers over HTTP: fields, forms, repeats, refusals, pages of the audit, the review."""

from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from state import jsontext
from tests.conftest import run_sql

ROOT = "/api/governance"
FORM = "application/x-www-form-urlencoded"


def post(client: FlaskClient, path: str, **body: Any) -> TestResponse:
    return client.post(ROOT + path, json=body)


def get(client: FlaskClient, path: str) -> Any:
    response = client.get(ROOT + path)
    assert response.status_code == 200, response.get_data(as_text=True)
    return response.get_json()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/go-live/disable", {}),
        ("/go-live/enable", {}),
        ("/go-live/kill-switch/engage", {}),
        ("/go-live/kill-switch/release", {}),
        ("/risk/policies/upsert", {"engine": "A"}),
        ("/heimdall/policies/upsert", {"domain": "A"}),
        ("/regression/policies/upsert", {"domain": "A", "metric": "m"}),
    ],
)
def test_a_change_names_who_makes_it(client: FlaskClient, path: str, body: dict[str, Any]) -> None:
    refused = post(client, path, **body)
    assert (refused.status_code, refused.get_json()["details"][0]["field"]) == (422, "actor")
    assert post(client, path, **body, actor="x" * 201).status_code == 422
    assert post(client, path, **body, actor="x", reason="y" * 1001).status_code == 422
    for name in ("actor", "changed_by"):
        assert post(client, path, **body, **{name: "somebody"}).status_code == 200, path
        form = client.post(ROOT + path, data={**body, name: "somebody"}, content_type=FORM)
        assert form.status_code == 200, form.get_data(as_text=True)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/risk/check-and-reserve", {"engine": "A", "amount": 0}, "amount"),
        ("/risk/check-and-reserve", {"engine": "A", "amount": -1}, "amount"),
        ("/risk/check-and-reserve", {"engine": "A", "amount": True}, "amount"),
        ("/risk/check-and-reserve", {"engine": "A" * 101, "amount": 1}, "engine"),
        ("/risk/check-and-reserve", {"engine": "A\n;", "amount": 1}, "engine"),
        ("/risk/check-and-reserve", {"engine": "A", "amount": 1, "ttl_seconds": 0}, "ttl_seconds"),
        ("/risk/check-and-reserve", {"engine": "A", "amount": 1, "reservation_id": ""}, "reservation_id"),
        ("/risk/check-and-reserve", {"engine": "A", "amount": 1, "reservation_id": "r" * 101}, "reservation_id"),
        ("/risk/check-and-reserve", {"engine": "A", "amount": 1, "metadata": {"a": ["\x00"]}}, "metadata"),
        ("/risk/check-and-reserve", {"engine": "A", "amount": 1, "amuont": 1}, "amuont"),
        ("/risk/settle", {}, "reservation_id"),
        ("/risk/settle", {"engine": "A"}, "reservation_id"),
        ("/risk/settle", {"reservation_id": "r", "filled_amount": -1}, "filled_amount"),
        ("/risk/policies/upsert", {"engine": "A", "actor": "x", "max_daily_loss": -1}, "max_daily_loss"),
        ("/risk/policies/upsert", {"engine": "A", "actor": "x", "max_actions_per_day": 1.5}, "max_actions_per_day"),
        ("/heimdall/sandbox/trial", {"domain": "A", "confidence": 1.01, "success": True}, "confidence"),
        ("/heimdall/recommend", {"domain": "A", "confidence": -0.1}, "confidence"),
        ("/heimdall/policies/upsert", {"domain": "A", "actor": "x", "min_confidence_prod": 2}, "min_confidence_prod"),
        ("/regression/kpi", {"domain": "A", "metric": "m"}, "success"),
        ("/regression/kpi", {"domain": "A", "metric": "m", "value": "NaN"}, "value"),
        ("/regression/kpi/batch", {"events": []}, "events"),
        ("/regression/policies/upsert", {"domain": "A", "metric": "m", "actor": "x", "action": "BOOM"}, "action"),
        (
            "/regression/policies/upsert",
            {"domain": "A", "metric": "m", "actor": "x", "window_events": 0},
            "window_events",
        ),
    ],
)
def test_each_fault_names_its_field(client: FlaskClient, path: str, body: dict[str, Any], field: str) -> None:
    refused = post(client, path, **body)
    assert refused.status_code == 422, refused.get_data(as_text=True)
    assert [detail["field"] for detail in refused.get_json()["details"]] == [field]


def test_the_policies_as_seeded(client: FlaskClient) -> None:
    caps = [
        (row["engine"], row["enabled"], row["max_daily_loss"], row["max_daily_exposure"], row["max_open_risk"])
        for row in get(client, "/risk/policies")
    ]
    assert caps == [
        ("GLOBAL", True, 250, 1500, 1500),
        ("CAPITAL", True, 150, 750, 750),
        ("NOTIFY", False, 0, 0, 0),
        ("WHOLESALE", True, 200, 1000, 1000),
    ]
    charters = {
        row["domain"]: (row["min_confidence_prod"], row["min_sandbox_trials"], row["min_sandbox_success_rate"])
        for row in get(client, "/heimdall/policies")
    }
    assert charters == {
        "WHOLESALE_OFFER": (Decimal("0.92"), 75, Decimal("0.82")),
        "BUYER_MATCH": (Decimal("0.90"), 50, Decimal("0.80")),
        "CAPITAL_ROUTE": (Decimal("0.95"), 100, Decimal("0.85")),
        "FOLLOWUP_NEXT_ACTION": (Decimal("0.90"), 60, Decimal("0.80")),
    }
    wires = {
        (row["domain"], row["metric"]): (row["enabled"], row["max_drop_fraction"], row["action"])
        for row in get(client, "/regression/policies")
    }
    assert wires == {
        ("WHOLESALE", "contract_rate"): (False, Decimal("0.20"), "THROTTLE"),
        ("WHOLESALE", "offer_accept_rate"): (False, Decimal("0.15"), "THROTTLE"),
        ("BUYER_MATCH", "match_success"): (False, Decimal("0.25"), "THROTTLE"),
        ("CAPITAL", "roi_event"): (False, Decimal("0.30"), "KILL_SWITCH"),
    }


def test_only_the_fields_sent_change(client: FlaskClient) -> None:
    for path, body in (
        ("/risk/policies", {"engine": "capital", "max_open_risk": "12.345"}),
        ("/heimdall/policies", {"domain": "buyer_match", "use_wilson": True}),
        ("/regression/policies", {"domain": "capital", "metric": "ROI_event", "enabled": True}),
    ):
        before = get(client, path)
        after = post(client, f"{path}/upsert", **body, changed_by="me").get_json()
        key = [name for name in ("engine", "domain", "metric") if name in after]
        old = next(row for row in before if all(row[name] == after[name] for name in key))
        changed = {name for name in after if after[name] != old[name]}
        assert changed == {list(body)[-1], "changed_by", "updated_at"}
        assert after in get(client, path)


def test_the_same_reservation_id_answers_the_same(client: FlaskClient) -> None:
    body = {"engine": "capital", "amount": 10.50, "actor": "a", "reservation_id": "r", "metadata": {"n": [1, None]}}
    first = post(client, "/risk/check-and-reserve", **body)
    assert post(client, "/risk/check-and-reserve", **{**body, "amount": "10.5"}).data == first.data
    for change in ({"amount": 11}, {"engine": "WHOLESALE"}, {"ttl_seconds": 5}, {"metadata": None}, {"actor": "b"}):
        conflict = post(client, "/risk/check-and-reserve", **{**body, **change})
        assert (conflict.status_code, conflict.get_json()["code"]) == (409, "RESERVATION_ID_IN_USE")
    ledger = {row["engine"]: row["exposure_used"] for row in get(client, "/risk/ledger/today")}
    assert ledger == {"GLOBAL": Decimal("10.5"), "CAPITAL": Decimal("10.5"), "WHOLESALE": 0, "NOTIFY": 0}


def test_a_denial_under_an_id_stays_one_and_an_engaged_switch_is_told_first(client: FlaskClient) -> None:
    body = {"engine": "CAPITAL", "amount": 10**6, "reservation_id": "r"}
    denied = post(client, "/risk/check-and-reserve", **body)
    assert (denied.get_json()["ok"], denied.get_json()["reservation_id"]) == (False, None)
    post(client, "/risk/policies/upsert", engine="CAPITAL", max_daily_loss=10**9, actor="me")
    assert post(client, "/risk/check-and-reserve", **body).data == denied.data
    granted = post(client, "/risk/check-and-reserve", engine="CAPITAL", amount=1, reservation_id="s")
    post(client, "/go-live/kill-switch/engage", actor="me", reason="smoke")
    again = post(client, "/risk/check-and-reserve", engine="CAPITAL", amount=1, reservation_id="s").get_json()
    assert (again["ok"], again["reason"]) == (False, "kill_switch_engaged")
    post(client, "/go-live/kill-switch/release", actor="me")
    assert post(client, "/risk/check-and-reserve", engine="CAPITAL", amount=1, reservation_id="s").data == granted.data


def test_check_only_reserves_nothing(client: FlaskClient, database_url: str) -> None:
    asked = post(client, "/risk/check-and-reserve", engine="CAPITAL", amount=10, check_only=True).get_json()
    assert (asked["ok"], asked["reserved"], asked["reservation_id"]) == (True, 0, None)
    assert run_sql(database_url, "SELECT count(*) FROM risk_event") == [(0,)]
    assert run_sql(database_url, "SELECT count(*) FROM governance_audit") == [(0,)]


def test_caps_are_flagged_when_they_are_reached(client: FlaskClient) -> None:
    post(client, "/risk/check-and-reserve", engine="WHOLESALE", amount=500, reservation_id="r")
    settled = post(client, "/risk/settle", reservation_id="r", realized_loss=250).get_json()
    assert settled["flags"] == ["GLOBAL daily loss cap reached", "WHOLESALE daily loss cap reached"]
    assert not settled["breach"]
    refused = post(client, "/risk/check-and-reserve", engine="CAPITAL", amount=1).get_json()
    assert refused["message"] == "GLOBAL hard stop: Daily loss cap already reached (250 >= 250)"


def test_a_fill_larger_than_reserved_is_kept_and_trips_the_engine(client: FlaskClient, database_url: str) -> None:
    post(client, "/risk/check-and-reserve", engine="WHOLESALE", amount=100, reservation_id="r")
    settled = post(client, "/risk/settle", reservation_id="r", filled_amount=130, realized_loss=5).get_json()
    assert (settled["ok"], settled["breach"]) == (True, True)
    assert settled["ledger_engine"]["exposure_used"] == 130
    policy = next(row for row in get(client, "/risk/policies") if row["engine"] == "WHOLESALE")
    assert (policy["enabled"], policy["reason"]) == (False, "Breach: filled 130 with 100 reserved")
    assert run_sql(database_url, "SELECT kind FROM notice") == [("breach",)]
    assert post(client, "/risk/policies/upsert", engine="WHOLESALE", enabled=True, actor="me").status_code == 422
    again = post(client, "/risk/policies/upsert", engine="WHOLESALE", enabled=True, actor="me", reason="seen")
    assert again.get_json()["enabled"]


def test_settling_as_older_clients_do(client: FlaskClient) -> None:
    def settle(**body: Any) -> Any:
        return post(client, "/risk/settle", engine="WHOLESALE", reserved_amount=50, **body).get_json()

    for _ in range(2):
        post(client, "/risk/check-and-reserve", engine="WHOLESALE", amount=50)
    assert settle(realized_loss=1)["ledger_engine"]["open_risk_reserved"] == 50
    second = settle(realized_loss=1)
    assert second["ledger_engine"]["open_risk_reserved"] == 0
    assert settle(realized_loss=1) == second
    late = settle(realized_loss=3)
    assert (late["breach"], late["ledger_engine"]["realized_loss"]) == (True, 5)


def test_releasing(client: FlaskClient) -> None:
    post(client, "/risk/check-and-reserve", engine="WHOLESALE", amount=50, reservation_id="r")
    first = post(client, "/risk/release", reservation_id="r")
    assert first.get_json()["released"] == 50
    assert post(client, "/risk/release", reservation_id="r").data == first.data
    assert post(client, "/risk/release", reservation_id="nobody").status_code == 404
    assert post(client, "/risk/settle", reservation_id="nobody").status_code == 404
    assert post(client, "/risk/settle", reservation_id="r", filled_amount=0).get_json()["breach"]
    assert post(client, "/risk/release", reservation_id="r").status_code == 409


def test_a_fill_under_an_unknown_id_is_not_dropped_where_the_engine_is_told(client: FlaskClient) -> None:
    fill = {"reservation_id": "lost", "engine": "WHOLESALE", "filled_amount": 70, "realized_loss": 3}
    first = post(client, "/risk/settle", **fill)
    answer = first.get_json()
    assert (answer["breach"], answer["filled_amount"], answer["realized_loss"]) == (True, 70, 3)
    assert post(client, "/risk/settle", **fill).data == first.data
    assert post(client, "/risk/settle", **{**fill, "filled_amount": 71}).status_code == 409
    assert (
        post(client, "/risk/check-and-reserve", engine="WHOLESALE", amount=5, reservation_id="lost").status_code == 409
    )
    today = {row["engine"]: row for row in get(client, "/risk/ledger/today")}
    assert [today[name]["exposure_used"] for name in ("GLOBAL", "WHOLESALE", "CAPITAL")] == [70, 70, 0]
    assert (today["WHOLESALE"]["enabled"], today["WHOLESALE"]["realized_loss"]) == (False, 3)


def test_what_switched_itself_off_keeps_its_reason_until_somebody_enables_it(client: FlaskClient) -> None:
    post(client, "/risk/settle", engine="WHOLESALE", reserved_amount=9)
    tripped = get(client, "/risk/policies")[-1]
    assert (tripped["engine"], tripped["enabled"], tripped["reason"][:7]) == ("WHOLESALE", False, "Breach:")
    tuned = post(client, "/risk/policies/upsert", engine="WHOLESALE", actor="me", max_daily_loss=1, reason="tuned")
    assert (tuned.get_json()["max_daily_loss"], tuned.get_json()["reason"]) == (1, tripped["reason"])
    assert get(client, "/audit?action=risk.policy")["items"][0]["reason"] == "tuned"
    silent = post(client, "/risk/policies/upsert", engine="WHOLESALE", actor="me", enabled=True)
    assert (silent.status_code, silent.get_json()["code"]) == (422, "REASON_REQUIRED")
    said = post(client, "/risk/policies/upsert", engine="WHOLESALE", actor="me", enabled=True, reason="looked at it")
    assert (said.get_json()["enabled"], said.get_json()["reason"]) == (True, "looked at it")


def test_a_wire_switches_off_an_engine_of_a_long_name(client: FlaskClient) -> None:
    name = "S" * 100
    post(client, "/risk/policies/upsert", engine=name, actor="me", enabled=True, max_daily_loss=1)
    wire = {"domain": name, "metric": "win", "window_events": 1, "baseline_events": 1, "min_events_to_enforce": 1}
    post(client, "/regression/policies/upsert", **wire, actor="me", enabled=True)
    for success in (True, False):
        post(client, "/regression/kpi", domain=name, metric="win", success=success)
    assert [row["enabled"] for row in get(client, "/risk/policies") if row["engine"] == name] == [False]


@pytest.mark.parametrize(
    ("outcomes", "first"),
    [
        (([True] * 19 + [False]) * 10, (Decimal("0.95"), False)),
        ([True] * 190 + [False] * 10, (Decimal(1), True)),
    ],
    ids=["spread", "in the order of the list"],
)
def test_two_hundred_outcomes_and_then_fifty_worse_ones(
    client: FlaskClient, outcomes: list[bool], first: tuple[Decimal, bool]
) -> None:
    wire = {"domain": "WHOLESALE", "metric": "contract_rate"}

    def send(results: list[bool]) -> None:
        for part in (results[:100], results[100:]):
            if part:
                events = [{**wire, "success": success} for success in part]
                assert post(client, "/regression/kpi/batch", events=events).get_json()["count"] == len(part)

    send(outcomes)
    post(client, "/regression/policies/upsert", **wire, actor="me", enabled=True)
    state = post(client, "/regression/evaluate", **wire).get_json()["state"]
    assert (round(Decimal(state["baseline"]), 2), state["triggered"]) == first
    send([True] * 37 + [False] * 13)
    state = post(client, "/regression/evaluate", **wire).get_json()["state"]
    assert (state["baseline"], state["current"]) == (Decimal("0.95"), Decimal("0.74"))
    assert state["note"] == "TRIGGERED drop=0.221 action=THROTTLE"


def test_the_ledger_of_some_days(client: FlaskClient) -> None:
    assert get(client, "/risk/ledger") == []
    post(client, "/risk/check-and-reserve", engine="GLOBAL", amount=50)
    assert [row["actions_count"] for row in get(client, "/risk/ledger")] == [1]
    assert client.get(f"{ROOT}/risk/ledger?from=2026-02-02&to=2026-02-01").status_code == 422
    assert client.get(f"{ROOT}/risk/ledger?from=yesterday").status_code == 422


def test_a_kpi_with_a_key_counts_once(client: FlaskClient, database_url: str) -> None:
    body = {"domain": "WHOLESALE", "metric": "contract_rate", "success": True, "detail": {"lead": 7}}
    for _ in range(2):
        answer = client.post(f"{ROOT}/regression/kpi", json=body, headers={"Idempotency-Key": "k"}).get_json()
        assert answer == {"ok": True, "id": 1}
    other = client.post(f"{ROOT}/regression/kpi", json={**body, "metric": "m"}, headers={"Idempotency-Key": "k"})
    assert other.get_json()["id"] != 1
    batch = {"events": [body, body], "actor": "b"}
    first = client.post(f"{ROOT}/regression/kpi/batch", json=batch, headers={"Idempotency-Key": "k"}).get_json()
    assert client.post(f"{ROOT}/regression/kpi/batch", json=batch, headers={"Idempotency-Key": "k"}).get_json() == first
    assert run_sql(database_url, "SELECT count(*) FROM kpi_event") == [(4,)]
    assert client.post(f"{ROOT}/regression/kpi", json=body, headers={"Idempotency-Key": "k" * 201}).status_code == 422
    other = client.post(f"{ROOT}/regression/kpi", json={**body, "success": False}, headers={"Idempotency-Key": "k"})
    assert (other.status_code, other.get_json()["code"]) == (409, "IDEMPOTENCY_KEY_IN_USE")


def test_a_trial_with_a_key_counts_once(client: FlaskClient, database_url: str) -> None:
    body = {"domain": "d", "confidence": 0.5, "success": True}
    path, headers = f"{ROOT}/heimdall/sandbox/trial", {"Idempotency-Key": "t"}
    first = client.post(path, json=body, headers=headers)
    assert client.post(path, json=body, headers=headers).data == first.data
    assert client.post(path, json={**body, "success": False}, headers=headers).status_code == 409
    run_sql(database_url, "UPDATE heimdall_scorecard_day SET day = day - 1")
    later = client.post(path, json=body, headers=headers).get_json()
    assert (later["trials"], later.keys()) == (0, first.get_json().keys())


def test_pages_of_the_audit(client: FlaskClient) -> None:
    for number in range(5):
        post(client, "/go-live/disable", actor=f"a{number % 2}", reason=str(number))
    seen: list[str] = []
    page = get(client, "/audit?limit=2")
    while True:
        seen += [record["reason"] for record in page["items"]]
        if page["next_cursor"] is None:
            break
        page = get(client, f"/audit?limit=2&cursor={page['next_cursor']}")
    assert seen == ["4", "3", "2", "1", "0"]
    assert [record["reason"] for record in get(client, "/audit?actor=a1&action=go_live.disable")["items"]] == ["3", "1"]
    assert get(client, "/audit?subject=nothing") == {"items": [], "next_cursor": None}
    assert get(client, "/audit?to=2020-01-01")["items"] == []
    assert client.get(f"{ROOT}/audit?cursor=x").status_code == 422
    assert client.get(f"{ROOT}/audit?cursor=MjAyNi0wMS0wMVQwMDowMDowMCswMDowMHx4").status_code == 422


def test_the_monday_review(client: FlaskClient, database_url: str) -> None:
    post(client, "/go-live/enable", actor="me")
    assert get(client, "/review")["verdict"] == "healthy"
    post(client, "/risk/check-and-reserve", engine="NOTIFY", amount=1)
    post(client, "/risk/check-and-reserve", engine="WHOLESALE", amount=5000)
    post(client, "/risk/check-and-reserve", engine="WHOLESALE", amount=5, reservation_id="forgotten")
    run_sql(database_url, "UPDATE risk_reservation SET expires_at = clock_timestamp()")
    found = get(client, "/review")
    assert found["denials"] == {"policy_disabled": 1, "would_exceed_policy": 1}
    assert [row["reservation_id"] for row in found["stale_reservations"]] == ["forgotten"]
    assert (found["verdict"], found["reasons"]) == ("attention", ["1 reservations ran out without a settlement"])
    assert {"go_live", "ledger_today", "regression", "scorecard_today", "breaches", "trips"} <= set(found)


def test_a_form_says_the_same_as_json(client: FlaskClient, database_url: str) -> None:
    asked = {
        "engine": "CAPITAL",
        "amount": "12.50",
        "reservation_id": "r",
        "metadata": '{"a": [1, 2.50]}',
        "actor": "x",
    }
    first = client.post(f"{ROOT}/risk/check-and-reserve", data=asked)
    again = {**asked, "amount": Decimal("12.5"), "metadata": {"a": [1, Decimal("2.5")]}}
    assert client.post(f"{ROOT}/risk/check-and-reserve", data=jsontext.dump(again)).data == first.data
    batch = {"events": '[{"domain": "d", "metric": "m", "success": true}]', "actor": "x"}
    assert client.post(f"{ROOT}/regression/kpi/batch", data=batch).get_json() == {"ok": True, "count": 1, "ids": [1]}
    advice = {"domain": "d", "confidence": "0.5", "recommendation": "buy it", "evidence": '{"model": "v2"}'}
    assert client.post(f"{ROOT}/heimdall/recommend", data=advice).status_code == 200
    kept = run_sql(database_url, "SELECT recommendation, evidence FROM heimdall_recommendation")
    assert kept == [("buy it", {"model": "v2"})]
    named = "reservation_id=r&reservation_id=s"
    twice = client.post(f"{ROOT}/risk/release", data=named, content_type=FORM)
    assert (twice.status_code, twice.get_json()["details"][0]["code"]) == (422, "TWICE")
    broken = client.post(f"{ROOT}/risk/check-and-reserve", data={**asked, "metadata": '{"a": 1, "a": 2}'})
    assert (broken.status_code, broken.get_json()["details"][0]["field"]) == (422, "metadata")


def test_scorecards_and_calibration(client: FlaskClient) -> None:
    post(client, "/heimdall/sandbox/trial", domain="d", confidence=0.5, success="yes")
    assert [(row["domain"], row["trials"]) for row in get(client, "/heimdall/scorecard/today")] == [("D", 1)]
    assert len(get(client, "/heimdall/scorecard?domain=d&from=2020-01-01")) == 1
    assert get(client, "/heimdall/scorecard?domain=e") == []
    made = post(client, "/heimdall/recommend", domain="new", confidence=1, recommendation={"a": 1}).get_json()
    assert (made["prod_eligible"], made["gate_reason"]) == (False, "prod_use_disabled")
    done = post(client, f"/heimdall/recommendations/{made['id']}/outcome", success=True, followed=False)
    assert done.get_json()["followed"] is False
    assert get(client, "/heimdall/calibration?domain=new")["brier_score"] == 0
