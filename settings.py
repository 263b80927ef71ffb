"""Environment to one frozen Settings; the only reader of os.environ."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from ipaddress import IPv4Network, IPv6Network, ip_network
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
#: The four addresses from which TradingView posts, as its help pages list them.
TRADINGVIEW_ADDRESSES: Final = ("52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7")
#: What ENV or APP_ENV says where the go-live switch is enforced.
PRODUCTION: Final = frozenset({"prod", "production", "live"})
_NOTIFY_SCHEMES: Final = tuple(
    f"{form}{scheme}://" for form in ("", "discord+", "slack+", "telegram+") for scheme in ("http", "https")
)
#: Where the builder may write below BUILDER_ROOT.
_BUILDER_FOLDERS: Final = ["app", "database", "docs", "handlers", "jobs", "reports", "state", "tests", "tools"]
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})

CORS_DEFAULT: Final = (
    "http://localhost:3000, http://localhost:3001, https://deltadyno.github.io, https://*.vercel.app, "
    "https://*.netlify.app"
)
_ORIGIN: Final = re.compile(r"https?://(\*\.(?=[a-z0-9-]+\.))?([a-z0-9-]+\.)*[a-z0-9-]+(:[0-9]{1,5})?")


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

    # intake
    webhook_body_limit: int
    webhook_allowed_ips: tuple[IPv4Network | IPv6Network, ...]
    trusted_proxy_hops: int
    spool_dir: Path | None
    spool_max_mb: int
    spool_max_age_hours: int
    quarantine_max_total: int
    quarantine_max_per_peer: int
    # governance
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
    # capital and what is scheduled
    freeze_drawdown_pct: Decimal
    forecast_monthly_yield: Decimal
    capital_base_currency: str
    notify_urls: tuple[str, ...]
    notify_signing_secret: str | None
    builder_root: Path | None
    builder_allowed: tuple[str, ...]
    research_fetch: bool
    # trading telemetry
    cors_origins: tuple[str, ...]
    telemetry_stale_seconds: int
    #: strategy id or name ("*": any other) to telemetry profile
    strategy_profiles: tuple[tuple[str, int], ...]
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
    # signals: what one point of a symbol is worth, in money
    point_values: Mapping[str, Decimal]

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


def _enforced(env: Env) -> bool:
    """Whether go-live is enforced: GO_LIVE_ENFORCE is on and this is production by ENV, else by APP_ENV."""
    wanted: bool = env.bool("GO_LIVE_ENFORCE", default=False)
    where: str = env.str("ENV", default=None) or env.str("APP_ENV", default="")
    return wanted and where.strip().lower() in PRODUCTION


def _zone(name: str, setting: str = "NAIVE_TIMESTAMP_ZONE") -> str:
    try:
        return str(pytz.timezone(name))
    except pytz.UnknownTimeZoneError:
        raise SettingsError(
            f"{setting} is {name!r}, which is no time zone: set a name such as America/New_York or UTC."
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


def _networks(env: Env, name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks of a comma list of addresses, CIDR ranges and the word `tradingview`."""
    found: list[IPv4Network | IPv6Network] = []
    values: list[str] = env.list(name, default=[])
    for word in map(str.strip, values):
        try:
            addresses = TRADINGVIEW_ADDRESSES if word.lower() == "tradingview" else [word]
            found += [ip_network(address) for address in addresses]
        except ValueError:
            raise SettingsError(
                f"{name} holds {word!r}: set addresses or ranges such as 203.0.113.0/24, or the word tradingview."
            ) from None
    return tuple(found)


def _spool_dir(env: Env, platform: str | None, data_dir: Path) -> Path | None:
    """Where alerts wait when the database is away: nowhere when the disk does not outlive a deploy."""
    given: str | None = env.str("SPOOL_DIR", default=None)
    if given is not None:
        return None if given.lower() == "off" else Path(given).expanduser().absolute()
    volume: str | None = env.str("RAILWAY_VOLUME_MOUNT_PATH", default=None)
    if volume is not None:
        return Path(volume) / "spool"
    return None if platform else data_dir / "spool"


def _origins(text: str) -> tuple[str, ...]:
    """The origins whose pages may read metrics; "none" for none."""
    origins = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    if origins == ("none",):
        return ()
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise SettingsError(
                f"CORS_ORIGINS holds {origin!r}: set origins such as https://desk.example or https://*.vercel.app, "
                "separated by commas, or none."
            )
    return origins


def _profiles(text: str) -> tuple[tuple[str, int], ...]:
    """Strategy to telemetry profile, from "strategy=number, other=number"."""
    found: dict[str, int] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, number = (piece.strip() for piece in part.rpartition("="))
        if not (name and equals and number.isascii() and number.isdigit() and len(number) < 19) or name in found:
            raise SettingsError(
                f"TELEMETRY_STRATEGY_PROFILES holds {part!r}: set strategy=profile pairs, such as NQ_BREAKOUT=1, ES=2, "
                "each strategy once (* stands for every other one)."
            )
        found[name] = int(number)
    return tuple(found.items())


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


