"""Where the server runs: its database, its address, its processes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from environs import Env

from settings.reading import between, database_url, zone

VERSION: Final = "0.1.0"
SERVICE: Final = "alertbook"
ROOT: Final = Path(__file__).resolve().parents[1]

#: Variables by which hosting platforms say that this is a deployment.
PLATFORM_VARIABLES: Final = (
    "RAILWAY_ENVIRONMENT",
    "RAILWAY_PROJECT_ID",
    "RENDER",
    "DYNO",
    "FLY_APP_NAME",
    "K_SERVICE",
    "KUBERNETES_SERVICE_HOST",
)
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})


@dataclass(frozen=True, kw_only=True)
class Server:
    """Settings of the server itself."""

    database_url: str | None
    database_url_direct: str | None
    database_read_url: str | None
    database_read_max_lag_seconds: int
    data_dir: Path
    host: str
    port: int
    web_concurrency: int
    platform: str | None
    naive_timestamp_zone: str
    redis_url: str | None
    db_pool_size: int
    log_level: str

    @property
    def on_loopback(self) -> bool:
        """True when only this machine can reach the server."""
        return self.host in LOOPBACK or self.host.startswith("127.")


def read(env: Env) -> Server:
    """The settings of this area."""
    platform = next((name for name in PLATFORM_VARIABLES if env.str(name, default=None)), None)
    url = database_url(env, "DATABASE_URL")
    return Server(
        database_url=url,
        database_url_direct=database_url(env, "DATABASE_URL_DIRECT") or url,
        database_read_url=database_url(env, "DATABASE_READ_URL"),
        database_read_max_lag_seconds=between(env, "DATABASE_READ_MAX_LAG_SECONDS", 5, 1, 3600),
        data_dir=Path(env.str("ALERTBOOK_DATA_DIR", default=str(ROOT / "data"))).expanduser().absolute(),
        host=env.str("HOST", default="0.0.0.0" if platform else "127.0.0.1"),
        port=between(env, "PORT", 5000, 1, 65535),
        web_concurrency=between(env, "WEB_CONCURRENCY", 2, 1, 256),
        platform=platform,
        naive_timestamp_zone=zone(env, "NAIVE_TIMESTAMP_ZONE", "America/New_York"),
        redis_url=env.str("REDIS_URL", default=None),
        db_pool_size=between(env, "DB_POOL_SIZE", 10, 2, 200),
        log_level=env.str("LOG_LEVEL", default="INFO").upper(),
    )
