"""Capital, notices, the builder's desk and research."""

import base64
import binascii
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from environs import Env

from errors import SettingsError
from settings.reading import fraction
from settings.server import Server

_NOTIFY_SCHEMES: Final = tuple(
    f"{form}{scheme}://" for form in ("", "discord+", "slack+", "telegram+") for scheme in ("http", "https")
)
#: Where the builder may write below BUILDER_ROOT.
_BUILDER_FOLDERS: Final = ["app", "database", "docs", "handlers", "jobs", "reports", "state", "tests", "tools"]


@dataclass(frozen=True, kw_only=True)
class Capital:
    """Settings of capital and what is scheduled."""

    freeze_drawdown_pct: Decimal
    forecast_monthly_yield: Decimal
    capital_base_currency: str
    notify_urls: tuple[str, ...]
    notify_signing_secret: str | None
    builder_root: Path | None
    builder_allowed: tuple[str, ...]
    research_fetch: bool


def read(env: Env, server: Server) -> Capital:
    """The settings of this area."""
    folders: list[str] = env.list("BUILDER_ALLOWED", default=_BUILDER_FOLDERS)
    return Capital(
        freeze_drawdown_pct=fraction(env, "FREEZE_DRAWDOWN_PCT", "0.02", "1"),
        forecast_monthly_yield=fraction(env, "FORECAST_MONTHLY_YIELD", "0.04", "10"),
        capital_base_currency=_currency(env),
        notify_urls=_notify_urls(env),
        notify_signing_secret=_signing_secret(env.str("NOTIFY_SIGNING_SECRET", default=None)),
        builder_root=_builder_root(env.str("BUILDER_ROOT", default=None)),
        builder_allowed=tuple(folder.strip().strip("/") for folder in folders),
        research_fetch=env.bool("RESEARCH_FETCH", default=False),
    )


def _currency(env: Env) -> str:
    currency: str = env.str("CAPITAL_BASE_CURRENCY", default="CAD").strip().upper()
    if not (3 <= len(currency) <= 12 and currency.isascii() and currency.isalnum()):
        raise SettingsError(f"CAPITAL_BASE_CURRENCY is {currency!r}: set a currency's code, such as CAD.")
    return currency


def _notify_urls(env: Env) -> tuple[str, ...]:
    listed: list[str] = env.list("NOTIFY_WEBHOOK_URLS", default=[])
    urls = tuple(url.strip() for url in listed if url.strip())
    for url in urls:
        if not url.startswith(_NOTIFY_SCHEMES):
            raise SettingsError(
                "NOTIFY_WEBHOOK_URLS holds an address that is none: set addresses that start with http:// or https:// "
                "(or discord+https://, slack+https://, telegram+https:// to choose the form), separated by commas."
            )
    return urls


def _builder_root(folder: str | None) -> Path | None:
    if folder is None:
        return None
    if not Path(folder).is_dir():
        raise SettingsError("BUILDER_ROOT is no folder: set the folder below which the builder may write, or unset it.")
    return Path(folder).resolve()


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
