"""The settings of the API. No other module of this package reads the environment."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from io import StringIO
from ipaddress import IPv4Network, IPv6Network
from math import inf
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from api.config import auth, values
from api.config.auth import AuthConfig
from api.config.jwt_keys import read_keys
from api.config.names import settings_that_are_gone, unknown_settings
from api.config.values import setting

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
SESSION, TRANSACTION = TENANT_SETTINGS = ("session", "transaction")
LOG_FORMATS = ("auto", "text", "json")
MEMORY = "memory://"
ENV_FILE = Path(".env")

_MAX_SHOWN = 60
_SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SESSION_ATTRIBUTES = "PGTARGETSESSIONATTRS"


class ConfigurationError(Exception):
    """Some settings are not valid; the message names each, its value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. An empty text is a setting that is switched off."""

    database_url: str = field(repr=False)
    role: str = setting("LEADS_API_ROLE", values.off_or(str, ""), "leads_api")
    tenant_setting: str = setting("LEADS_TENANT_SETTING", values.one_of(TENANT_SETTINGS), SESSION)
    host: str = setting("HOST", str, "127.0.0.1")
    port: int = setting("PORT", values.port, 4000)
    # The names that a Host may have besides those of loopback, if LEADS_AUTH is not set.
    host_names: tuple[str, ...] = setting("LEADS_HOSTS", values.host_names, ())
    # Trusted proxies: their connections are not limited, and their X-Forwarded-For names the caller.
    proxies: tuple[IPv4Network | IPv6Network, ...] = setting("LEADS_PROXIES", values.networks, ())
    workers: int = setting("LEADS_API_WORKERS", values.whole_number(1, 64), 1)
    threads: int = setting("LEADS_API_THREADS", values.whole_number(1, 256), 5)
    rate_limit: str = setting("LEADS_RATE_LIMIT", values.off_or(values.rate_limit, ""), "100 per minute")
    rate_limit_storage: str = setting("LEADS_RATE_LIMIT_STORAGE", values.storage, MEMORY, is_secret=True)
    statement_timeout_ms: int = setting("LEADS_STATEMENT_TIMEOUT_MS", values.whole_number(1, 3_600_000), 5000)
    # How many MiB the answers may take that a process keeps in memory; 0 for none.
    answers_mb: int = setting("LEADS_ANSWERS_MB", values.whole_number(0, 65_536), 64)
    # How many each process runs at once.
    exports: int = setting("LEADS_EXPORTS", values.whole_number(1, 64), 2)
    # How many each process serves at once; 0 for none.
    streams: int = setting("LEADS_STREAMS", values.whole_number(0, 65_536), 1000)
    # The origins whose pages may read answers in a browser; `*` for any.
    cors_origins: tuple[str, ...] = setting("LEADS_CORS_ORIGINS", values.off_or(values.origins, ()), ())
    compression: bool = setting("LEADS_COMPRESSION", values.switch, default=True)
    log_level: str = setting("LEADS_LOG_LEVEL", values.one_of(LOG_LEVELS), "INFO")
    log_format: str = setting("LEADS_LOG_FORMAT", values.one_of(LOG_FORMATS), "auto")
    log_personal_data: bool = setting("LEADS_LOG_PERSONAL_DATA", values.switch, default=False)
    metrics_host: str = setting("LEADS_METRICS_HOST", str, "127.0.0.1")
    # 0: /metrics is on the port of the API.
    metrics_port: int = setting("LEADS_API_METRICS_PORT", values.off_or(values.port, 0), 0)
    # The folder in which the workers share their counts; empty for a single worker.
    metrics_folder: str = ""
    # In seconds; infinite if any age is accepted.
    ready_max_age: float = setting("LEADS_READY_MAX_AGE", values.off_or(values.seconds, inf), inf)
    tracing: bool = setting("LEADS_TRACING", values.switch, default=False)
    # Whether there is a page for people at /.
    page: bool = setting("LEADS_PAGE", values.switch, default=True)
    auth: AuthConfig = field(default_factory=AuthConfig)


def load(env_file: Path = ENV_FILE) -> Config:
    """Return the settings from the environment, and from the file for variables that the environment lacks.

    Raises ConfigurationError, which names every setting that is not valid.
    """
    settings = _settings(env_file)
    problems: list[str] = []

    def read(name: str, parse: Callable[[str], Any], default: Any, *, is_secret: bool = False) -> Any:  # noqa: ANN401
        text = settings.get(name)
        # Compose files and systemd units write a variable that is not set as an empty one.
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as allowed:
            shown = "the value" if is_secret else repr(text[:_MAX_SHOWN])
            problems.append(f"{name}: {shown} is not allowed. It has to be {allowed}.")
            return default

    def all_of(kind: type[Config | AuthConfig]) -> dict[str, Any]:
        return {
            entry.name: read(**entry.metadata, default=entry.default)
            for entry in fields(kind)
            if entry.metadata
        }

    of_auth = all_of(AuthConfig)
    algorithm = of_auth["algorithm"]
    keys = read("LEADS_JWT_KEY", lambda text: read_keys(text, algorithm), (), is_secret=True)
    address = "LEADS_API_DATABASE_URL" if settings.get("LEADS_API_DATABASE_URL") else "DATABASE_URL"
    config = Config(
        database_url=read(address, values.readers_url, "", is_secret=True),
        metrics_folder=os.environ.get(_SHARED_FOLDER, ""),
        auth=AuthConfig(jwt_keys=keys, **of_auth),
        **all_of(Config),
    )
    if not settings.get(address):
        problems.append(f"DATABASE_URL: it is not set. It has to be {values.ADDRESS}.")
    problems += _gone(settings)
    problems += auth.auth_problems(config.auth.methods, settings)
    problems += _that_exclude_each_other(config)
    if problems:
        raise ConfigurationError("\n  ".join(["These settings cannot be used:", *sorted(problems)]))
    return config


def _that_exclude_each_other(config: Config) -> Iterator[str]:
    # libpq uses this variable for an address that does not say it itself.
    attributes = "" if "target_session_attrs" in config.database_url else os.environ.get(_SESSION_ATTRIBUTES)
    if attributes == values.READ_WRITE:
        yield f"{_SESSION_ATTRIBUTES}: '{attributes}' is not allowed. It has to be {values.NOT_READ_WRITE}."
    if config.workers > 1 and config.rate_limit and config.rate_limit_storage.startswith("memory:"):
        yield (
            "LEADS_API_WORKERS: several workers would each count for themselves, and let through a multiple "
            "of LEADS_RATE_LIMIT. Name a store that they share in LEADS_RATE_LIMIT_STORAGE "
            "(redis://HOST:PORT or valkey://HOST:PORT), or set LEADS_RATE_LIMIT=off."
        )
    if values.ANY_ORIGIN in config.cors_origins and not config.auth.is_on:
        yield (
            "LEADS_CORS_ORIGINS: '*' would let every page that somebody here opens in a browser read all leads,"
            " because LEADS_AUTH asks nobody who calls. Name the origins, or set LEADS_AUTH to jwt or key."
        )


def log_format(env_file: Path = ENV_FILE) -> str:
    """Return the format of log lines, also if other settings are not valid."""
    chosen = _as_far_as_can_be_read(env_file).get("LEADS_LOG_FORMAT", "").lower()
    return chosen if chosen in LOG_FORMATS else "auto"


def owner_database_url(env_file: Path = ENV_FILE) -> str:
    """Return the address of the read model for a login that may write.

    Raises ConfigurationError if it is not set or not valid, and for a former setting that named another address.
    """
    settings = _settings(env_file)
    for problem in _gone(settings):
        raise ConfigurationError(problem)
    try:
        # For an empty address libpq would take its own defaults.
        return values.database_url(settings.get("DATABASE_URL") or "?")
    except ValueError as allowed:
        raise ConfigurationError(f"DATABASE_URL has to be {allowed}.") from None


def _gone(settings: Mapping[str, str]) -> list[str]:
    """Return a sentence for each former setting that is set."""
    return [
        f"{name}: this setting no longer exists. {what_to_do}"
        for name, what_to_do in settings_that_are_gone().items()
        if settings.get(name)
    ]


def agent_token(env_file: Path = ENV_FILE) -> str:
    """Return the credential that the tools of an agent send over stdio, or "". Raises ConfigurationError."""
    return _settings(env_file).get("LEADS_MCP_TOKEN", "")


def misspelt(env_file: Path = ENV_FILE) -> list[str]:
    """Return a sentence for each variable that looks like a setting but is not one."""
    return unknown_settings(_as_far_as_can_be_read(env_file))


def share_metrics(directory: str) -> None:
    """Set the folder in which the workers share their metrics, which prometheus_client reads on import."""
    os.environ[_SHARED_FOLDER] = directory


def _settings(env_file: Path) -> dict[str, str]:
    """Return the texts of the variables by their names. Raises ConfigurationError if the file cannot be read."""
    try:
        text = env_file.read_text("utf-8") if env_file.exists() else ""
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The file {env_file.absolute()} cannot be read: {error}") from None
    variables = {**dotenv_values(stream=StringIO(text)), **os.environ}
    return {name: (text or "").strip() for name, text in variables.items()}


def _as_far_as_can_be_read(env_file: Path) -> dict[str, str]:
    """Return the variables, without the file if it cannot be read."""
    try:
        return _settings(env_file)
    except ConfigurationError:
        return _settings(Path(os.devnull))
