"""Environment to one frozen Settings; the only reader of os.environ."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytz
from environs import Env, EnvError, EnvValidationError

from errors import SettingsError

VERSION: Final = "0.1.0"
SERVICE: Final = "alertbook"
ROOT: Final = Path(__file__).resolve().parent

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be configured, validated. Keys are tuples: any of them is right."""

    database_url: str | None
    database_url_direct: str | None
    data_dir: Path
    host: str
    port: int
    web_concurrency: int
    platform: str | None
    naive_timestamp_zone: str
    redis_url: str | None

    webhook_secrets: tuple[str, ...]
    api_keys: tuple[str, ...]
    admin_keys: tuple[str, ...]
    internal_tokens: tuple[str, ...]
    viewer_keys: tuple[str, ...]
    session_secret: str | None

    db_pool_size: int
    log_level: str

    # daily snapshots and the job that posts them
    signing_secrets: tuple[str, ...]
    alertbook_url: str
    snapshot_endpoint: str
    sync_database_url: str | None
    target_database_url: str | None
    mv_kpi_table: str
    mv_series_table: str
    mv_extremes_table: str
    mv_portfolio_table: str

    @property
    def on_loopback(self) -> bool:
        """True when only this machine can reach the server."""
        return self.host in LOOPBACK or self.host.startswith("127.")

    @property
    def missing_keys(self) -> tuple[str, ...]:
        """Names of the key settings that are unset."""
        keys = {
            "WEBHOOK_SECRET": self.webhook_secrets,
            "API_KEY": self.api_keys,
            "ADMIN_KEY": self.admin_keys,
            "INTERNAL_TOKEN": self.internal_tokens,
            "SESSION_SECRET": self.session_secret,
        }
        return tuple(name for name, value in keys.items() if not value)

    def require_keys(self) -> None:
        """Raise SettingsError when the server could be reached from outside without a key."""
        if self.missing_keys and not self.on_loopback:
            names = ", ".join(self.missing_keys)
            raise SettingsError(
                f"HOST is {self.host}, so others can reach this server, but these keys are unset: {names}. "
                "Set them (`python deploy.py keys` prints a fresh set) or bind to HOST=127.0.0.1."
            )


