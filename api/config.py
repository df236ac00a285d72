"""The settings of the API; no other module of this package reads the environment."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import psycopg
from environs import Env, EnvValidationError
from limits import parse_many
from marshmallow import ValidationError, validate
from psycopg.conninfo import conninfo_to_dict

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LOG_FORMATS = ("auto", "text", "json")
MEMORY = "memory://"


class ConfigurationError(Exception):
    """Settings that are not valid; the message names each of them and says why."""


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting; an empty text is a setting that is switched off."""

    database_url: str = field(repr=False)
    role: str = "leads_api"
    host: str = "127.0.0.1"
    port: int = 4000
    workers: int = 1
    threads: int = 4
    rate_limit: str = "100 per minute"
    rate_limit_storage: str = field(default=MEMORY, repr=False)
    statement_timeout_ms: int = 5000
    log_level: str = "INFO"
    log_format: str = "auto"


def load(env_file: Path = Path(".env")) -> Config:
    """Returns the settings of the environment, and of the file for variables that the environment does not have.

    Raises ConfigurationError, which names every setting that is not valid.
    """
    env = Env(eager=False)
    env.read_env(env_file, recurse=False)

    def read(name: str, parse: Callable[..., Any], default: Any, check: Any = None) -> Any:  # noqa: ANN401  # As environs does.
        # Compose files and systemd units write a variable that is not set as an empty one.
        return parse(name, validate=check) if env.str(name, "").strip() else default

    own = bool(env.str("LEADS_API_DATABASE_URL", "").strip())
    config = Config(
        database_url=env.str(
            "LEADS_API_DATABASE_URL" if own else "DATABASE_URL", validate=_check_database_url
        ),
        role=_switchable(read("LEADS_API_ROLE", env.str, "leads_api")),
        host=read("HOST", env.str, "127.0.0.1"),
        port=read("PORT", env.int, 4000, validate.Range(1, 65535)),
        workers=read("LEADS_API_WORKERS", env.int, 1, validate.Range(1, 64)),
        threads=read("LEADS_API_THREADS", env.int, 4, validate.Range(1, 256)),
        rate_limit=_switchable(read("LEADS_RATE_LIMIT", env.str, "100 per minute", _check_rate_limit)),
        rate_limit_storage=read("LEADS_RATE_LIMIT_STORAGE", env.str, MEMORY, _check_storage),
        statement_timeout_ms=read("LEADS_STATEMENT_TIMEOUT_MS", env.int, 5000, validate.Range(1, 3_600_000)),
        log_level=str(read("LEADS_LOG_LEVEL", env.str, "INFO", _one_of(LOG_LEVELS)) or "").upper(),
        log_format=str(read("LEADS_LOG_FORMAT", env.str, "auto", _one_of(LOG_FORMATS)) or "").lower(),
    )
    try:
        env.seal()
    except EnvValidationError as error:
        messages = cast("dict[str, list[str]]", error.error_messages)
        bad = (f"{name}: {' '.join(found)}" for name, found in sorted(messages.items()))
        raise ConfigurationError("These settings cannot be used. " + " ".join(bad)) from None
    if config.workers > 1 and config.rate_limit and config.rate_limit_storage.startswith("memory:"):
        raise ConfigurationError(
            "LEADS_API_WORKERS: several workers would each count for themselves, and let through a multiple "
            "of LEADS_RATE_LIMIT. Name a store that they share in LEADS_RATE_LIMIT_STORAGE "
            "(redis://HOST:PORT or valkey://HOST:PORT), or set LEADS_RATE_LIMIT=off."
        )
    return config


def share_metrics(directory: str) -> None:
    """Set the folder in which several workers share their metrics; prometheus_client reads it when it is imported."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory


def _switchable(value: str) -> str:
    """Returns the value, or an empty text for `off`."""
    return "" if (value or "").strip().lower() == "off" else value


def _check_database_url(url: str) -> None:
    if not url.strip():
        raise ValidationError("Has to be the address of the database.")
    # psycopg's own message can repeat the password.
    try:
        conninfo_to_dict(url)
    except psycopg.Error:
        raise ValidationError(
            "Not a PostgreSQL address such as postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
        ) from None


def _check_rate_limit(text: str) -> None:
    if text.strip().lower() == "off":
        return
    try:
        count = len(parse_many(text))
    except ValueError:
        count = 0
    # A limit of 0 requests would let none pass, and a window of 0 seconds is none.
    if count != 1 or 0 in map(int, re.findall(r"\d+", text)):
        raise ValidationError("Must be one limit such as '100 per minute', or 'off'.")


def _check_storage(uri: str) -> None:
    try:
        urlsplit(uri).port  # noqa: B018  # It raises ValueError if it is not a port.
    except ValueError:
        raise ValidationError("The port of the store has to be a number up to 65535.") from None
    if uri.partition("://")[0] not in (
        "memory",
        "redis",
        "rediss",
        "redis+unix",
        "valkey",
        "valkeys",
        "valkey+unix",
    ):
        raise ValidationError(
            "Must be memory://, or the address of a store: redis://HOST:PORT or valkey://HOST:PORT."
        )


def _one_of(choices: tuple[str, ...]) -> Callable[[str], None]:
    """Returns a check that a value is one of these, in any case."""

    def check(value: str) -> None:
        if value.upper() not in (choice.upper() for choice in choices):
            raise ValidationError(f"Must be one of: {', '.join(choices)}.")

    return check
