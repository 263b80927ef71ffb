"""The pages. Their numbers come from the same functions as the API's; the blueprint is `dashboard.pages.blueprint`.

To add a page: its module with its routes, a template, and a line in `dashboard.navigation.NAVIGATION`.
"""

from dashboard import (
    analysis,
    capital,
    governance,
    intake,
    login,
    sample,
    snapshots,
    telemetry,
    today,
    trades,
    workbench,
)
from dashboard.pages import blueprint

__all__ = [
    "analysis",
    "blueprint",
    "capital",
    "governance",
    "intake",
    "login",
    "sample",
    "snapshots",
    "telemetry",
    "today",
    "trades",
    "workbench",
]
