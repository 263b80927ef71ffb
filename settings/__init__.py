"""Environment to one frozen Settings; the only reader of the environment. To add a setting: a field of its area."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from environs import EnvError, EnvValidationError

from errors import SettingsError
from settings import access, capital, governance, intake, server, snapshots, telemetry
from settings.access import Access
from settings.capital import Capital
from settings.governance import Governance
from settings.intake import Intake
from settings.reading import Given
from settings.server import LOOPBACK, PLATFORM_VARIABLES, ROOT, SERVICE, VERSION, Server
from settings.snapshots import Snapshots
from settings.telemetry import Telemetry

__all__ = ["LOOPBACK", "PLATFORM_VARIABLES", "ROOT", "SERVICE", "VERSION", "Settings", "load"]

_AREAS: Final = (access, intake, governance, capital, telemetry, snapshots)


@dataclass(frozen=True, kw_only=True)
class Settings(Server, Access, Intake, Governance, Capital, Telemetry, Snapshots):
    """Everything that can be configured, validated."""

    def require_keys(self) -> None:
        """Raise SettingsError when the server could be reached from outside without a key."""
        if self.missing_keys and not self.on_loopback:
            names = ", ".join(self.missing_keys)
            raise SettingsError(
                f"HOST is {self.host}, so others can reach this server, but these keys are unset: {names}. "
                "Set them (`python deploy.py keys` prints a fresh set) or bind to HOST=127.0.0.1."
            )


def load(environ: Mapping[str, str]) -> Settings:
    """Read and validate the settings. Raises SettingsError with a sentence that says what to set."""
    env = Given(environ)
    try:
        place = server.read(env)
        values = dict(vars(place))
        for area in _AREAS:
            values |= vars(area.read(env, place))
        return Settings(**values)
    except EnvValidationError as error:
        raise SettingsError(f"Unreadable setting: {error}") from None
    except EnvError as error:
        raise SettingsError(str(error)) from None
