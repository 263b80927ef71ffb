"""Trading telemetry: whose pages may read it, when it is stale, which strategy writes to which profile."""

import re
from dataclasses import dataclass
from typing import Final

from environs import Env

from errors import SettingsError
from settings.reading import between
from settings.server import Server

CORS_DEFAULT: Final = (
    "http://localhost:3000, http://localhost:3001, https://deltadyno.github.io, https://*.vercel.app, "
    "https://*.netlify.app"
)
_ORIGIN: Final = re.compile(r"https?://(\*\.(?=[a-z0-9-]+\.))?([a-z0-9-]+\.)*[a-z0-9-]+(:[0-9]{1,5})?")


@dataclass(frozen=True, kw_only=True)
class Telemetry:
    """Settings of trading telemetry."""

    cors_origins: tuple[str, ...]
    telemetry_stale_seconds: int
    #: strategy id or name ("*": any other) to telemetry profile
    strategy_profiles: tuple[tuple[str, int], ...]


def read(env: Env, server: Server) -> Telemetry:
    """The settings of this area."""
    return Telemetry(
        cors_origins=_origins(env.str("CORS_ORIGINS", default=CORS_DEFAULT)),
        telemetry_stale_seconds=between(env, "TELEMETRY_STALE_SECONDS", 300, 1, 31_536_000),
        strategy_profiles=_profiles(env.str("TELEMETRY_STRATEGY_PROFILES", default="")),
    )


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
