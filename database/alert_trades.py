"""Completed alert trades as closed trades of a profile: derived rows, brought up to date whenever something reads.

A setting says which strategy is whose; the row of a trade is made again whenever its fold changed, and goes when
the trade does.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from database import summaries
from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.telemetry import mark_hours
from state import jsontext
from state.telemetry.outcomes import alert_outcome

#: In the mapping: every strategy that it does not name.
ANY_STRATEGY: Final = "*"
REFRESH_SECONDS: Final = 60.0


def refresh(
    pool: Pool, profiles: Mapping[str, int], *, profile_id: int | None = None, since: datetime | None = None
) -> int:
    """Bring the rows of alert trades up to date: of one profile and window, or all. Returns how many changed.

    `profiles` maps a strategy's id or name, or ANY_STRATEGY, to a profile. A profile that it does not name is left
    to the refresh of all.
    """
    if profile_id is not None and profile_id not in profiles.values():
        return 0
    summaries.refresh(pool)
    names = sorted(name for name in profiles if name != ANY_STRATEGY)
    given = {
        "names": names,
        "profiles": [profiles[name] for name in names],
        "fallback": profiles.get(ANY_STRATEGY),
        "profile_id": profile_id,
        "since": since,
    }
    with pool.transaction(timeout=REFRESH_SECONDS) as connection:
        return _withdraw(connection, given) + _derive(connection, given)


def _withdraw(connection: Connection, given: Mapping[str, Any]) -> int:
    gone = list(QUERIES.telemetry_alerts.select_withdrawn_trades(connection, **given))
    if gone:
        QUERIES.telemetry_alerts.delete_alert_trades(
            connection, profile_ids=[row.profile_id for row in gone], ids=[row.id for row in gone]
        )
        mark_hours(connection, ((row.profile_id, row.entry_time.astimezone(UTC)) for row in gone))
    return len(gone)


def _derive(connection: Connection, given: Mapping[str, Any]) -> int:
    rows = []
    moments = []
    for changed in QUERIES.telemetry_alerts.select_changed_trades(connection, **given):
        columns = alert_outcome(changed.trade, changed.position_size)
        if columns is None:
            continue
        key = {"alert_stream_id": changed.stream_id, "alert_trade_id": changed.trade_id, "alert_hash": changed.hash}
        rows.append({"profile_id": changed.profile_id, **key, **columns})
        moments.append((changed.profile_id, columns["entry_time"]))
        if changed.known_entry_time is not None:
            moments.append((changed.profile_id, changed.known_entry_time.astimezone(UTC)))
    if rows:
        QUERIES.telemetry_alerts.upsert_alert_trades(connection, rows=jsontext.dump(rows), now=datetime.now(UTC))
        mark_hours(connection, moments)
    return len(rows)
