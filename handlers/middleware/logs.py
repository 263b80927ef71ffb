"""The log: one JSON object a line on standard output."""

import logging

import structlog
from structlog.tracebacks import ExceptionDictTransformer


def configure(level: str = "INFO") -> None:
    """Write the log as JSON lines, from this level upwards."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # never local variables: they hold bodies and keys
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping().get(level, logging.INFO)),
        logger_factory=structlog.PrintLoggerFactory(),
    )
