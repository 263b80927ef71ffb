"""The forms of a notice, its signature, and the waits between attempts."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from state.notices import (
    LONGEST_WAIT,
    MAX_ATTEMPTS,
    TEXT_LIMIT,
    Notice,
    message,
    signature,
    target,
    wait_after,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def notice(title: str = "Frozen <b> & @everyone", **detail: Any) -> Notice:
    return Notice(7, "freeze", "freeze:1", title, detail, AT)


@pytest.mark.parametrize(
    ("address", "form", "url"),
    [
        ("https://example.com/hook", "webhook", "https://example.com/hook"),
        ("https://discord.com/api/webhooks/1/t", "discord", "https://discord.com/api/webhooks/1/t"),
        ("https://hooks.slack.com/services/T/B/x", "slack", "https://hooks.slack.com/services/T/B/x"),
        (
            "https://api.telegram.org/bot1:x/sendMessage?chat_id=5",
            "telegram",
            "https://api.telegram.org/bot1:x/sendMessage?chat_id=5",
        ),
        ("slack+https://chat.example.com/hooks/x", "slack", "https://chat.example.com/hooks/x"),
        ("https://evil-discord.com/a+b", "webhook", "https://evil-discord.com/a+b"),
    ],
)
def test_the_form_follows_the_address(address: str, form: str, url: str) -> None:
    found = target(address)
    assert (found.form, found.url) == (form, url)
    assert "/" not in found.name


def test_each_form_says_the_same() -> None:
    told = notice(drawdown_pct=Decimal("0.03"), source=None, previous=Decimal("50000.00"))
    generic = json.loads(message("webhook", told))
    assert generic["data"]["title"] == told.title
    assert generic["timestamp"] == "2026-01-02T03:04:05+00:00"
    discord = json.loads(message("discord", told))
    assert discord["content"].splitlines()[:3] == ["[freeze] " + told.title, "drawdown_pct: 0.03", "previous: 50000.00"]
    assert discord["allowed_mentions"] == {"parse": []}
    assert "Frozen &lt;b&gt; &amp; @everyone" in json.loads(message("slack", told))["text"]
    assert told.title in json.loads(message("telegram", told))["text"]


def test_a_long_text_is_cut() -> None:
    assert len(json.loads(message("discord", notice("x" * 500, reason="y" * 5000)))["content"]) == TEXT_LIMIT


def test_the_signature_of_the_published_example() -> None:
    # the example of the Standard Webhooks specification
    body = '{"test": 2432232314}'
    found = signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_waits_grow_to_an_hour_and_last_a_day() -> None:
    waits = [wait_after(attempts) for attempts in range(1, MAX_ATTEMPTS)]
    assert waits[:3] == [10, 20, 40]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT
    assert 20 * 3600 < sum(waits) < 30 * 3600
