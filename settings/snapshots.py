"""Daily snapshots, and the job that posts them."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from environs import Env

from errors import SettingsError
from settings.reading import database_url
from settings.server import Server

_RELATION: Final = re.compile(r'(?:"[^"]+"|[^".]+)(?:\.(?:"[^"]+"|[^".]+))?')


@dataclass(frozen=True, kw_only=True)
class Snapshots:
    """Settings of snapshots."""

    alertbook_url: str
    snapshot_endpoint: str
    sync_database_url: str | None
    target_database_url: str | None
    mv_kpi_table: str
    mv_series_table: str
    mv_extremes_table: str
    mv_portfolio_table: str


def read(env: Env, server: Server) -> Snapshots:
    """The settings of this area."""
    return Snapshots(
        alertbook_url=_web_url(env, ("HAIPHEN_API_URL", "ALERTBOOK_URL"), server.port),
        snapshot_endpoint=_path(env, "SNAPSHOT_ENDPOINT", "/v1/internal/trades/snapshot"),
        sync_database_url=database_url(env, "SYNC_DATABASE_URL"),
        target_database_url=database_url(env, "TARGET_DATABASE_URL"),
        mv_kpi_table=_relation(env, "MV_KPI_TABLE", "utils_statistics.trades_kpi_summary_mv"),
        mv_series_table=_relation(env, "MV_SERIES_TABLE", "utils_statistics.trades_kpi_series_mv"),
        mv_extremes_table=_relation(env, "MV_EXTREMES_TABLE", "utils_statistics.trades_contract_extremes_by_kpi_mv"),
        mv_portfolio_table=_relation(env, "MV_PORTFOLIO_TABLE", "utils_statistics.trades_portfolio_assets_mv"),
    )


def _web_url(env: Env, names: tuple[str, ...], port: int) -> str:
    """The first of the settings that is set, without a slash at its end; else our own server on this machine."""
    for name in names:
        if url := env.str(name, default=None):
            parts = urlsplit(url)
            plain = not (parts.query or parts.fragment or parts.username)
            if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
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
    if not _RELATION.fullmatch(relation):
        raise SettingsError(f"{name} is {relation!r}: set the name of a view with its schema, such as {default}.")
    return relation
