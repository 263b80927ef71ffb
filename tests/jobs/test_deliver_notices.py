"""Notices against a real receiver that fails, hangs, drips and recovers: each fact is taken once, by one worker."""

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any

import pytest
from flask.testing import FlaskClient

from database import deliveries
from database.notices import insert_notice
from database.pool import Pool
from errors import Unavailable
from jobs import deliver_notices, running
from jobs.deliver_notices import Deliverer
from settings import Settings, load
from state.notices import MAX_ATTEMPTS
from tests.conftest import run_sql
from tests.jobs.receiver import Receiver, receiving
from tests.jobs.telling import deliver

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def pool(database_url: str) -> Iterator[Pool]:
    made = Pool(database_url, 2)
    yield made
    made.close()


def tell(pool: Pool, fact: str = "freeze:1", **detail: Any) -> int | None:
    with pool.transaction() as connection:
        return insert_notice(connection, kind="freeze", fact=fact, title="FREEZE TRIGGERED", detail=detail)


def make_due(url: str) -> None:
    run_sql(url, "UPDATE notice_delivery SET next_attempt_at = now() - INTERVAL '1 second'")


def deliverer(pool: Pool, *urls: str, secret: str | None = SECRET, seconds: float = 5.0) -> Deliverer:
    return Deliverer(pool, urls, secret, send_seconds=seconds)


def shown(client: FlaskClient) -> list[Any]:
    return [delivery for item in client.get("/api/v1/notices").get_json()["items"] for delivery in item["deliveries"]]


