"""Re-arming tripped wires: what a human does by switching on again what they had switched off."""

from database.driver import Connection
from database.queries import QUERIES


def rearm(connection: Connection, *, acted: str, domain: str | None) -> list[str]:
    """Re-arm the wires that took this action (of one domain, or of all); returns their names, domain.metric.

    The caller holds the GLOBAL lock and writes the audit.
    """
    return [f"{row.domain}.{row.metric}" for row in QUERIES.regression.rearm(connection, acted=acted, domain=domain)]