def _point_values(pairs: list[str]) -> dict[str, Decimal]:
    """Money per point by symbol (upper case), from NQ1!=20,ES1!=50."""
    found: dict[str, Decimal] = {}
    for pair in filter(None, map(str.strip, pairs)):
        symbol, _, value = pair.rpartition("=")
        try:
            worth = Decimal(value.strip())
        except InvalidOperation:
            worth = Decimal(0)
        if not symbol.strip() or not worth.is_finite() or worth <= 0:
            raise SettingsError(
                f"POINT_VALUES holds {pair!r}: set symbols with money per point, such as NQ1!=20,ES1!=50."
            )
        found[symbol.strip().upper()] = worth
    return found


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
    data_dir = Path(env.str("ALERTBOOK_DATA_DIR", default=str(ROOT / "data"))).expanduser().absolute()
    return Settings(
        database_url=database_url,
        database_url_direct=_database_url(env.str("DATABASE_URL_DIRECT", default=None), "DATABASE_URL_DIRECT")
        or database_url,
        data_dir=data_dir,
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
        webhook_body_limit=_between(env, "WEBHOOK_BODY_LIMIT", 65_536, 1_024, 16_777_216),
        webhook_allowed_ips=_networks(env, "WEBHOOK_ALLOWED_IPS"),
        trusted_proxy_hops=_between(env, "TRUSTED_PROXY_HOPS", 0, 0, 10),
        spool_dir=_spool_dir(env, platform, data_dir),
        spool_max_mb=_between(env, "SPOOL_MAX_MB", 256, 1, 1_000_000),
        spool_max_age_hours=_between(env, "SPOOL_MAX_AGE_HOURS", 72, 1, 10_000),
        quarantine_max_total=_between(env, "QUARANTINE_MAX_TOTAL", 10_000, 0, 10_000_000),
        quarantine_max_per_peer=_between(env, "QUARANTINE_MAX_PER_PEER", 2_000, 0, 10_000_000),
        go_live_enforced=_enforced(env),
        risk_day_zone=_zone(env.str("RISK_DAY_ZONE", default="UTC"), "RISK_DAY_ZONE"),
        risk_reservation_ttl_seconds=_between(env, "RISK_RESERVATION_TTL_SECONDS", 900, 1, 31 * 86_400),
        risk_pool_size=_between(env, "RISK_POOL_SIZE", 2, 1, 200),
        heimdall_eligible_seconds=_between(env, "HEIMDALL_ELIGIBLE_SECONDS", 3600, 1, 31 * 86_400),
        kpi_from_trades=env.bool("KPI_FROM_TRADES", default=False),
        retention_enabled=env.bool("RETENTION_ENABLED", default=False),
        retention_cron_minutes=_between(env, "RETENTION_CRON_MINUTES", 30, 1, 100_000),
        retention_log_path=env.str("LOG_JSON_PATH", default=None),
        retention_log_days=_between(env, "RETENTION_LOG_DAYS", 14, 0, 100_000),
        retention_kpi_days=_between(env, "RETENTION_KPI_DAYS", 400, 0, 100_000),
        retention_telemetry_days=_between(env, "RETENTION_TELEMETRY_DAYS", 400, 0, 100_000),
        retention_receipt_days=_between(env, "RETENTION_RECEIPT_DAYS", 90, 0, 100_000),
        # trading telemetry
        cors_origins=_origins(env.str("CORS_ORIGINS", default=CORS_DEFAULT)),
        telemetry_stale_seconds=_between(env, "TELEMETRY_STALE_SECONDS", 300, 1, 31_536_000),
        strategy_profiles=_profiles(env.str("TELEMETRY_STRATEGY_PROFILES", default="")),
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
        **_capital(env),
        # signals
        point_values=_point_values(env.list("POINT_VALUES", default=[])),
    )


def _fraction(env: Env, name: str, default: str, high: str) -> Decimal:
    text: str = env.str(name, default=default)
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 < value <= Decimal(high):
        raise SettingsError(f"{name} is {text!r}: set a fraction above 0 and up to {high}, such as {default}.")
    return value


def _capital(env: Env) -> dict[str, Any]:
    """Settings of capital, notices, builder and research."""
    currency: str = env.str("CAPITAL_BASE_CURRENCY", default="CAD").strip().upper()
    if not (3 <= len(currency) <= 12 and currency.isascii() and currency.isalnum()):
        raise SettingsError(f"CAPITAL_BASE_CURRENCY is {currency!r}: set a currency's code, such as CAD.")
    listed: list[str] = env.list("NOTIFY_WEBHOOK_URLS", default=[])
    urls = tuple(url.strip() for url in listed if url.strip())
    for url in urls:
        if not url.startswith(_NOTIFY_SCHEMES):
            raise SettingsError(
                "NOTIFY_WEBHOOK_URLS holds an address that is none: set addresses that start with http:// or https:// "
                "(or discord+https://, slack+https://, telegram+https:// to choose the form), separated by commas."
            )
    root: str | None = env.str("BUILDER_ROOT", default=None)
    if root is not None and not Path(root).is_dir():
        raise SettingsError("BUILDER_ROOT is no folder: set the folder below which the builder may write, or unset it.")
    folders: list[str] = env.list("BUILDER_ALLOWED", default=_BUILDER_FOLDERS)
    return {
        "freeze_drawdown_pct": _fraction(env, "FREEZE_DRAWDOWN_PCT", "0.02", "1"),
        "forecast_monthly_yield": _fraction(env, "FORECAST_MONTHLY_YIELD", "0.04", "10"),
        "capital_base_currency": currency,
        "notify_urls": urls,
        "notify_signing_secret": _signing_secret(env.str("NOTIFY_SIGNING_SECRET", default=None)),
        "builder_root": None if root is None else Path(root).resolve(),
        "builder_allowed": tuple(folder.strip().strip("/") for folder in folders),
        "research_fetch": env.bool("RESEARCH_FETCH", default=False),
    }


def _signing_secret(secret: str | None) -> str | None:
    if secret is None:
        return None
    try:
        key = base64.b64decode(secret.strip().removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not 24 <= len(key) <= 64:
        raise SettingsError(
            "NOTIFY_SIGNING_SECRET is no Standard Webhooks secret: set whsec_ followed by 24 to 64 random bytes in "
            "base64, such as the output of `openssl rand -base64 32`."
        )
    return secret.strip()
