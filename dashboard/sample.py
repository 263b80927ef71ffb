"""The first start's button: a sample trade, sent through the same door as every alert."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response, url_for

from dashboard.pages import blueprint
from database.receipts import Delivery
from handlers.delivery import Incoming, deliver
from handlers.middleware.access import Execution, Role, access
from handlers.middleware.answers import answer
from handlers.middleware.bodies import json_object
from handlers.services import services


@blueprint.post("/sample")
@access(Role.ADMIN, Execution.SANDBOX_EXEC)
def send_sample() -> Response:
    """Store the alerts of one finished trade, named SAMPLE; a second press adds another trade."""
    now = datetime.now(UTC)
    trade_id = f"SAMPLE_{now:%Y%m%d_%H%M%S}"
    here = services()
    for body in sample_alerts(trade_id, now):
        raw = json.dumps(body).encode()
        incoming = Incoming(raw, Delivery(datetime.now(UTC), "dashboard"), time.monotonic() + 2)
        deliver(here, incoming, json_object(raw), taken=False)
    return answer({"success": True, "trade_id": trade_id, "go": url_for("dashboard.show_trade", trade_id=trade_id)})


def sample_alerts(trade_id: str, now: datetime) -> list[dict[str, Any]]:
    """The bodies of a long trade that went to 2R and was closed there, ending at `now`."""

    def alert(event_type: str, minutes_ago: int, **more: Any) -> dict[str, Any]:
        at = (now - timedelta(minutes=minutes_ago)).isoformat(timespec="seconds")
        first = {"schema_version": "1.0.0", "trade_id": trade_id, "event_type": event_type}
        return {**first, "event_timestamp": at, **more}

    entry = {
        "direction": "LONG",
        "symbol": "MNQ1!",
        "timeframe": "5",
        "strategy_id": "SAMPLE",
        "entry_price": 20500,
        "stop_loss": 20475,
        "targets": {"tp1_price": 20525, "tp2_price": 20550, "tp3_price": 20575},
        "setup": {"setup_family": "FVG_CORE", "setup_variant": "HTF_ALIGNED"},
    }
    return [
        alert("ENTRY", 60, **entry),
        alert("MFE_UPDATE", 45, current_price=20518, be_mfe=0.8, no_be_mfe=0.8, mae_global_R=-0.3),
        alert("BE_TRIGGERED", 30, be_mfe=1.1, no_be_mfe=1.1),
        alert("MFE_UPDATE", 15, current_price=20544, be_mfe=1.8, no_be_mfe=1.8, mae_global_R=-0.3),
        alert("EXIT_TAKE_PROFIT", 1, exit_price=20550, final_mfe=2.0, be_mfe=2.0, no_be_mfe=2.0),
    ]
