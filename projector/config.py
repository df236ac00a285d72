"""The settings of the projector. No other module of this package reads the environment."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from environs import Env, EnvValidationError
from marshmallow import ValidationError, validate

from projector.report.errors import ConfigurationError
from projector.scheduler.cron import cron_trigger

_PACKAGE = Path(__file__).parent
# In the source of the project, and where its wheel has it.
_PAGES = (_PACKAGE.parent / "docs" / "settings.md", _PACKAGE / "settings.md")
_SETTING = re.compile(r"^\| `(\w+)` \|.*\| (?:both|API|projector) \|", re.MULTILINE)
_GONE = re.compile(r"^\| `(LEADS_\w+)` \| ([^|]*) \|$", re.MULTILINE)
_PREFIX = "LEADS_"

# So much of two names, without what all begin with, has to agree.
_LIKENESS = 0.7


def _one_of(*choices: str) -> Any:  # noqa: ANN401  # As environs does.
    """Return a check that a value is one of these, in capital or small letters."""

    def check(value: str) -> None:
        if value.upper() not in (choice.upper() for choice in choices):
            raise ValidationError(f"Must be one of: {', '.join(choices)}.")

    return check


def check_cron(text: str) -> None:
    """Raise ValidationError for a text that is no cron expression of five fields."""
    try:
        cron_trigger(text)
    except ValueError:
        raise ValidationError(
            f"{text!r} is no cron expression: minute hour day month weekday, or off."
        ) from None


def _is_on(text: str) -> bool:
    return text.lower() == "on"


def _setting(  # noqa: PLR0913  # What a setting is made of.
    name: str,
    default: object,
    check: Any = None,  # noqa: ANN401  # As environs does.
    *,
    off: object = None,
    convert: Callable[[Any], object] = lambda value: value,
    is_shown: bool = True,
) -> Any:  # noqa: ANN401  # As `field` of dataclasses.
    """Return a field of Config that is read as the type that it has.

    `off` is its value where the variable is `off`; None where that is a value as any other.
    """
    how = {"name": name, "default": default, "check": check, "off": off, "convert": convert}
    return field(repr=is_shown, metadata=how)


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. An empty text is a setting that is not set."""

    database_url: str = _setting("DATABASE_URL", "", is_shown=False)
    # Of the platform's server, where logical replication brings the source tables here.
    origin_url: str = _setting("LEADS_ORIGIN_DATABASE_URL", "", is_shown=False)
    state_dir: Path = _setting("LEADS_STATE_DIR", ".leads", convert=lambda text: Path(text).absolute())  # noqa: RUF009
    pg_bin: Path | None = _setting("LEADS_PG_BIN", "", convert=lambda text: Path(text) if text else None)  # noqa: RUF009
    refresh_seconds: float = _setting("LEADS_REFRESH_SECONDS", 0.25, validate.Range(0.01, 3600))
    refresh_batch: int = _setting("LEADS_REFRESH_BATCH", 1000, validate.Range(1, 100_000))
    queue_limit: int = _setting("LEADS_QUEUE_LIMIT", 1_000_000, validate.Range(1))
    # From a quarter of an hour up to a year.
    verify_days: float = _setting("LEADS_VERIFY_DAYS", 1.0, validate.Range(0.01, 365), off=0.0)
    verify_sample: int = _setting("LEADS_VERIFY_SAMPLE", 500, validate.Range(1))
    rebuild_cron: str = _setting(
        "LEADS_REBUILD_CRON", "", check_cron, off="", convert=lambda text: " ".join(text.split())
    )
    run_log_days: int = _setting("LEADS_RUN_LOG_DAYS", 14, validate.Range(1))
    tombstone_days: int = _setting("LEADS_TOMBSTONE_DAYS", 30, validate.Range(1, 36500))
    log_level: str = _setting(
        "LEADS_LOG_LEVEL", "INFO", _one_of("DEBUG", "INFO", "WARNING", "ERROR"), convert=str.upper
    )
    log_format: str = _setting("LEADS_LOG_FORMAT", "auto", _one_of("auto", "text", "json"), convert=str.lower)
    log_personal_data: bool = _setting("LEADS_LOG_PERSONAL_DATA", "off", _one_of("on", "off"), convert=_is_on)
    # Where Prometheus scrapes the scheduler; the port is 0 where there is no such server.
    metrics_host: str = _setting("LEADS_METRICS_HOST", "127.0.0.1")
    metrics_port: int = _setting("LEADS_METRICS_PORT", 0, validate.Range(1, 65535), off=0)
    tracing: bool = _setting("LEADS_TRACING", "off", _one_of("on", "off"), convert=_is_on)
    # Of the API. `status` looks whether the role can read; `local` checks that the API can listen on the other two.
    api_role: str = _setting("LEADS_API_ROLE", "leads_api", off="")
    api_host: str = _setting("HOST", "127.0.0.1")
    api_port: int = _setting("PORT", 4000, validate.Range(1, 65535))
    warnings: tuple[str, ...] = ()
    """Sentences on variables that look like settings and are none."""


