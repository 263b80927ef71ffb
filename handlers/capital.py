"""The capital ledger: deposits, withdrawals, reversals, rates, trends, and thresholds per source."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, Final

import marshmallow as ma
from flask import Response

from database import capital
from errors import Detail, Invalid
from handlers.blueprint import Blueprint
from handlers.fields import Exact, Text
from handlers.middleware.access import Execution, Role, access
from handlers.middleware.answers import answer
from handlers.paging import IdPageQuery, idempotency_key, next_cursor, request_hash
from handlers.queries import Cursor, Instant, cursor
from handlers.services import services
from state.capital import drawdown_from_peak, money

blueprint = Blueprint("capital", __name__, description="The capital ledger.")

#: The largest amount that NUMERIC(18,2) holds.
MAX_AMOUNT: Final = Decimal("9999999999999999.99")
_CODE: Final = re.compile(r"[A-Z0-9]{3,12}", re.ASCII)


class CurrencyCode(Text):
    """A currency's code, in capitals however it was sent."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(3, 12, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        code = super()._deserialize(value, attr, data, **kwargs).upper()
        if not _CODE.fullmatch(code):
            raise ma.ValidationError("must be a currency's code of letters and digits, such as CAD")
        return code


class IntakeIn(ma.Schema):
    """An amount that came in, or with a minus sign went out."""

    source = Text(1, 120, required=True)
    currency = CurrencyCode(load_default="CAD")
    amount = Exact(low=-MAX_AMOUNT, high=MAX_AMOUNT, places=2, required=True)
    note = Text(0, 280, load_default=None, allow_none=True)

    @ma.validates_schema
    def check(self, data: dict[str, Any], **kwargs: Any) -> None:
        """An amount of 0 says nothing, and money that leaves needs its reason."""
        if "amount" in data and data["amount"] == 0:
            raise ma.ValidationError("must not be 0", "amount")
        if data.get("amount", 0) < 0 and not data.get("note"):
            raise ma.ValidationError("a withdrawal (a negative amount) needs a note", "note")


@blueprint.post("/api/capital/intake")
@access(Role.WRITE, Execution.PROD_EXEC)
@blueprint.arguments(IntakeIn, location="json")
def record_intake(body: dict[str, Any]) -> Response:
    """Record an amount that came in (above 0) or went out (below 0, with a note), to the cent.

    Idempotency: with an `Idempotency-Key` header the same request again answers the same record and records nothing;
    the same key with another body is 409. Without the header every request is a record of its own.
    """
    amount = money(body["amount"])
    note = body["note"] or None
    made = capital.insert_intake(
        services().pool,
        source=body["source"],
        currency=body["currency"],
        amount=amount,
        note=note,
        key=idempotency_key(),
        request_hash=request_hash("intake", body["source"], body["currency"], amount, note),
    )
    return answer(shown(made), 201)


class IntakesQuery(IdPageQuery):
    """Which records."""

    source = Text(1, 120, load_default=None)
    currency = CurrencyCode(load_default=None)


@blueprint.get("/api/capital/intake")
@access(Role.READ)
@blueprint.arguments(IntakesQuery, location="query")
def list_intakes(query: dict[str, Any]) -> Response:
    """Records, newest first, as a bare array; the cursor of the next page stands in X-Next-Cursor."""
    limit = query["limit"]
    rows = capital.select_intakes(
        services().pool,
        source=query["source"],
        currency=query["currency"],
        before=query["cursor"],
        limit=limit + 1,
    )
    more = next_cursor(rows, limit)
    return answer([shown(row) for row in rows[:limit]], headers={"X-Next-Cursor": more} if more else None)


class ReverseIn(ma.Schema):
    """Why a record is undone."""

    note = Text(0, 280, load_default=None, allow_none=True)


@blueprint.post("/api/capital/intake/<int:row_id>/reverse")
@access(Role.WRITE, Execution.PROD_EXEC)
@blueprint.arguments(ReverseIn, location="json")
def reverse_intake(body: dict[str, Any], row_id: int) -> Response:
    """Undo a record by recording its opposite; the record itself stays. A reversal cannot be reversed.

    Idempotency: a record is reversed once; a second reversal is 409 and names the first, except with the same
    `Idempotency-Key`, which answers the same reversal again.
    """
    if row_id >= 2**63:
        raise Invalid("There is no such number.", details=[Detail("row_id", "INVALID", "is too large")])
    note = body["note"] or None
    made = capital.reverse_intake(
        services().pool,
        row_id,
        note=note,
        key=idempotency_key(),
        request_hash=request_hash("reverse", row_id, note),
    )
    return answer(shown(made), 201)


def shown(row: Any) -> dict[str, Any]:
    """A record as the API shows it; only a reversal has `reverses_id`."""
    names = ("id", "source", "currency", "amount", "note", "created_at")
    record = {name: getattr(row, name) for name in names}
    if row.reverses_id is not None:
        record["reverses_id"] = row.reverses_id
    return record


class RateIn(ma.Schema):
    """What one unit of a currency is worth in the base currency, from a time on."""

    currency = CurrencyCode(required=True)
    rate = Exact(above=0, high=Decimal("1e12"), required=True)
    as_of = Instant(load_default=None)


