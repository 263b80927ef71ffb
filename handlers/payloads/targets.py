"""Targets of an alert: telemetry's object, kept whole, or the flat prices of legacy alerts."""

import re
from functools import lru_cache
from typing import Any, Final

from handlers.payloads.cleaning import clean, is_clean
from handlers.payloads.fields import Fields, Sent
from handlers.payloads.findings import Findings, shown
from handlers.payloads.numeric import PRICE, is_within, read_number

FLAT: Final = tuple(f"target_{multiple}r" for multiple in range(1, 21))

_PRICE_KEY: Final = re.compile(r"tp[0-9]{1,2}_price|target_[0-9]{1,2}r")


def read_targets(fields: Fields) -> dict[str, Any] | None:
    """The `targets` object with its prices as Decimal, else {"target_1r": Decimal, ...}, else None.

    A flat target that is no price is a fault like any other price. Inside the object, which is kept
    whole and decides nothing, it is a NOT_A_PRICE warning and stays as sent.
    """
    sent = fields.first("targets")
    if sent is not None and isinstance(sent.value, dict):
        return _nested(sent, fields.findings)
    prices = {name: read_number(fields, PRICE, name) for name in FLAT}
    return {name: price for name, price in prices.items() if price is not None} or None


def _nested(sent: Sent, findings: Findings) -> dict[str, Any]:
    # the body's own cleaning reports what is replaced here
    targets: dict[str, Any] = dict(sent.value) if is_clean(sent.value) else clean(sent.value, sent.path, Findings())
    for key, value in targets.items():
        if value is None or not _is_price_key(key):
            continue
        price = is_within(value, PRICE)
        if price is None:
            message = f"{shown(value)} is not a price; it was kept as sent."
            findings.warn(f"{sent.path}.{key}", "NOT_A_PRICE", message)
        else:
            targets[key] = price
    return targets


@lru_cache(maxsize=256)
def _is_price_key(key: str) -> bool:
    return _PRICE_KEY.fullmatch(key) is not None


def check_objects(fields: Fields, *names: str) -> None:
    """Warn (NOT_AN_OBJECT) where telemetry's nested values are something else; the body keeps them."""
    for path, value in fields.sent(*names):
        if not isinstance(value, dict):
            fields.findings.warn_once(path, "NOT_AN_OBJECT", f"{shown(value)} is not an object; it was kept as sent.")