def load(env_file: Path = Path(".env")) -> Config:
    """Return the settings from the environment, and from the file for variables that the environment lacks.

    Raises ConfigurationError with a sentence for each setting that cannot be used.
    """
    env = Env(eager=False)
    env.read_env(env_file, recurse=False)
    found = {one.name: _read(env, one) for one in fields(Config) if one.metadata}
    bad = [
        f"{name}: It is no setting any more. {what_to_do}"
        for name, what_to_do in _gone().items()
        if env.str(name, "").strip()
    ]
    try:
        env.seal()
    except EnvValidationError as error:
        messages: Any = error.error_messages
        bad += (f"{name}: {' '.join(messages[name])}" for name in messages)
    if bad:
        raise ConfigurationError(
            "These settings cannot be used. " + " ".join(sorted(bad)), found["log_format"]
        )
    return Config(**found, warnings=tuple(find_misspelt(_names(env_file))))


def _read(env: Env, one: "Field[Any]") -> Any:  # noqa: ANN401  # A value of any setting.
    """Return the value of a setting, or None if it cannot be used, which `env` remembers."""
    how = one.metadata
    text: str = env.str(how["name"], "").strip()
    # Compose files and systemd units write a variable that is not set as an empty one.
    if not text:
        return how["convert"](how["default"])
    if how["off"] is not None and text.lower() == "off":
        return how["off"]
    parsers: dict[Any, Any] = {int: env.int, float: env.float}
    value = parsers.get(one.type, env.str)(how["name"], validate=how["check"])
    return None if value is None else how["convert"](value)


def _names(env_file: Path) -> set[str]:
    """Return the names of the variables that are set, in the environment or in the file."""
    text = env_file.read_text("utf-8", errors="replace") if env_file.is_file() else ""
    return {*os.environ, *re.findall(r"^\s*(?:export\s+)?(\w+)\s*=", text, re.MULTILINE)}


@cache
def _page() -> str:
    return next((page.read_text("utf-8") for page in _PAGES if page.is_file()), "")


def _gone() -> dict[str, str]:
    """Return the names of former settings that are refused, each with what to do instead."""
    return {name: text.replace("`", "") for name, text in _GONE.findall(_page())}


def find_misspelt(names: Iterable[str]) -> Iterator[str]:
    """Return a sentence for each name that begins as a setting does and is none, with the nearest one.

    Both programs read one file `.env`, so that a setting of the API is not misspelt here.
    """
    known = {name.removeprefix(_PREFIX): name for name in _SETTING.findall(_page())}
    passed = {*known.values(), *_gone()}
    for name in sorted(names):
        # The tests have variables of their own.
        if not known or name in passed or not name.startswith(_PREFIX) or name.startswith(f"{_PREFIX}TEST_"):
            continue
        near = get_close_matches(name.removeprefix(_PREFIX), known, n=1, cutoff=_LIKENESS)
        if near:
            yield f"{name} is no setting and has no effect; the nearest is {known[near[0]]}."
        else:
            yield f"{name} is no setting and has no effect: see docs/settings.md."


def environment_for_postgresql() -> dict[str, str]:
    """Return our environment for PostgreSQL's programs, without the PG… variables that its clients read."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    # A locale that this machine lacks can keep the server from starting.
    environment["LC_ALL"] = "C"
    return environment


def environment_for_children(database_url: str) -> dict[str, str]:
    """Return our environment for the projector and the API as child processes of `local`, with their database."""
    return {**os.environ, "DATABASE_URL": database_url}
