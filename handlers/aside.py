"""Long computations of handlers beside the event loop."""

from database.aside import aside

__all__ = ["aside"]
