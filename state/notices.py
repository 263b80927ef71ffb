"""How a notice is told: which form a receiver takes, the message itself, its signature, and when to try again."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from state import jsontext

GENERIC: Final = "webhook"
FORMS: Final = ("discord", "slack", "telegram")
_HOSTS: Final = {
    "discord.com": "discord",
    "discordapp.com": "discord",
    "hooks.slack.com": "slack",
    "api.telegram.org": "telegram",
}
#: Discord takes 2,000 characters, Telegram 4,096.
TEXT_LIMIT: Final = 1900
FIRST_WAIT: Final = 10.0
LONGEST_WAIT: Final = 3600.0
#: With these waits the last attempt comes about a day after the first.
MAX_ATTEMPTS: Final = 32


@dataclass(frozen=True, slots=True)
class Target:
    """A receiver. `name` stands for it everywhere that people look: the address may hold a key."""

    form: str
    url: str

    @property
    def name(self) -> str:
        digest = hashlib.sha256(self.url.encode()).hexdigest()[:8]
        return f"{self.form}:{(urlsplit(self.url).hostname or 'unknown')[:200]}#{digest}"

    @property
    def knows_repeats(self) -> bool:
        """Whether a message that comes twice is known by its id; a chat would show it twice."""
        return self.form == GENERIC


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as it is told."""

    id: int
    kind: str
    fact: str
    title: str
    detail: Mapping[str, Any]
    created_at: datetime


def target(address: str) -> Target:
    """The receiver at an address: its form is said in front (slack+https://...) or known from the host."""
    form, plus, rest = address.partition("+")
    if plus and form in FORMS:
        return Target(form, rest)
    return Target(_HOSTS.get(urlsplit(address).hostname or "", GENERIC), address)


def wait_after(attempts: int) -> float:
    """Seconds until the next attempt after so many failed ones: 10 s, doubled each time, an hour at most."""
    return min(FIRST_WAIT * 2.0 ** min(attempts - 1, 20), LONGEST_WAIT)


def message(form: str, notice: Notice) -> str:
    """The JSON body that a receiver of this form takes."""
    if form == GENERIC:
        data = {"id": notice.id, "kind": notice.kind, "fact": notice.fact, "title": notice.title}
        return jsontext.dump(
            {
                "type": f"alertbook.{notice.kind}",
                "timestamp": notice.created_at,
                "data": {**data, "detail": notice.detail},
            }
        )
    text = _text(notice)
    if form == "discord":
        return jsontext.dump({"content": text, "allowed_mentions": {"parse": []}})
    if form == "slack":
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return jsontext.dump({"text": text})


def _text(notice: Notice) -> str:
    lines = [f"[{notice.kind}] {notice.title}"]
    lines += [f"{name}: {_plain(value)}" for name, value in notice.detail.items() if value is not None]
    lines.append(f"{notice.created_at.isoformat(timespec='seconds')} (Alertbook notice {notice.id})")
    text = "\n".join(lines)
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else jsontext.dump(value)


def message_id(notice_id: int) -> str:
    """The same for every attempt, so that a receiver knows a repeat."""
    return f"notice_{notice_id}"


def signature(secret: str, identity: str, timestamp: int, body: str) -> str:
    """The webhook-signature header: v1 and HMAC-SHA256 in base64 of "id.timestamp.body".

    `secret` is base64, with or without "whsec_" before it. Source: Standard Webhooks, symmetric signatures.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{identity}.{timestamp}.{body}".encode(), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()
