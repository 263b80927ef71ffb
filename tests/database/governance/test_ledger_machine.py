"""Any sequence of reserves, settlements, releases and expiries: counters always equal the events, caps always hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, ClassVar

import psycopg2
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from database.governance import risk
from database.governance.audit import verify
from database.pool import Pool
from errors import Conflict
from tests.conftest import run_sql
from tests.database.governance.reserving import OPERATOR, open_caps, release, reserve, settle

ENGINES = ("WHOLESALE", "CAPITAL", "GLOBAL")
AMOUNTS = st.decimals("0.01", "900", places=2)
LOSSES = st.decimals("-20", "60", places=2)

CLEAR = "TRUNCATE risk_event, risk_reservation, risk_ledger_day"
COUNTERS = """
SELECT l.engine, l.day, l.exposure_used, l.open_risk_reserved, l.realized_loss, l.actions_count
FROM risk_ledger_day AS l ORDER BY 2, 1
"""
EVENTS = """
SELECT c.engine, e.day, sum(e.exposure_change), sum(e.open_risk_change), sum(e.loss_change),
    count(*) FILTER (WHERE e.action = 'RESERVE')
FROM risk_event AS e, LATERAL (SELECT e.engine UNION SELECT 'GLOBAL') AS c (engine)
WHERE e.action <> 'DENY' GROUP BY 1, 2 ORDER BY 2, 1
"""
OPEN = "SELECT coalesce(sum(amount), 0) FROM risk_reservation WHERE state = 'open'"
AGE = """
WITH old AS (
    UPDATE risk_reservation SET day = day - 1 WHERE reservation_id = '{0}' RETURNING day + 1 AS day, engine, amount
), told AS (
    UPDATE risk_event SET day = day - 1 WHERE reservation_id = '{0}' AND action = 'RESERVE'
), gone AS (
    UPDATE risk_ledger_day AS l SET exposure_used = l.exposure_used - old.amount,
        open_risk_reserved = l.open_risk_reserved - old.amount, actions_count = l.actions_count - 1
    FROM old WHERE l.day = old.day AND l.engine IN (old.engine, 'GLOBAL')
)
INSERT INTO risk_ledger_day AS l (day, engine, exposure_used, open_risk_reserved, actions_count)
SELECT old.day - 1, c.engine, old.amount, old.amount, 1
FROM old, LATERAL (SELECT old.engine UNION SELECT 'GLOBAL') AS c (engine)
ON CONFLICT (day, engine) DO UPDATE SET exposure_used = l.exposure_used + excluded.exposure_used,
    open_risk_reserved = l.open_risk_reserved + excluded.open_risk_reserved, actions_count = l.actions_count + 1
