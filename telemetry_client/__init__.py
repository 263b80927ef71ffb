"""Records what a trading script does, without making it wait. Standard library only.

from telemetry_client import TelemetryManager, HttpStorage

telemetry = TelemetryManager(HttpStorage("http://127.0.0.1:5000", api_key="..."))
telemetry.record_api_latency(1, "order_monitor", 12.5)
"""

from telemetry_client.manager import TelemetryManager
from telemetry_client.storage import FileStorage, HttpStorage, Receipt, Refused, Storage, Unreachable

__all__ = ["FileStorage", "HttpStorage", "Receipt", "Refused", "Storage", "TelemetryManager", "Unreachable"]
