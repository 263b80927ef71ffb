"""The four levers, and how long records are kept."""

from dataclasses import dataclass
from typing import Final

from environs import Env

from settings.reading import between, zone
from settings.server import Server

#: What ENV or APP_ENV says where the go-live switch is enforced.
PRODUCTION: Final = frozenset({"prod", "production", "live"})


@dataclass(frozen=True, kw_only=True)
class Governance:
    """Settings of governance."""

    go_live_enforced: bool
    risk_day_zone: str
    risk_reservation_ttl_seconds: int
    risk_pool_size: int
    heimdall_eligible_seconds: int
    kpi_from_trades: bool
    retention_enabled: bool
    retention_cron_minutes: int
    retention_log_path: str | None
    retention_log_days: int
    retention_kpi_days: int
    retention_telemetry_days: int
    retention_receipt_days: int


def read(env: Env, server: Server) -> Governance:
    """The settings of this area."""
    return Governance(
        go_live_enforced=_enforced(env),
        risk_day_zone=zone(env, "RISK_DAY_ZONE", "UTC"),
        risk_reservation_ttl_seconds=between(env, "RISK_RESERVATION_TTL_SECONDS", 900, 1, 31 * 86_400),
        risk_pool_size=between(env, "RISK_POOL_SIZE", 2, 1, 200),
        heimdall_eligible_seconds=between(env, "HEIMDALL_ELIGIBLE_SECONDS", 3600, 1, 31 * 86_400),
        kpi_from_trades=env.bool("KPI_FROM_TRADES", default=False),
        retention_enabled=env.bool("RETENTION_ENABLED", default=False),
        retention_cron_minutes=between(env, "RETENTION_CRON_MINUTES", 30, 1, 100_000),
        retention_log_path=env.str("LOG_JSON_PATH", default=None),
        retention_log_days=between(env, "RETENTION_LOG_DAYS", 14, 0, 100_000),
        retention_kpi_days=between(env, "RETENTION_KPI_DAYS", 400, 0, 100_000),
        retention_telemetry_days=between(env, "RETENTION_TELEMETRY_DAYS", 400, 0, 100_000),
        retention_receipt_days=between(env, "RETENTION_RECEIPT_DAYS", 90, 0, 100_000),
    )


def _enforced(env: Env) -> bool:
    """Whether go-live is enforced: GO_LIVE_ENFORCE is on and this is production by ENV, else by APP_ENV."""
    wanted: bool = env.bool("GO_LIVE_ENFORCE", default=False)
    where: str = env.str("ENV", default=None) or env.str("APP_ENV", default="")
    return wanted and where.strip().lower() in PRODUCTION
