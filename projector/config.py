"""The settings of the projector. No other module of this package reads the environment."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from marshmallow import ValidationError
from marshmallow.fields import Float, Integer
from marshmallow.validate import Range

from projector.report.errors import ConfigurationError
from projector.scheduler.cron import cron_trigger

_PACKAGE = Path(__file__).parent
# In the source of the project, and in its wheel.
_PAGES = (_PACKAGE.parent / "docs" / "settings.md", _PACKAGE / "settings.md")
_SETTING = re.compile(r"^\| `(\w+)` \|.*\| (?:both|API|projector) \|", re.MULTILINE)
_GONE = re.compile(r"^\| `(LEADS_\w+)` \| ([^|]*) \|$", re.MULTILINE)
_PREFIX = "LEADS_"

# How similar two names have to be, without the prefix of all.
_LIKENESS = 0.7

_OFF = ", or off."

_Read = Callable[[str], Any]


def _number(kind: type[Integer | Float], least: float, most: float | None = None, end: str = ".") -> _Read:
    """Return a reader of numbers from `least` to `most`. `end` ends the message about any other text."""
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    said = f"It has to be a {'whole ' if kind is Integer else ''}number {bounds}{end}"
    errors: dict[str, Any] = dict.fromkeys(("invalid", "special", "too_large"), said)
    return kind(validate=Range(least, most, error=said), error_messages=errors).deserialize


def _one_of(*choices: str) -> Callable[[str], str]:
    """Return a reader of one of these words, in any case."""

    def read(text: str) -> str:
        for choice in choices:
            if text.upper() == choice.upper():
                return choice
        raise ValidationError(f"It has to be one of: {', '.join(choices)}.")

    return read


def _off_or(read: _Read, off: object) -> _Read:
    """Return a reader that also takes the word `off`, which stands for this value."""
    return lambda text: off if text.lower() == "off" else read(text)


def _switch(text: str) -> bool:
    return _one_of("on", "off")(text) == "on"


def read_cron(text: str) -> str:
    """Return a cron expression of five fields with one blank between them. Raises ValidationError for another text."""
    try:
        cron_trigger(text)
    except ValueError:
        raise ValidationError(
            "It has to be a cron expression: minute hour day month weekday, or off."
        ) from None
    return " ".join(text.split())


def _setting(name: str, default: str, read: _Read = str, *, is_shown: bool = True) -> Any:  # noqa: ANN401
    """Return a field of Config: its variable, its default as a text, and the reader of both."""
    return field(repr=is_shown, metadata={"name": name, "default": default, "read": read})


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. An empty text means that a setting is not set."""

    database_url: str = _setting("DATABASE_URL", "", is_shown=False)
    # The URL of the platform's server, if logical replication copies the source tables from there.
    origin_url: str = _setting("LEADS_ORIGIN_DATABASE_URL", "", is_shown=False)
    state_dir: Path = _setting("LEADS_STATE_DIR", ".leads", lambda text: Path(text).absolute())  # noqa: RUF009
    trial_still: bool = _setting("LEADS_TRIAL_STILL", "0", lambda text: _one_of("0", "1")(text) == "1")
    pg_bin: Path | None = _setting("LEADS_PG_BIN", "", lambda text: Path(text) if text else None)  # noqa: RUF009
    refresh_seconds: float = _setting("LEADS_REFRESH_SECONDS", "0.25", _number(Float, 0.01, 3600))
    refresh_batch: int = _setting("LEADS_REFRESH_BATCH", "1000", _number(Integer, 1, 100_000))
    queue_limit: int = _setting("LEADS_QUEUE_LIMIT", "1000000", _number(Integer, 1))
    # From a quarter of an hour up to a year.
    verify_days: float = _setting("LEADS_VERIFY_DAYS", "1", _off_or(_number(Float, 0.01, 365, _OFF), 0.0))
    verify_sample: int = _setting("LEADS_VERIFY_SAMPLE", "500", _number(Integer, 1))
    rebuild_cron: str = _setting("LEADS_REBUILD_CRON", "off", _off_or(read_cron, ""))
    run_log_days: int = _setting("LEADS_RUN_LOG_DAYS", "14", _number(Integer, 1))
    tombstone_days: int = _setting("LEADS_TOMBSTONE_DAYS", "30", _number(Integer, 1, 36500))
    log_level: str = _setting("LEADS_LOG_LEVEL", "INFO", _one_of("DEBUG", "INFO", "WARNING", "ERROR"))
    log_format: str = _setting("LEADS_LOG_FORMAT", "auto", _one_of("auto", "text", "json"))
    log_personal_data: bool = _setting("LEADS_LOG_PERSONAL_DATA", "off", _switch)
    # The address at which Prometheus scrapes the scheduler; port 0 means none.
    metrics_host: str = _setting("LEADS_METRICS_HOST", "127.0.0.1")
    metrics_port: int = _setting("LEADS_METRICS_PORT", "off", _off_or(_number(Integer, 1, 65535, _OFF), 0))
    tracing: bool = _setting("LEADS_TRACING", "off", _switch)
    # Settings of the API: `status` checks that the role can read, `local` that the API can listen.
    api_role: str = _setting("LEADS_API_ROLE", "leads_api", _off_or(str, ""))
    api_host: str = _setting("HOST", "127.0.0.1")
    api_port: int = _setting("PORT", "4000", _number(Integer, 1, 65535))
    warnings: tuple[str, ...] = ()
    """Sentences about variables that look like settings but are not."""


