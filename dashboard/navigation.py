"""The pages in the order of the navigation, which is on every page."""

from itertools import groupby
from typing import Final

#: (endpoint, label, group)
NAVIGATION: Final = (
    ("dashboard.show_today", "Today", "Trading"),
    ("dashboard.list_trades", "Trades", "Trading"),
    ("dashboard.show_analysis", "Analysis", "Trading"),
    ("dashboard.show_breakout", "Breakout", "Scripts"),
    ("dashboard.show_equity_and_risk", "Equity & risk", "Scripts"),
    ("dashboard.show_system_and_orders", "System & orders", "Scripts"),
    ("dashboard.show_governance", "Governance", "Control"),
    ("dashboard.show_capital", "Capital", "Control"),
    ("dashboard.show_snapshots", "Snapshots", "Control"),
    ("dashboard.show_intake", "Intake", "Operations"),
    ("dashboard.show_workbench", "Workbench", "Operations"),
)

#: The same by group: (group, ((endpoint, label), ...)).
GROUPS: Final = tuple(
    (group, tuple((endpoint, label) for endpoint, label, _ in items))
    for group, items in groupby(NAVIGATION, key=lambda item: item[2])
)
