"""Log lines: readable on a terminal, JSON elsewhere."""

import logging
import sys

import structlog
from flask import Flask, Response, g, request
from structlog.typing import Processor

from api.config import Config

# Values of variables stay out of the log: one of them is the address of the database.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure(config: Config) -> None:
    """Send the lines of this package to the standard error, from the level on."""
    text = config.log_format == "text" or (config.log_format == "auto" and sys.stderr.isatty())
    renderer: list[Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if text
        else [_TRACEBACKS, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, config.log_level)),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def install(app: Flask, config: Config) -> None:
    """Note every request, for those who want to see so much."""
    if config.log_level == "DEBUG":
        app.after_request(_note)


def _note(response: Response) -> Response:
    structlog.get_logger().debug(
        "answered",
        method=request.method,
        path=request.path,
        status=response.status_code,
        correlation_id=g.correlation_id,
    )
    return response
