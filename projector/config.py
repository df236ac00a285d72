"""The settings of the projector. No other module of this package reads the environment."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environs import Env, EnvValidationError
from marshmallow import ValidationError, validate

from projector.report.errors import ConfigurationError
from projector.scheduler.cron import is_cron
from projector.setting_names import find_misspelt, settings_that_are_gone

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_LOG_FORMATS = ("auto", "text", "json")


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. An empty text is a setting that is not set."""

    database_url: str = field(repr=False)
    # Empty where the read model is in the platform's database.
    # Of the platform's server, where logical replication brings the source tables here.
    origin_url: str = field(repr=False)
    state_dir: Path
    pg_bin: Path | None
    refresh_seconds: float
    refresh_batch: int
    queue_limit: int
    # 0 where the scheduler does not verify.
    verify_days: float
    verify_sample: int
    rebuild_cron: str
    run_log_days: int
    tombstone_days: int
    log_level: str
    log_format: str
    log_personal_data: bool
    # Where Prometheus scrapes the scheduler; the port is 0 where there is no such server.
    metrics_host: str
    metrics_port: int
    tracing: bool
    # Sentences on variables that look like settings and are none.
    warnings: tuple[str, ...]
    # Of the API. `status` looks whether the role can read; `local` checks that the API can listen on the other two.
    api_role: str
    api_host: str
    api_port: int


def load(env_file: Path = Path(".env")) -> Config:
    """Return the settings from the environment, and from the file for variables that the environment lacks.

    Raises ConfigurationError with a sentence for each setting that cannot be used.
    """
    env = Env(eager=False)
    env.read_env(env_file, recurse=False)

    def read(name: str, parse: Any, default: Any, check: Any = None) -> Any:  # noqa: ANN401  # As environs does.
        # Compose files and systemd units write a variable that is not set as an empty one.
        if not env.str(name, "").strip():
            return default
        return parse(name, validate=check)

    pg_bin = read("LEADS_PG_BIN", env.str, "")
    config = Config(
        database_url=read("DATABASE_URL", env.str, ""),
        origin_url=read("LEADS_ORIGIN_DATABASE_URL", env.str, ""),
        state_dir=Path(read("LEADS_STATE_DIR", env.str, ".leads")).absolute(),
        pg_bin=Path(pg_bin) if pg_bin else None,
        refresh_seconds=read("LEADS_REFRESH_SECONDS", env.float, 0.25, validate.Range(0.01, 3600)),
        refresh_batch=read("LEADS_REFRESH_BATCH", env.int, 1000, validate.Range(1, 100_000)),
        queue_limit=read("LEADS_QUEUE_LIMIT", env.int, 1_000_000, validate.Range(1)),
        verify_days=_days(env, "LEADS_VERIFY_DAYS", 1.0),
        verify_sample=read("LEADS_VERIFY_SAMPLE", env.int, 500, validate.Range(1)),
        rebuild_cron=_cron(env, "LEADS_REBUILD_CRON", ""),
        run_log_days=read("LEADS_RUN_LOG_DAYS", env.int, 14, validate.Range(1)),
        tombstone_days=read("LEADS_TOMBSTONE_DAYS", env.int, 30, validate.Range(1, 36500)),
        log_level=(read("LEADS_LOG_LEVEL", env.str, "INFO", _one_of(_LOG_LEVELS)) or "").upper(),
        log_format=(read("LEADS_LOG_FORMAT", env.str, "auto", _one_of(_LOG_FORMATS)) or "").lower(),
        log_personal_data=(
            read("LEADS_LOG_PERSONAL_DATA", env.str, "off", _one_of(("on", "off"))) or ""
        ).lower()
        == "on",
        metrics_host=read("LEADS_METRICS_HOST", env.str, "127.0.0.1"),
        metrics_port=_port(env, "LEADS_METRICS_PORT"),
        tracing=(read("LEADS_TRACING", env.str, "off", _one_of(("on", "off"))) or "").lower() == "on",
        warnings=tuple(find_misspelt(_names(env_file))),
        api_role=_switchable(read("LEADS_API_ROLE", env.str, "leads_api")),
        api_host=read("HOST", env.str, "127.0.0.1"),
        api_port=read("PORT", env.int, 4000, validate.Range(1, 65535)),
    )
    bad = [
        f"{name}: It is no setting any more. {what_to_do}"
        for name, what_to_do in settings_that_are_gone().items()
        if env.str(name, "").strip()
    ]
    try:
        env.seal()
    except EnvValidationError as error:
        messages: Any = error.error_messages
        bad += (f"{name}: {' '.join(messages[name])}" for name in messages)
    if bad:
        raise ConfigurationError("These settings cannot be used. " + " ".join(sorted(bad)))
    return config


def log_format(env_file: Path = Path(".env")) -> str:
    """Return the form of the logs for a program that cannot use its settings; `auto` where it is one of these."""
    env = Env()
    env.read_env(env_file, recurse=False)
    form: str = env.str("LEADS_LOG_FORMAT", "").strip().lower()
    return form if form in _LOG_FORMATS else "auto"


def _names(env_file: Path) -> set[str]:
    """Return the names of the variables that are set, in the environment or in the file."""
    text = env_file.read_text("utf-8", errors="replace") if env_file.is_file() else ""
    return {*os.environ, *re.findall(r"^\s*(?:export\s+)?(\w+)\s*=", text, re.MULTILINE)}


def environment_for_postgresql() -> dict[str, str]:
    """Return our environment for PostgreSQL's programs, without the PG… variables that its clients read."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    # A locale that this machine lacks can keep the server from starting.
    environment["LC_ALL"] = "C"
    return environment


def environment_for_children(database_url: str) -> dict[str, str]:
    """Return our environment for the projector and the API as child processes of `local`, with their database."""
    return {**os.environ, "DATABASE_URL": database_url}


def _switchable(value: str | None) -> str:
    """Return the value, or an empty text for `off`."""
    return "" if (value or "").strip().lower() == "off" else value or ""


def _one_of(choices: tuple[str, ...]) -> Any:  # noqa: ANN401  # As environs does.
    """Return a check that a value is one of these, in capital or small letters."""

    def check(value: str) -> None:
        if value.upper() not in (choice.upper() for choice in choices):
            raise ValidationError(f"Must be one of: {', '.join(choices)}.")

    return check


def _days(env: Env, name: str, default: float) -> float:
    """Return a number of days; 0 where the value is `off`."""
    text: str = env.str(name, "").strip()
    if not text:
        return default
    if text.lower() == "off":
        return 0.0
    # From a quarter of an hour up to a year.
    days: float = env.float(name, validate=validate.Range(0.01, 365))
    return days


def _port(env: Env, name: str) -> int:
    """Return a port; 0 where the value is `off`, or the variable is not set."""
    text: str = env.str(name, "").strip()
    if text.lower() in ("", "off"):
        return 0
    port: int = env.int(name, validate=validate.Range(1, 65535))
    return port


def _cron(env: Env, name: str, default: str) -> str:
    """Return a cron expression, with single blanks; an empty one where the value is `off`."""
    text: str = env.str(name, "").strip() or default
    if text.lower() in ("", "off"):
        return ""
    if text != default:
        env.str(name, validate=check_cron)
    return " ".join(text.split())


def check_cron(text: str) -> None:
    """Raise ValidationError for a text that is not a cron expression of five fields."""
    if not is_cron(text):
        raise ValidationError(f"{text!r} is no cron expression: minute hour day month weekday, or off.")