def test_a_signed_message_can_be_verified(pool: Pool, receiver: Receiver) -> None:
    notice_id = tell(pool, drawdown="0.03")
    assert deliverer(pool, receiver.url).deliver_due() == {"delivered": 1, "failed": 0}
    headers, body = receiver.requests[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    expected = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == f"notice_{notice_id}"
    sent = receiver.bodies()[0]
    assert (sent["type"], sent["data"]["detail"]) == ("alertbook.freeze", {"drawdown": "0.03"})


def test_fails_then_recovers_and_is_taken_once(
    pool: Pool, receiver: Receiver, client: FlaskClient, database_url: str
) -> None:
    tell(pool)
    tell(pool)
    works = deliverer(pool, receiver.url)
    for mood, error in ((500, "answered 500"), ("break", "no answer (RemoteDisconnected)"), (302, "answered 302")):
        receiver.mood = mood
        assert works.deliver_due() == {"delivered": 0, "failed": 1}
        assert works.deliver_due() == {"delivered": 0, "failed": 0}  # not due again yet
        assert shown(client)[0]["last_error"] == error
        make_due(database_url)
    receiver.mood = 200
    assert works.deliver_due() == {"delivered": 1, "failed": 0}
    make_due(database_url)
    assert works.deliver_due() == {"delivered": 0, "failed": 0}
    assert receiver.taken == ["notice_1"]
    delivery = shown(client)[0]
    assert (delivery["status"], delivery["attempts"], delivery["next_attempt_at"]) == ("delivered", 4, None)
    assert {headers["webhook-id"] for headers, _ in receiver.requests} == {"notice_1"}


@pytest.mark.parametrize("mood", ["hang", "drip"])
def test_a_receiver_that_hangs_is_left_after_the_deadline(
    pool: Pool, receiver: Receiver, client: FlaskClient, database_url: str, mood: str
) -> None:
    tell(pool)
    receiver.mood = mood
    works = deliverer(pool, receiver.url, seconds=0.4)
    assert works.deliver_due() == {"delivered": 0, "failed": 1}
    receiver.mood = 204
    make_due(database_url)
    assert works.deliver_due() == {"delivered": 1, "failed": 0}
    assert receiver.taken == ["notice_1"]


@pytest.mark.parametrize(("form", "mood"), [("discord", "hang"), ("slack", "drip"), ("telegram", "break")])
def test_a_chat_that_may_have_the_message_is_not_sent_it_again(
    pool: Pool, receiver: Receiver, client: FlaskClient, database_url: str, form: str, mood: str
) -> None:
    tell(pool)
    receiver.mood = mood
    works = deliverer(pool, f"{form}+{receiver.url}", seconds=0.3)
    assert works.deliver_due() == {"delivered": 0, "failed": 1}
    receiver.mood = 204
    make_due(database_url)
    assert works.deliver_due() == {"delivered": 0, "failed": 0}
    assert len(receiver.requests) == 1
    (delivery,) = shown(client)
    assert (delivery["status"], delivery["attempts"], delivery["next_attempt_at"]) == ("unknown", 1, None)
    assert delivery["last_error"].startswith("no answer")


def test_a_chat_that_cannot_have_the_message_is_asked_again(
    pool: Pool, receiver: Receiver, client: FlaskClient, database_url: str
) -> None:
    tell(pool)
    receiver.mood = 503
    works = deliverer(pool, f"slack+{receiver.url}", "discord+http://127.0.0.1:1/")
    assert works.deliver_due() == {"delivered": 0, "failed": 2}
    receiver.mood = 200
    make_due(database_url)
    assert works.deliver_due() == {"delivered": 1, "failed": 1}
    assert {delivery["target"][:5]: delivery["status"] for delivery in shown(client)} == {
        "disco": "pending",
        "slack": "delivered",
    }


def test_a_worker_killed_while_a_chat_was_answering_leaves_an_unknown_end(
    pool: Pool, receiver: Receiver, client: FlaskClient, database_url: str
) -> None:
    tell(pool)
    address = f"telegram+{receiver.url}"
    begun = deliverer(pool, address)
    deliveries.plan(pool, list(begun._targets))
    assert deliveries.begin_attempt(pool, list(begun._targets)) is not None
    assert [delivery["status"] for delivery in shown(client)] == ["sending"]
    make_due(database_url)
    assert deliverer(pool, address).deliver_due() == {"delivered": 0, "failed": 0}
    assert receiver.requests == []
    assert [delivery["status"] for delivery in shown(client)] == ["unknown"]


def test_nobody_listens(pool: Pool, client: FlaskClient) -> None:
    tell(pool)
    assert deliverer(pool, "http://127.0.0.1:1/").deliver_due() == {"delivered": 0, "failed": 1}
    assert shown(client)[0]["last_error"] == "no answer (ConnectionRefusedError)"


def test_a_failing_receiver_does_not_hold_up_the_others(pool: Pool, receiver: Receiver) -> None:
    tell(pool)
    works = deliverer(pool, "http://127.0.0.1:1/", receiver.url)
    assert works.deliver_due() == {"delivered": 1, "failed": 1}


def test_the_receiver_may_ask_for_time(pool: Pool, receiver: Receiver, database_url: str) -> None:
    tell(pool)
    receiver.mood, receiver.headers = 429, {"Retry-After": "600"}
    deliverer(pool, receiver.url).deliver_due()
    rows = run_sql(database_url, "SELECT next_attempt_at > now() + INTERVAL '9 minutes' FROM notice_delivery")
    assert rows == [(True,)]


def test_at_last_it_is_given_up(pool: Pool, receiver: Receiver, client: FlaskClient, database_url: str) -> None:
    tell(pool)
    receiver.mood = 500
    works = deliverer(pool, receiver.url)
    works.deliver_due()
    run_sql(database_url, f"UPDATE notice_delivery SET attempts = {MAX_ATTEMPTS - 1}")  # noqa: S608
    make_due(database_url)
    works.deliver_due()
    make_due(database_url)
    assert works.deliver_due() == {"delivered": 0, "failed": 0}
    assert shown(client)[0]["status"] == "given_up"


def test_a_worker_that_was_killed_while_sending_leaves_it_to_the_next(
    pool: Pool, receiver: Receiver, database_url: str
) -> None:
    tell(pool)
    works = deliverer(pool, receiver.url)
    name = next(iter(works._targets))
    deliveries.plan(pool, [name])
    assert deliveries.begin_attempt(pool, [name]) is not None
    assert works.deliver_due() == {"delivered": 0, "failed": 0}
    make_due(database_url)
    assert works.deliver_due() == {"delivered": 1, "failed": 0}


def test_taken_while_the_database_is_away_is_not_sent_again(
    pool: Pool, receiver: Receiver, client: FlaskClient, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any) -> None:
        raise Unavailable("the database is away")

    tell(pool)
    works = deliverer(pool, receiver.url)
    with monkeypatch.context() as patched, pytest.raises(Unavailable):
        patched.setattr(deliveries, "mark_delivered", away)
        works.deliver_due()
    make_due(database_url)
    assert works.deliver_due() == {"delivered": 1, "failed": 0}
    assert receiver.taken == ["notice_1"]
    assert shown(client)[0]["status"] == "delivered"


def test_several_processes_deliver_each_fact_once(pool: Pool, receiver: Receiver, database_url: str) -> None:
    for number in range(20):
        tell(pool, f"freeze:{number}")
    environment = {"DATABASE_URL": database_url, "NOTIFY_WEBHOOK_URLS": receiver.url}
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as processes:
        delivered = sum(job.result() for job in [processes.submit(deliver, environment, 20) for _ in range(3)])
    assert delivered == 20
    assert sorted(receiver.taken) == sorted(f"notice_{number}" for number in range(1, 21))


def test_without_the_lease_nothing_is_sent(pool: Pool, receiver: Receiver) -> None:
    tell(pool)
    assert deliverer(pool, receiver.url).deliver_due("not the holder") == {"delivered": 0, "failed": 0}
    assert receiver.requests == []


def test_a_new_receiver_is_not_told_old_news(pool: Pool, receiver: Receiver, database_url: str) -> None:
    tell(pool)
    run_sql(database_url, "UPDATE notice SET created_at = now() - INTERVAL '2 days'")
    assert deliverer(pool, receiver.url).deliver_due() == {"delivered": 0, "failed": 0}


def test_the_job_delivers(settings: Settings, pool: Pool, receiver: Receiver) -> None:
    tell(pool)
    given = load({"DATABASE_URL": settings.database_url or "", "NOTIFY_WEBHOOK_URLS": receiver.url})
    outcome = running.run(deliver_notices.JOB, given, (), now=datetime.now(UTC))
    assert outcome.result == {"delivered": 1, "failed": 0}


def test_behind_the_web_server_a_freeze_reaches_its_receiver(
    client: FlaskClient, settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver_notices, "POLL_SECONDS", 0.05)
    address = receiver.url.replace("http://", "slack+http://")
    given = load({"DATABASE_URL": settings.database_url or "", "NOTIFY_WEBHOOK_URLS": address})
    background = deliver_notices.start_background(given)
    assert background is not None
    receiver.mood = "hang"
    frozen = client.get("/api/jobs/freeze/check?prev_balance=50000&current_balance=48500")
    assert frozen.get_json()["frozen"] is True  # answered although the receiver hangs
    waited = threading.Event()
    while not receiver.requests:
        waited.wait(0.02)
    receiver.let_go.set()
    background.stop()
    assert "FREEZE TRIGGERED - 3.00% drawdown" in receiver.bodies()[0]["text"]
    assert run_sql(settings.database_url or "", "SELECT name FROM job_lease") == []


def test_without_receivers_no_thread_is_started(settings: Settings) -> None:
    assert deliver_notices.start_background(settings) is None


def test_no_address_is_shown(pool: Pool, client: FlaskClient, receiver: Receiver) -> None:
    tell(pool)
    receiver.mood = 500
    deliverer(pool, receiver.url).deliver_due()
    body = client.get("/api/v1/notices").get_data(as_text=True)
    assert "very-secret-key" not in body
    assert shown(client)[0]["target"].startswith("webhook:127.0.0.1#")


def test_notices_are_paged_and_filtered(pool: Pool, client: FlaskClient) -> None:
    for number in range(3):
        tell(pool, f"freeze:{number}")
    first = client.get("/api/v1/notices?limit=2").get_json()
    rest = client.get(f"/api/v1/notices?limit=2&cursor={first['next_cursor']}").get_json()
    assert [item["fact"] for item in first["items"] + rest["items"]] == ["freeze:2", "freeze:1", "freeze:0"]
    assert client.get("/api/v1/notices?kind=breach").get_json()["items"] == []
