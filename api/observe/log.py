"""Log lines: readable on a terminal, and one JSON object each elsewhere."""

import logging
import logging.config
import sys
import threading
from functools import partial
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

LEFT_OUT = "(left out: LEADS_LOG_PERSONAL_DATA is off)"

# Keys of a line that can hold personal data: a path contains a phone or the words of a search.
_PERSONAL = ("path",)
# Errors whose messages name code or files. The message of any other error can quote a value.
_QUOTES_NO_VALUE = (ImportError, NameError, AttributeError, TypeError, OSError, MemoryError, RecursionError)


class _StandardError:
    """The present standard error. A request must not fail because nobody reads the log any more."""

    def write(self, text: str) -> int:
        try:
            return sys.stderr.write(text)
        except (OSError, ValueError):
            return 0

    def flush(self) -> None:
        """Do nothing: Python writes each line of standard error at once."""


STANDARD_ERROR = _StandardError()


def is_text(log_format: str) -> bool:
    """Return whether lines are text for people instead of JSON."""
    return log_format == "text" or (log_format == "auto" and sys.stderr.isatty())


def configure(level: str, log_format: str, *, personal_data: bool) -> None:
    """Write the lines of this package to standard error, from this level up."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_renderers(is_text=is_text(log_format), personal_data=personal_data),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        # It writes each line in one piece, as the lines of requests are written.
        logger_factory=lambda *_: structlog.WriteLogger(STANDARD_ERROR),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )


def configure_process(level: str, log_format: str, *, personal_data: bool) -> dict[str, Any]:
    """Turn all other output of this process into log lines too: of the server, warnings, and uncaught errors.

    Returns the configuration of the standard library's logging, which the server repeats in each worker.
    """
    configuration = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"lines": {"()": partial(_handler, level, log_format, personal_data=personal_data)}},
        "root": {"handlers": ["lines"], "level": "WARNING"},
        # Granian sets the level of its own logger. The one of ASGI would report each caller that leaves.
        "loggers": {"_granian": {"level": level}, "_granian.asgi.io": {"level": "WARNING"}},
    }
    logging.config.dictConfig(configuration)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda error: _log_uncaught(error.exc_type, error.exc_value, error.exc_traceback)
    sys.unraisablehook = lambda error: _log_uncaught(error.exc_type, error.exc_value, error.exc_traceback)
    return configuration


def _handler(level: str, log_format: str, *, personal_data: bool) -> logging.Handler:
    """Return a handler that turns records of the standard library's logging into lines of this package."""
    configure(level, log_format, personal_data=personal_data)
    return _ToLines()


class _ToLines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            text, about = record.getMessage(), {"logger": record.name, "exc_info": record.exc_info}
            structlog.get_logger().log(record.levelno, text, **about)
        except Exception:  # noqa: BLE001  # As in every handler: a bad record harms no caller.
            self.handleError(record)


def cause_of(error: BaseException) -> str:
    """Return the message of an error without its context, in which PostgreSQL quotes values."""
    first, *more = str(error).splitlines() or [""]
    # psycopg lists the hosts that it tried in this form.
    return "\n".join([first, *(line for line in more if line.startswith("- "))])


def _renderers(*, is_text: bool, personal_data: bool) -> list[Processor]:
    """Return the last processors of a line."""
    transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)

    # Tracebacks show no variables, because one of them is the address of the database.
    def describe(exc_info: ExcInfo) -> list[dict[str, Any]] | str:
        errors = transform(exc_info)
        if not personal_data:
            harmless = {kind.__name__ for kind in _kinds(exc_info[1]) if issubclass(kind, _QUOTES_NO_VALUE)}
            for error in errors:
                error["exc_notes"] = []
                if error["exc_type"] not in harmless:
                    error["exc_value"] = LEFT_OUT
        return "\nwhich was raised from or while:\n".join(map(_traceback, errors)) if is_text else errors

    def leave_out(_logger: WrappedLogger, _name: str, line: EventDict) -> EventDict:
        if not personal_data:
            for key in _PERSONAL:
                line.pop(key, None)
        return line

    exceptions = structlog.processors.ExceptionRenderer(describe)
    if is_text:
        return [leave_out, exceptions, _escape, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [leave_out, exceptions, structlog.processors.JSONRenderer()]


def _kinds(error: BaseException | None) -> set[type[BaseException]]:
    """Return the classes of an error, its causes and its contexts."""
    # An error may be its own cause.
    seen: list[BaseException] = []
    while error is not None and not any(error is other for other in seen):
        seen.append(error)
        error = error.__cause__ or error.__context__
    return {type(error) for error in seen}


def _escape(_logger: WrappedLogger, _name: str, line: EventDict) -> EventDict:
    """Escape values, so that none ends the line or controls the terminal. JSON needs no escapes: it is ASCII."""
    for name, value in line.items():
        if isinstance(value, str):
            # A traceback has many lines.
            line[name] = escaped(value, kept="\n" if name == "exception" else "")
    return line


def escaped(text: str, kept: str = "") -> str:
    """Return a text with its control characters escaped as in Python, except those in `kept`."""
    return "".join(
        letter
        if letter.isprintable() or letter == kept
        else letter.encode("unicode_escape", "surrogatepass").decode()
        for letter in text
    )


def _traceback(error: dict[str, Any]) -> str:
    frames = [
        f'  File "{frame["filename"]}", line {frame["lineno"]}, in {frame["name"]}'
        for frame in error["frames"]
    ]
    return "\n".join([*frames, f"{error['exc_type']}: {error['exc_value']}"])


def _log_uncaught(
    kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
) -> None:
    # Ctrl-C is not an error.
    if not issubclass(kind, KeyboardInterrupt):
        structlog.get_logger().error("uncaught", exc_info=(kind, error or kind(), traceback))
