"""Who is let in: keys are tuples, any of them is right."""

from dataclasses import dataclass

from environs import Env

from errors import SettingsError
from settings.reading import keys
from settings.server import Server


@dataclass(frozen=True, kw_only=True)
class Access:
    """The keys."""

    webhook_secrets: tuple[str, ...]
    api_keys: tuple[str, ...]
    admin_keys: tuple[str, ...]
    internal_tokens: tuple[str, ...]
    viewer_keys: tuple[str, ...]
    signing_secrets: tuple[str, ...]
    session_secret: str | None

    @property
    def missing_keys(self) -> tuple[str, ...]:
        """Names of the key settings that are unset."""
        given = {
            "WEBHOOK_SECRET": self.webhook_secrets,
            "API_KEY": self.api_keys,
            "ADMIN_KEY": self.admin_keys,
            "INTERNAL_TOKEN": self.internal_tokens,
            "SESSION_SECRET": self.session_secret,
        }
        return tuple(name for name, value in given.items() if not value)


def read(env: Env, server: Server) -> Access:
    """The settings of this area."""
    return Access(
        webhook_secrets=_webhook_secrets(env),
        api_keys=keys(env, "API_KEY", "HEIMDALL_BUILDER_API_KEY"),
        admin_keys=keys(env, "ADMIN_KEY"),
        internal_tokens=keys(env, "INTERNAL_TOKEN"),
        viewer_keys=keys(env, "VIEWER_KEY"),
        signing_secrets=keys(env, "SIGNING_SECRET"),
        session_secret=env.str("SESSION_SECRET", default=None),
    )


def _webhook_secrets(env: Env) -> tuple[str, ...]:
    secrets = keys(env, "WEBHOOK_SECRET")
    if any(secret.startswith("/") for secret in secrets):
        raise SettingsError(
            "WEBHOOK_SECRET holds one that begins with /, which no address can end in: set another one."
        )
    return secrets
