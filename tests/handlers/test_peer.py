"""Whose address it is: as many proxies as are trusted, and no forgery."""

import pytest
from flask import Flask

from handlers.middleware.peer import neighbourhood, peer_address
from settings import load
from web_server import create_app

DIRECT = "198.51.100.9"
ALERT = '{"type":"ENTRY","signal_id":"p","entry_price":1}'


def app_with(database_url: str, **environment: str) -> Flask:
    return create_app(load({"DATABASE_URL": database_url, **environment}))


@pytest.mark.parametrize(
    ("hops", "forwarded", "expected"),
    [
        (0, [], DIRECT),
        (0, ["203.0.113.1"], DIRECT),
        (0, ["52.89.214.238, 203.0.113.1"], DIRECT),
        (1, [], DIRECT),
        (1, ["203.0.113.1"], "203.0.113.1"),
        (1, ["52.89.214.238, 203.0.113.1"], "203.0.113.1"),
        (1, ["52.89.214.238", "203.0.113.1"], "203.0.113.1"),
        (1, ["52.89.214.238,", " ,203.0.113.1 ,"], "203.0.113.1"),
        (1, ["nonsense"], DIRECT),
        (1, ["203.0.113.1:4711"], "203.0.113.1"),
        (1, ["[2001:db8::1]:4711"], "2001:db8::1"),
        (1, ["::ffff:203.0.113.1"], "203.0.113.1"),
        (1, ["fe80::1%eth0"], "fe80::1"),
        (2, ["52.89.214.238, 203.0.113.1, 192.0.2.1"], "203.0.113.1"),
        (2, ["203.0.113.1"], "203.0.113.1"),
        (3, ["52.89.214.238, 203.0.113.1, 192.0.2.1, 192.0.2.2"], "203.0.113.1"),
    ],
)
def test_address(hops: int, forwarded: list[str], expected: str) -> None:
    app = app_with("postgresql://nobody@127.0.0.1:1/none", TRUSTED_PROXY_HOPS=str(hops))
    headers = [("X-Forwarded-For", value) for value in forwarded]
    with app.test_request_context(headers=headers, environ_base={"REMOTE_ADDR": DIRECT}):
        assert peer_address() == expected


def test_a_customer_of_ipv6_is_one_sender() -> None:
    assert neighbourhood("2001:db8:1:2:3::4") == neighbourhood("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert neighbourhood("203.0.113.1") == "203.0.113.1"
    assert neighbourhood("unknown") == "unknown"


@pytest.mark.parametrize(
    ("rule", "hops", "direct", "forwarded", "status"),
    [
        ("tradingview", "0", "52.89.214.238", "", 200),
        ("tradingview", "0", "52.89.214.239", "", 403),
        ("tradingview", "0", DIRECT, "52.89.214.238", 403),
        ("tradingview", "1", DIRECT, "52.89.214.238", 200),
        ("tradingview", "1", DIRECT, "52.89.214.238, 203.0.113.1", 403),
        ("198.51.100.0/24", "0", DIRECT, "", 200),
        ("203.0.113.0/24, 2001:db8::/32", "0", "2001:db8::5", "", 200),
        ("203.0.113.0/24, 2001:db8::/32", "0", DIRECT, "", 403),
        ("198.51.100.0/24", "0", "::ffff:198.51.100.9", "", 200),
    ],
)
def test_address_rule(database_url: str, rule: str, hops: str, direct: str, forwarded: str, status: int) -> None:
    app = app_with(database_url, WEBHOOK_ALLOWED_IPS=rule, TRUSTED_PROXY_HOPS=hops)
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    response = app.test_client().post(
        "/api/automated-signals/webhook", data=ALERT, headers=headers, environ_base={"REMOTE_ADDR": direct}
    )
    assert response.status_code == status
    if status == 403:
        assert response.get_json()["code"] == "ADDRESS_NOT_ALLOWED"
    app.extensions["alertbook"].close()