def load(env_file: Path = Path(".env")) -> Config:
    """Return the settings from the environment, and from the file for variables that the environment lacks.

    Raises ConfigurationError with a sentence for each setting that cannot be used.
    """
    variables = {**dotenv_values(env_file), **os.environ}
    # Compose files and systemd units write a variable that is not set as an empty one.
    texts = {name: text.strip() for name, text in variables.items() if text and text.strip()}
    settings: dict[str, Any] = {}
    bad = [
        f"{name}: This setting no longer exists. {what_to_do}"
        for name, what_to_do in _gone().items()
        if name in texts
    ]
    for name, how in ((setting.name, setting.metadata) for setting in fields(Config) if setting.metadata):
        text = texts.get(how["name"], how["default"])
        try:
            settings[name] = how["read"](text)
        except ValidationError as error:
            bad.append(f"{how['name']}: '{text}' is not allowed. {' '.join(map(str, error.messages))}")
    if bad:
        raise ConfigurationError(
            "These settings cannot be used. " + " ".join(sorted(bad)), settings.get("log_format")
        )
    return Config(**settings, warnings=tuple(find_misspelt(variables)))


@cache
def _page() -> str:
    return next((page.read_text("utf-8") for page in _PAGES if page.is_file()), "")


def _gone() -> dict[str, str]:
    """Return the names of former settings that are refused, each with what to do instead."""
    return {name: text.replace("`", "") for name, text in _GONE.findall(_page())}


def find_misspelt(names: Iterable[str]) -> Iterator[str]:
    """Return a sentence for each name that begins like a setting but is not one, with the most similar setting.

    Both programs may read the same file `.env`, so settings of the API are accepted here.
    """
    listed = {name.removeprefix(_PREFIX): name for name in _SETTING.findall(_page())}
    passed = {*listed.values(), *_gone()}
    for name in sorted(names):
        # The tests have variables of their own.
        if not listed or name in passed or not name.startswith(_PREFIX) or name.startswith(f"{_PREFIX}TEST_"):
            continue
        near = get_close_matches(name.removeprefix(_PREFIX), listed, n=1, cutoff=_LIKENESS)
        if near:
            yield f"{name} is no setting and has no effect; the nearest is {listed[near[0]]}."
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
