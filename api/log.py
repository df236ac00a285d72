"""Log lines: readable on a terminal, and JSON elsewhere."""

import logging
import sys

import structlog
from flask import Flask, Response, g, request
from structlog.typing import Processor

from api.config import Config

# Tracebacks do not show the values of variables, because the address of the database is one of them.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure(config: Config) -> None:
    """Write the lines of this package to standard error, from the configured level on."""
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
    """Log every request if the level is DEBUG."""
    if config.log_level == "DEBUG":
        app.after_request(_log_request)


def _log_request(response: Response) -> Response:
    structlog.get_logger().debug(
        "answered",
        method=request.method,
        path=request.path,
        status=response.status_code,
        correlation_id=g.correlation_id,
    )
    return response
