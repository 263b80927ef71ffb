"""The smoke test of a running server: every sample alert under fresh names, read back after it was taken."""

import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from settings import ROOT

TEST_PAYLOADS: Final = ROOT / "test_payloads"
SMOKE_SECONDS: Final = 20.0
_IDS: Final = re.compile(rb'(?P<name>"(?:trade_id|signal_id)"\s*:\s*)(?P<id>"(?:[^"\\]|\\.)*"|-?\d+)')
#: What names the stream of a position alert, which has no trade id.
_STREAMS: Final = re.compile(rb'(?P<name>"(?:ticker|symbol|tv_instrument|bot_uuid)"\s*:\s*)(?P<id>"(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class Target:
    """The server under the smoke test and the keys for it."""

    url: str
    secret: str | None
    api_key: str | None
    admin_key: str | None

    def post(self, body: bytes) -> tuple[int, Any]:
        path = "/api/automated-signals/webhook" + (f"/{quote(self.secret, safe='')}" if self.secret else "")
        return self._ask(Request(self.url + path, data=body, headers={"Content-Type": "application/json"}))

    def get_trade(self, trade_id: str) -> tuple[int, Any]:
        return self._get(f"trade/{quote(trade_id, safe='')}")

    def get_event(self, event_id: int) -> tuple[int, Any]:
        return self._get(f"telemetry/{event_id}")

    def _get(self, path: str) -> tuple[int, Any]:
        keys = {"X-API-Key": self.api_key} if self.api_key else {"X-Admin-Key": self.admin_key}
        headers = {name: key for name, key in keys.items() if key}
        return self._ask(Request(f"{self.url}/api/automated-signals/{path}", headers=headers))

    @staticmethod
    def _ask(request: Request) -> tuple[int, Any]:
        """Status and JSON of an answer; status 0 and a sentence when there was none."""
        try:
            with urlopen(request, timeout=SMOKE_SECONDS) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, error.read(500).decode("utf-8", "replace")
        except (OSError, ValueError) as error:
            return 0, f"no answer: {error}"


@dataclass(frozen=True, slots=True)
class SmokeResult:
    """How one sample alert fared; `trade_ids` are those that it left in the store."""

    case: str
    passed: bool
    message: str
    trade_ids: tuple[str, ...]


def sample_alerts(folder: Path = TEST_PAYLOADS) -> list[Path]:
    """The valid sample alerts of every payload version, in order of name."""
    return [
        path
        for path in sorted(folder.glob("*/*.json"))
        if not path.name.endswith(".expected.json") and not path.name.startswith("invalid__")
    ]


def with_fresh_ids(body: bytes, prefix: str) -> tuple[bytes, set[str]]:
    """The alert with each different trade_id and signal_id, wherever it sits, replaced by a new one.

    Of a position alert, which has none, the symbol or bot is replaced, so that it makes a stream of its own.
    Works on the text, so that everything else reaches the server byte for byte. Also returns the new ids.
    """
    fresh: dict[bytes, str] = {}

    def replace(match: re.Match[bytes]) -> bytes:
        new = fresh.setdefault(match["id"], f"{prefix}-{len(fresh) + 1}")
        return match["name"] + b'"' + new.encode() + b'"'

    named = _IDS.sub(replace, body)
    return (named if fresh else _STREAMS.sub(replace, body)), set(fresh.values())


def try_sample(target: Target, path: Path) -> SmokeResult:
    """Post one sample and read back what it became."""
    case = f"{path.parent.name}/{path.stem}"
    body, ids = with_fresh_ids(path.read_bytes(), f"smoke-{secrets.token_hex(6)}")
    status, answer = target.post(body)
    if status != 200 or not isinstance(answer, dict) or answer.get("success") is not True:
        return SmokeResult(case, False, f"POST answered {status}: {answer}", tuple(sorted(ids)))
    if answer.get("event_type") == "POSITION":
        return _position_result(target, case, answer, ids)
    answers = answer.get("results", [answer])
    stored = {str(one["trade_id"]) for one in answers if one.get("trade_id")} & ids
    for trade_id in sorted(stored):
        status, trade = target.get_trade(trade_id)
        if status != 200 or trade["trade"]["trade_id"] != trade_id or not trade["events"]:
            return SmokeResult(case, False, f"GET of trade {trade_id} answered {status}: {trade}", tuple(sorted(ids)))
    if not stored:
        return SmokeResult(case, False, f"the answer names none of the trade ids that were sent: {answer}", ())
    return SmokeResult(case, True, "", tuple(sorted(stored)))


def _position_result(target: Target, case: str, answer: Any, ids: set[str]) -> SmokeResult:
    """A position alert is found by its number; its id is its stream's, which holds the fresh name."""
    stream = str(answer["trade_id"])
    status, event = target.get_event(answer["event_id"])
    if status != 200 or event["trade_id"] != stream or not any(one.upper() in stream.upper() for one in ids):
        return SmokeResult(case, False, f"GET of event {answer['event_id']} answered {status}: {event}", (stream,))
    return SmokeResult(case, True, "", (stream,))
