"""Log lines: readable on a terminal, JSON elsewhere."""

import logging
import sys

import structlog
from structlog.typing import Processor

from api.config import Config


def configure(config: Config) -> None:
    """Send the lines of this package to the standard error, from the level on."""
    text = config.log_format == "text" or (config.log_format == "auto" and sys.stderr.isatty())
    renderer: list[Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if text
        else [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, config.log_level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