class _Given(Env):
    """environs' reader over the given variables; a blank one counts as unset."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__()
        self._given = {name: value for name, value in environ.items() if value.strip()}

    def _get_value(self, env_key: str, default: Any) -> Any:
        return self._given.get(env_key, default)


def _keys(env: Env, *names: str) -> tuple[str, ...]:
    """All comma-separated keys of the named settings, at least 8 characters each."""
    found: list[str] = []
    for name in names:
        values: list[str] = env.list(name, default=[])
        for key in map(str.strip, values):
            if key and len(key) < 8:
                raise SettingsError(f"{name} holds a key of fewer than 8 characters: set a longer one.")
            if key and key not in found:
                found.append(key)
    return tuple(found)


def _zone(name: str) -> str:
    try:
        return str(pytz.timezone(name))
    except pytz.UnknownTimeZoneError:
        raise SettingsError(
            f"NAIVE_TIMESTAMP_ZONE is {name!r}, which is no time zone: set a name such as America/New_York or UTC."
        ) from None


def _between(env: Env, name: str, default: int, low: int, high: int) -> int:
    value: int = env.int(name, default=default)
    if not low <= value <= high:
        raise SettingsError(f"{name} is {value}: set a whole number from {low} to {high}.")
    return value


def _database_url(url: str | None, name: str) -> str | None:
    if not url:
        return None
    if not url.startswith(("postgres://", "postgresql://")):
        raise SettingsError(f"{name} must start with postgresql:// (or postgres://).")
    return url


def _web_url(env: Env, names: tuple[str, ...], port: int) -> str:
    """The first of the settings that is set, without a slash at its end; else our own server on this machine."""
    for name in names:
        if url := env.str(name, default=None):
            parts = urlsplit(url)
            if (
                parts.scheme not in ("http", "https")
                or not parts.hostname
                or parts.query
                or parts.fragment
                or parts.username
            ):
                raise SettingsError(f"{name} is {url!r}: set an address such as https://alertbook.example.com.")
            return str(url).rstrip("/")
    return f"http://127.0.0.1:{port}"


def _path(env: Env, name: str, default: str) -> str:
    path: str = env.str(name, default=default)
    if not path.startswith("/") or path.startswith("//") or not path.isprintable() or " " in path:
        raise SettingsError(f"{name} is {path!r}: set a path that begins with a slash, such as {default}.")
    return path


def _relation(env: Env, name: str, default: str) -> str:
    relation: str = env.str(name, default=default)
    if not re.fullmatch(r'(?:"[^"]+"|[^".]+)(?:\.(?:"[^"]+"|[^".]+))?', relation):
        raise SettingsError(f"{name} is {relation!r}: set the name of a view with its schema, such as {default}.")
    return relation


def load(environ: Mapping[str, str]) -> Settings:
    """Read and validate the settings. Raises SettingsError with a sentence that says what to set."""
    env = _Given(environ)
    try:
        return _load(env, environ)
    except EnvValidationError as error:
        raise SettingsError(f"Unreadable setting: {error}") from None
    except EnvError as error:
        raise SettingsError(str(error)) from None


def _load(env: Env, environ: Mapping[str, str]) -> Settings:
    platform = next((name for name in PLATFORM_VARIABLES if environ.get(name)), None)
    database_url = _database_url(env.str("DATABASE_URL", default=None), "DATABASE_URL")
    return Settings(
        database_url=database_url,
        database_url_direct=_database_url(env.str("DATABASE_URL_DIRECT", default=None), "DATABASE_URL_DIRECT")
        or database_url,
        data_dir=Path(env.str("ALERTBOOK_DATA_DIR", default=str(ROOT / "data"))).expanduser().absolute(),
        host=env.str("HOST", default="0.0.0.0" if platform else "127.0.0.1"),
        port=_between(env, "PORT", 5000, 1, 65535),
        web_concurrency=_between(env, "WEB_CONCURRENCY", 2, 1, 256),
        platform=platform,
        naive_timestamp_zone=_zone(env.str("NAIVE_TIMESTAMP_ZONE", default="America/New_York")),
        redis_url=env.str("REDIS_URL", default=None),
        webhook_secrets=_keys(env, "WEBHOOK_SECRET"),
        api_keys=_keys(env, "API_KEY", "HEIMDALL_BUILDER_API_KEY"),
        admin_keys=_keys(env, "ADMIN_KEY"),
        internal_tokens=_keys(env, "INTERNAL_TOKEN"),
        viewer_keys=_keys(env, "VIEWER_KEY"),
        session_secret=env.str("SESSION_SECRET", default=None),
        db_pool_size=_between(env, "DB_POOL_SIZE", 10, 2, 200),
        log_level=env.str("LOG_LEVEL", default="INFO").upper(),
        # daily snapshots and the job that posts them
        signing_secrets=_keys(env, "SIGNING_SECRET"),
        alertbook_url=_web_url(env, ("HAIPHEN_API_URL", "ALERTBOOK_URL"), _between(env, "PORT", 5000, 1, 65535)),
        snapshot_endpoint=_path(env, "SNAPSHOT_ENDPOINT", "/v1/internal/trades/snapshot"),
        sync_database_url=_database_url(env.str("SYNC_DATABASE_URL", default=None), "SYNC_DATABASE_URL"),
        target_database_url=_database_url(env.str("TARGET_DATABASE_URL", default=None), "TARGET_DATABASE_URL"),
        mv_kpi_table=_relation(env, "MV_KPI_TABLE", "utils_statistics.trades_kpi_summary_mv"),
        mv_series_table=_relation(env, "MV_SERIES_TABLE", "utils_statistics.trades_kpi_series_mv"),
        mv_extremes_table=_relation(env, "MV_EXTREMES_TABLE", "utils_statistics.trades_contract_extremes_by_kpi_mv"),
        mv_portfolio_table=_relation(env, "MV_PORTFOLIO_TABLE", "utils_statistics.trades_portfolio_assets_mv"),
    )
