"""Ids, names and free text of an alert. Nothing is cut to fit: too long is a fault."""

import re
from decimal import Decimal
from typing import Any, Final

from handlers.payloads.fields import NO_TEXT, Fields, no_text
from handlers.payloads.findings import number_text, shown, storable

NAME: Final = 100
FREE_TEXT: Final = 2_000

_TRADE_ID: Final = re.compile(r"[A-Za-z0-9_\-:.!]+")


def read_text(fields: Fields, limit: int, *names: str) -> str | None:
    """The text under the first of the names that holds some, at most `limit` characters.

    Numbers are taken as their plain digits (an interval is often sent as 5). "" and NaN are skipped
    with a NO_VALUE warning. Faults: NOT_TEXT, TOO_LONG.
    """
    first = fields.value(names)
    if first is None or _is_plain(first, limit):
        return first  # type: ignore[no-any-return]
    findings = fields.findings
    for path, value in fields.sent(*names):
        if no_text(value):
            findings.warn_once(path, "NO_VALUE", f"{shown(value)} says nothing and was stored as null.")
            continue
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            findings.wrong(path, "NOT_TEXT", f"{shown(value)} is not text.")
            return None
        text = storable(value) if isinstance(value, str) else number_text(value)
        if len(text) > limit:
            findings.wrong(path, "TOO_LONG", f"This is {len(text)} characters long; at most {limit:,} fit here.")
            return None
        return text
    return None


def _is_plain(value: Any, limit: int) -> bool:
    """True for text that is taken as it is, which is what nearly every field holds."""
    return (
        isinstance(value, str)
        and len(value) <= limit
        and value.isascii()
        and "\0" not in value
        and value.strip() not in NO_TEXT
    )


def read_trade_id(fields: Fields, *names: str) -> str | None:
    """The trade id under the first of the names that holds one: 1-100 of letters, digits and `_ - : . !`.

    JSON integers are ids too. Faults: MISSING, BAD_TRADE_ID, COMMA_IN_TRADE_ID, TOO_LONG.
    """
    sent = next((sent for sent in fields.sent(*names) if not no_text(sent.value)), None)
    if sent is None:
        others = f" (or {' or '.join(names[1:])})" if names[1:] else ""
        message = f"An alert must say which trade it belongs to: send {names[0]}{others}."
        fields.findings.wrong(fields.path(names[0]), "MISSING", message)
        return None
    path, value = sent
    allowed = f"a trade id has 1 to {NAME} of: letters A-Z and a-z, digits, _ - : . !"
    if isinstance(value, bool) or not isinstance(value, str | int):
        fields.findings.wrong(path, "BAD_TRADE_ID", f"{shown(value)} is not a trade id: {allowed}.")
        return None
    text = number_text(value) if isinstance(value, int) else value
    if "," in text:
        message = (
            f"{shown(text)} holds a comma, which is a thousands separator that found its way into the id: "
            'in Pine, write numbers of an id with str.tostring(number, "#").'
        )
        fields.findings.wrong(path, "COMMA_IN_TRADE_ID", message)
    elif len(text) > NAME:
        fields.findings.wrong(path, "TOO_LONG", f"This id is {len(text)} characters long; {allowed}.")
    elif _TRADE_ID.fullmatch(text) is None:
        fields.findings.wrong(path, "BAD_TRADE_ID", f"{shown(text)} is not a trade id: {allowed}.")
    else:
        return text
    return None