"""


class LedgerMachine(RuleBasedStateMachine):
    """Drives the risk guard and knows which reservations are open."""

    connection: ClassVar[Any]
    pool: ClassVar[Pool]

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement on the machine's own connection."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def __init__(self) -> None:
        super().__init__()
        self.sql(CLEAR)
        open_caps(self.pool, 1000, ENGINES)
        self.open: list[str] = []
        self.closed: list[str] = []
        self.settled: dict[str, tuple[Decimal, Decimal | None]] = {}
        self.number = 0

    @rule(engine=st.sampled_from(ENGINES), amount=AMOUNTS)
    def reserve_some(self, engine: str, amount: Decimal) -> None:
        self.number += 1
        answer = reserve(self.pool, amount, engine, reservation_id=f"r{self.number}")
        again = reserve(self.pool, amount, engine, reservation_id=f"r{self.number}")
        assert (again["ok"], again["reason"]) == (answer["ok"], answer["reason"])
        if answer["ok"]:
            self.open.append(f"r{self.number}")

    @precondition(lambda self: self.open)
    @rule(data=st.data(), loss=LOSSES, part=st.sampled_from([None, 0, Decimal("0.5"), 1]))
    def settle_one(self, data: Any, loss: Decimal, part: Decimal | None) -> None:
        chosen = data.draw(st.sampled_from(self.open))
        amount = self.sql(f"SELECT amount FROM risk_reservation WHERE reservation_id = '{chosen}'")[0][0]  # noqa: S608
        filled = None if part is None else amount * part
        settle(self.pool, chosen, loss, filled)
        self.open.remove(chosen)
        self.settled[chosen] = (loss, filled)

    @precondition(lambda self: self.settled)
    @rule(data=st.data())
    def settle_again(self, data: Any) -> None:
        chosen = data.draw(st.sampled_from(sorted(self.settled)))
        loss, filled = self.settled[chosen]
        assert settle(self.pool, chosen, loss, filled)["ok"]
        with pytest.raises(Conflict):
            settle(self.pool, chosen, loss + 1, filled)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def release_one(self, data: Any) -> None:
        chosen = data.draw(st.sampled_from(self.open))
        assert release(self.pool, chosen) == release(self.pool, chosen)
        self.open.remove(chosen)
        self.closed.append(chosen)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def run_out(self, data: Any) -> None:
        chosen = data.draw(st.sampled_from(self.open))
        self.sql(f"UPDATE risk_reservation SET expires_at = created_at WHERE reservation_id = '{chosen}'")  # noqa: S608
        assert release(self.pool, chosen)["message"].startswith("Nothing to release")
        reserve(self.pool, 1_000_000)  # any reserve takes back what has run out
        self.open.remove(chosen)
        self.closed.append(chosen)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def midnight_passes(self, data: Any) -> None:
        chosen = data.draw(st.sampled_from(self.open))
        self.sql(AGE.format(chosen))

    @precondition(lambda self: self.closed)
    @rule(data=st.data(), loss=LOSSES)
    def settle_late(self, data: Any, loss: Decimal) -> None:
        chosen = self.closed.pop()
        answer = settle(self.pool, chosen, loss, 0)
        assert answer["breach"]
        engine = answer["engine"]
        policies = {row["engine"]: row for row in risk.select_policies(self.pool)}
        assert not policies[engine]["enabled"]
        risk.upsert_policy(self.pool, OPERATOR, engine, {"enabled": True})

    @invariant()
    def counters_equal_the_events(self) -> None:
        used = [row for row in self.sql(COUNTERS) if any(row[2:])]
        told = [row for row in self.sql(EVENTS) if any(row[2:])]
        assert used == told

    @invariant()
    def nothing_is_over_a_cap(self) -> None:
        today = risk.select_today(self.pool, "UTC")
        for row in today:
            assert 0 <= row["exposure_used"] <= 1000 or row["engine"] == "NOTIFY"
            assert 0 <= row["open_risk_reserved"] <= 1000 or row["engine"] == "NOTIFY"
        total = self.sql(OPEN)[0][0]
        by_engine = {row["engine"]: row["open_risk_reserved"] for row in today}
        assert by_engine["GLOBAL"] == total

    def teardown(self) -> None:
        assert verify(self.pool).ok


@contextmanager
def machine(url: str) -> Iterator[type[LedgerMachine]]:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    LedgerMachine.connection, LedgerMachine.pool = connection, Pool(url, 2)
    yield LedgerMachine
    LedgerMachine.pool.close()
    connection.close()


def test_counters_equal_the_events_after_every_step(database_url: str) -> None:
    with machine(database_url) as driven:
        run_state_machine_as_test(
            driven,
            settings=settings(
                max_examples=12,
                stateful_step_count=20,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_yesterday_s_open_risk_counts_today_and_its_loss_stays_there(database_url: str) -> None:
    pool = Pool(database_url, 2)
    reserve(pool, 900, reservation_id="old")
    run_sql(database_url, AGE.format("old"))
    today = {row["engine"]: row for row in risk.select_today(pool, "UTC")}["WHOLESALE"]
    assert (today["exposure_used"], today["open_risk_reserved"], today["actions_count"]) == (0, 900, 0)
    refused = reserve(pool, 200)
    assert (refused["ok"], refused["message"]) == (False, "WHOLESALE hard stop: Open risk cap exceeded (1100 > 1000)")
    settle(pool, "old", loss=30, filled=500)
    today = {row["engine"]: row for row in risk.select_today(pool, "UTC")}["WHOLESALE"]
    assert (today["open_risk_reserved"], today["realized_loss"]) == (0, 0)
    day = today["day"]
    rows = [row for row in risk.select_ledger(pool, "UTC", day.replace(year=2000), day) if row["engine"] == "GLOBAL"]
    assert [(row["exposure_used"], row["realized_loss"]) for row in rows] == [(0, 0), (500, 30)]
    pool.close()
