"""Tells when a strategy falls silent by its own rhythm: once per silence, which begins with its last alert."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from database import intake
from database.notices import insert_notice
from database.pool import Pool
from jobs.background import Turn
from jobs.job import Job, Outcome
from settings import Settings
from state.cadence import KNOWN_DAYS, rhythm

log = structlog.get_logger()

NAME: Final = "silence"
EVERY_SECONDS: Final = 300.0
#: Over millions of alerts a look takes seconds: then it is made more seldom.
SHARE: Final = 0.01
#: What has been silent for longer is no news: the strategy ended, or nobody looked.
NEWS: Final = timedelta(days=1)


def tell_silence(pool: Pool, now: datetime) -> int:
    """Note each strategy that has lately fallen silent and is not noted yet; returns how many."""
    told = 0
    for row in intake.select_cadence(pool, since=now - timedelta(days=KNOWN_DAYS)):
        beat = rhythm(row.times, now)
        if not beat.silent or beat.overdue > NEWS:
            continue
        last, where = beat.last_received_at, f" on {row.symbol}" if row.symbol else ""
        with pool.transaction() as connection:
            made = insert_notice(
                connection,
                kind="silence",
                fact=f"silence:{row.strategy}:{row.symbol}:{last.isoformat()}"[-500:],
                title=f"{row.strategy} has been silent{where} since {last.isoformat(timespec='seconds')}"[:500],
                detail={
                    "strategy": row.strategy,
                    "symbol": row.symbol,
                    "last_received_at": last,
                    "silent_seconds": beat.silent_seconds,
                    "usual_gap_seconds": beat.usual_gap_seconds,
                },
            )
        told += made is not None
    return told


def run(settings: Settings, arguments: Sequence[str]) -> Outcome:
    """One look."""
    assert settings.database_url is not None
    pool = Pool(settings.database_url, 1)
    try:
        return Outcome(0, {"told": tell_silence(pool, datetime.now(UTC))})
    finally:
        pool.close()


JOB: Final = Job(NAME, "note strategies that have fallen silent by their own rhythm", run)


def turn(settings: Settings) -> Turn:
    """A look every five minutes behind the web server."""

    def look(halted: Callable[[], bool]) -> None:
        if told := run(settings, ()).result["told"]:
            log.warning("strategies_silent", told=told)

    return Turn(NAME, EVERY_SECONDS, look, share=SHARE)