@blueprint.post("/api/capital/rates")
@access(Role.WRITE, Execution.PROD_EXEC)
@blueprint.arguments(RateIn, location="json")
def record_rate(body: dict[str, Any]) -> Response:
    """Note what one unit of a currency is worth in the base currency (CAPITAL_BASE_CURRENCY) from `as_of` on.

    Idempotency: the same rate for the same time again answers the same; another rate for that time is 409.
    Without `as_of` it holds from now on.
    """
    here = services()
    base = here.settings.capital_base_currency
    if body["currency"] == base:
        detail = Detail("currency", "INVALID", f"{base} is the base currency: its rate is always 1")
        raise Invalid(f"currency: {detail.message}", details=[detail])
    made = capital.insert_rate(
        here.pool, currency=body["currency"], rate=body["rate"], as_of=body["as_of"] or datetime.now(UTC)
    )
    return answer({"ok": True, "base_currency": base, **made._asdict()}, 201)


@blueprint.get("/api/capital/rates")
@access(Role.READ)
def list_rates() -> Response:
    """The rate that holds now for each currency, in units of the base currency."""
    here = services()
    rows = capital.select_rates(here.pool, until=datetime.now(UTC))
    items = [row._asdict() for row in rows]
    return answer(
        {"ok": True, "base_currency": here.settings.capital_base_currency, "items": items, "next_cursor": None}
    )


class BucketCursor(Cursor):
    """The place in the trends where the page before ended: a bucket's first day, its source and its currency."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        at, place = super()._deserialize(value, attr, data, **kwargs)
        code, _, source = place.partition("|")
        return at.date(), source, code


def _bucket_cursor(row: Any) -> str:
    return cursor(datetime.combine(row.start, time(), UTC), f"{row.currency}|{row.source}")


class TrendsQuery(ma.Schema):
    """Which flows."""

    bucket = ma.fields.String(load_default="day", validate=ma.validate.OneOf(["day", "week", "month"]))
    source = Text(1, 120, load_default=None)
    currency = CurrencyCode(load_default=None)
    since = ma.fields.Date(data_key="from", load_default=None)
    until = ma.fields.Date(data_key="to", load_default=None)
    limit = ma.fields.Integer(load_default=1000, validate=ma.validate.Range(1, 10000))
    after = BucketCursor(data_key="cursor", load_default=None)


@blueprint.get("/api/capital/trends")
@access(Role.READ)
@blueprint.arguments(TrendsQuery, location="query")
def show_trends(query: dict[str, Any]) -> Response:
    """Per New York day, week (from Monday) or month, source and currency: what came in, went out, and was left.

    Newest first. `balance` is the balance at the bucket's end, `drawdown` how far that lies below the highest such
    balance so far, `drawdown_pct` the same as a fraction of it (null while it never was above 0). A reversal counts
    against the side that it corrects: of a deposit it lowers `inflow`. Buckets without a record are left out.
    `from` and `to` bound the buckets' first days; balances always count from the first record on.
    """
    limit = query.pop("limit")
    rows = capital.select_trends(services().pool, limit=limit + 1, **query)
    return answer(
        {
            "ok": True,
            "bucket": query["bucket"],
            "zone": "America/New_York",
            "items": [trend(row) for row in rows[:limit]],
            "next_cursor": _bucket_cursor(rows[limit - 1]) if len(rows) > limit else None,
        }
    )


def trend(row: Any) -> dict[str, Any]:
    """One bucket of `/api/capital/trends`."""
    fall, fraction = drawdown_from_peak(row.balance, row.peak)
    return {
        "start": row.start,
        "source": row.source,
        "currency": row.currency,
        "inflow": row.inflow,
        "outflow": row.outflow,
        "balance": row.balance,
        "peak": row.peak,
        "drawdown": fall,
        "drawdown_pct": fraction,
    }


class ProfileIn(ma.Schema):
    """A source's threshold, as a fraction: 0.02 is 2%."""

    source = Text(1, 120, required=True)
    freeze_drawdown_pct = Exact(above=0, high=1, required=True)
    note = Text(0, 280, load_default=None, allow_none=True)


@blueprint.post("/api/capital/risk-profiles")
@access(Role.WRITE)
@blueprint.arguments(ProfileIn, location="json")
def set_profile(body: dict[str, Any]) -> Response:
    """Set the drawdown above which a source is frozen. Idempotency: the same again leaves the same."""
    made = capital.upsert_profile(
        services().pool, source=body["source"], threshold=body["freeze_drawdown_pct"], note=body["note"] or None
    )
    return answer({"ok": True, **made._asdict()})


@blueprint.get("/api/capital/risk-profiles")
@access(Role.READ)
def list_profiles() -> Response:
    """The sources with a threshold of their own; `default` is that of all others."""
    here = services()
    items = [row._asdict() for row in capital.select_profiles(here.pool)]
    return answer({"ok": True, "default": here.settings.freeze_drawdown_pct, "items": items, "next_cursor": None})


@blueprint.delete("/api/capital/risk-profiles/<path:source>")
@access(Role.WRITE)
def delete_profile(source: str) -> Response:
    """Let the general threshold hold for a source again. Idempotency: the second time is 404."""
    capital.delete_profile(services().pool, source)
    return answer({"ok": True, "source": source})
