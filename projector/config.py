"""The settings of the projector: the only place of this package that reads the environment."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environs import Env, EnvValidationError
from marshmallow import ValidationError, validate

from projector.errors import ConfigurationError

DEFAULT_VERIFY_CRON = "23 * * * *"

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_LOG_FORMATS = ("auto", "text", "json")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# The five fields of a cron expression: least and greatest number, and the names that stand for numbers.
_CRON_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, _MONTHS),
    (0, 6, _WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set; a text that is empty is not set."""

    database_url: str = field(repr=False)
    state_dir: Path
    pg_bin: Path | None
    refresh_seconds: float
    refresh_batch: int
    queue_limit: int
    verify_cron: str
    verify_sample: int
    rebuild_cron: str
    run_log_days: int
    log_level: str
    log_format: str
    # Only `local` uses these two, to see that the API will find its port free.
    api_host: str
    api_port: int


def load(env_file: Path = Path(".env")) -> Config:
    """Read the environment, and the file for what the environment does not say."""
    env = Env(eager=False)
    env.read_env(env_file, recurse=False)

    def read(name: str, parse: Any, default: Any, check: Any = None) -> Any:  # noqa: ANN401  # As environs does.
        # An empty variable is one that is not set, as compose files and units write it.
        if not env.str(name, "").strip():
            return default
        return parse(name, validate=check)

    pg_bin = read("LEADS_PG_BIN", env.str, "")
    config = Config(
        database_url=read("DATABASE_URL", env.str, ""),
        state_dir=Path(read("LEADS_STATE_DIR", env.str, ".leads")).absolute(),
        pg_bin=Path(pg_bin) if pg_bin else None,
        refresh_seconds=read("LEADS_REFRESH_SECONDS", env.float, 0.25, validate.Range(0.01, 3600)),
        refresh_batch=read("LEADS_REFRESH_BATCH", env.int, 1000, validate.Range(1, 100_000)),
        queue_limit=read("LEADS_QUEUE_LIMIT", env.int, 1_000_000, validate.Range(1)),
        verify_cron=_cron(env, "LEADS_VERIFY_CRON", DEFAULT_VERIFY_CRON),
        verify_sample=read("LEADS_VERIFY_SAMPLE", env.int, 500, validate.Range(1)),
        rebuild_cron=_cron(env, "LEADS_REBUILD_CRON", ""),
        run_log_days=read("LEADS_RUN_LOG_DAYS", env.int, 14, validate.Range(1)),
        log_level=(read("LEADS_LOG_LEVEL", env.str, "INFO", _one_of(_LOG_LEVELS)) or "").upper(),
        log_format=(read("LEADS_LOG_FORMAT", env.str, "auto", _one_of(_LOG_FORMATS)) or "").lower(),
        api_host=read("HOST", env.str, "127.0.0.1"),
        api_port=read("PORT", env.int, 4000, validate.Range(1, 65535)),
    )
    try:
        env.seal()
    except EnvValidationError as error:
        messages: Any = error.error_messages
        bad = (f"{name}: {' '.join(messages[name])}" for name in sorted(messages))
        raise ConfigurationError("These settings cannot be used. " + " ".join(bad)) from None
    return config


def environment_for_postgresql() -> dict[str, str]:
    """Our environment for PostgreSQL's own programs, without what its clients read from it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    # A locale that this machine does not have can keep the server from starting.
    environment["LC_ALL"] = "C"
    return environment


def environment_for_children(database_url: str) -> dict[str, str]:
    """Our environment for the projector and the API as children, who are told which database is theirs."""
    return {**os.environ, "DATABASE_URL": database_url}


def _one_of(choices: tuple[str, ...]) -> Any:  # noqa: ANN401  # As environs does.
    """A check that the value is one of these, whatever its case."""

    def check(value: str) -> None:
        if value.upper() not in (choice.upper() for choice in choices):
            raise ValidationError(f"Must be one of: {', '.join(choices)}.")

    return check


def _cron(env: Env, name: str, default: str) -> str:
    """A cron expression; `off`, which becomes an empty one, switches the job off."""
    text: str = env.str(name, "").strip() or default
    if text.lower() in ("", "off"):
        return ""
    if text != default:
        env.str(name, validate=check_cron)
    return " ".join(text.split())


def check_cron(text: str) -> None:
    """Refuse what is no cron expression of five fields."""
    fields = text.lower().split()
    if len(fields) != len(_CRON_FIELDS) or not all(map(_is_cron_field, fields, _CRON_FIELDS)):
        raise ValidationError(f"{text!r} is no cron expression: minute hour day month weekday, or off.")


def _is_cron_field(text: str, field: tuple[int, int, tuple[str, ...]]) -> bool:
    least, greatest, names = field

    def number(value: str) -> int:
        return names.index(value) + least if value in names else int(value)

    for part in text.split(","):
        match = re.fullmatch(r"(?:\*|([a-z]{3}|\d{1,2})(?:-([a-z]{3}|\d{1,2}))?)(?:/([1-9]\d?))?", part)
        if match is None:
            return False
        try:
            bounds = [number(bound) for bound in match.groups()[:2] if bound is not None]
        except ValueError:
            return False
        if bounds != sorted(bounds) or any(not least <= bound <= greatest for bound in bounds):
            return False
        if match[3] and len(bounds) == 1:
            return False
    return True
