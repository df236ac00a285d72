"""Logs of the projector: text at a terminal, and one JSON object a line elsewhere.

A line holds no phone numbers, names, addresses or texts of customers, unless LEADS_LOG_PERSONAL_DATA is on. A value
that can hold some is given to a line as Personal, and an error by `quoting`.
"""

import hashlib
import logging
import sys
import threading
import traceback
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from projector.report.counted import escape_hidden, escape_lines
from projector.report.errors import without_values

_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Personal:
    """A value of a line that can be personal data, and the text to write instead; None leaves the value out."""

    value: object
    instead: object = None


# The last arguments of `configure`.
_chosen = {"json": False, "personal_data": False}


def configure(level: str, form: str, *, personal_data: bool = False) -> None:
    """Send logs, warnings of Python and uncaught errors to standard error.

    `level` is the lowest level of our own logs; other libraries log from WARNING up. `form` is `text`, `json`, or
    `auto` for text at a terminal and JSON elsewhere. With `personal_data`, lines may name customers.
    """
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    _chosen.update(json=form == "json", personal_data=personal_data)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if as_text
        else structlog.processors.JSONRenderer(default=str)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            # APScheduler and psycopg log through the standard library.
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(_traceback),
                *([_escape] if as_text else []),
                last,
            ],
        )
    )
    handler.addFilter(_is_told)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("projector").setLevel(level)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda raised: _log_uncaught(
        raised.exc_type, raised.exc_value, raised.exc_traceback
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            _hide_personal_data,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _is_told(record: logging.LogRecord) -> bool:
    # psycopg logs this for the statements that follow a failed one in a pipeline, whose error it raises.
    return not (record.name == "psycopg" and str(record.msg).startswith("error ignored terminating"))


def is_json() -> bool:
    """Return whether every line on standard error has to be JSON, also lines for an operator at a terminal."""
    return _chosen["json"]


def shows_personal_data() -> bool:
    """Return whether lines may name customers."""
    return _chosen["personal_data"]


def digest(phone: str) -> str:
    """Return a short digest of a phone, so that lines about one customer can be matched without naming the phone."""
    return hashlib.sha256(phone.encode()).hexdigest()[:_DIGITS]


def quoting(error: Exception, text: str) -> object:
    """Return the value for a line about an error whose message `text` may quote personal data."""
    hidden = without_values(error)
    return text if hidden is None else Personal(text, hidden)


def _hide_personal_data(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    shown: dict[str, Any] = {}
    for name, value in line.items():
        if not isinstance(value, Personal):
            shown[name] = value
        elif shows_personal_data():
            shown[name] = value.value
        elif value.instead is not None:
            shown[name] = value.instead
    return shown


def _escape(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Escape values, so that none ends the line or controls the terminal. JSON needs no escapes: it is ASCII."""
    return {
        name: value
        if not isinstance(value, str)
        else escape_lines(value)
        if name == "exception"
        else escape_hidden(value)
        for name, value in line.items()
    }


def _traceback(exc_info: ExcInfo) -> str:
    """Return the traceback without messages, which can quote values."""
    if shows_personal_data():
        return "".join(traceback.format_exception(exc_info[1])).rstrip()
    parts: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        frames = "".join(traceback.format_tb(error.__traceback__))
        parts.insert(0, f"{frames}{type(error).__module__}.{type(error).__qualname__}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\n".join(parts)


def _log_uncaught(
    kind: type[BaseException], raised: BaseException | None, trace: TracebackType | None
) -> None:
    raised = kind() if raised is None else raised
    structlog.get_logger(__name__).critical("unexpected failure", exc_info=(kind, raised, trace))
