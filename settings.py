"""Environment to one frozen Settings; the only reader of os.environ."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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

    # trading telemetry
    cors_origins: tuple[str, ...]
    telemetry_stale_seconds: int
    #: strategy id or name ("*": any other) to telemetry profile
    strategy_profiles: tuple[tuple[str, int], ...]

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
        # trading telemetry
        cors_origins=_origins(env.str("CORS_ORIGINS", default=CORS_DEFAULT)),
        telemetry_stale_seconds=_between(env, "TELEMETRY_STALE_SECONDS", 300, 1, 31_536_000),
        strategy_profiles=_profiles(env.str("TELEMETRY_STRATEGY_PROFILES", default="")),
    )
