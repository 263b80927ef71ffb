"""Alerts: who may send them, how large they may be, where they wait, and what a point of a symbol is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final

from environs import Env

from errors import SettingsError
from settings.reading import between
from settings.server import Server

#: The four addresses from which TradingView posts, as its help pages list them.
TRADINGVIEW_ADDRESSES: Final = ("52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7")


@dataclass(frozen=True, kw_only=True)
class Intake:
    """Settings of what comes in."""

    webhook_body_limit: int
    webhook_allowed_ips: tuple[IPv4Network | IPv6Network, ...]
    trusted_proxy_hops: int
    spool_dir: Path | None
    spool_max_mb: int
    spool_max_age_hours: int
    quarantine_max_total: int
    quarantine_max_per_peer: int
    #: what one point of a symbol is worth, in money
    point_values: Mapping[str, Decimal]


def read(env: Env, server: Server) -> Intake:
    """The settings of this area."""
    return Intake(
        webhook_body_limit=between(env, "WEBHOOK_BODY_LIMIT", 65_536, 1_024, 16_777_216),
        webhook_allowed_ips=_networks(env, "WEBHOOK_ALLOWED_IPS"),
        trusted_proxy_hops=between(env, "TRUSTED_PROXY_HOPS", 0, 0, 10),
        spool_dir=_spool_dir(env, server),
        spool_max_mb=between(env, "SPOOL_MAX_MB", 256, 1, 1_000_000),
        spool_max_age_hours=between(env, "SPOOL_MAX_AGE_HOURS", 72, 1, 10_000),
        quarantine_max_total=between(env, "QUARANTINE_MAX_TOTAL", 10_000, 0, 10_000_000),
        quarantine_max_per_peer=between(env, "QUARANTINE_MAX_PER_PEER", 2_000, 0, 10_000_000),
        point_values=_point_values(env.list("POINT_VALUES", default=[])),
    )


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


def _spool_dir(env: Env, server: Server) -> Path | None:
    """Where alerts wait when the database is away: nowhere when the disk does not outlive a deploy."""
    given: str | None = env.str("SPOOL_DIR", default=None)
    if given is not None:
        return None if given.lower() == "off" else Path(given).expanduser().absolute()
    volume: str | None = env.str("RAILWAY_VOLUME_MOUNT_PATH", default=None)
    if volume is not None:
        return Path(volume) / "spool"
    return None if server.platform else server.data_dir / "spool"


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
