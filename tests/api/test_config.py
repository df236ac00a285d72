"""Settings come from the environment, and all that cannot be used are named at once."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from api.config import Config, ConfigurationError, load

NO_FILE = Path("nowhere/.env")
URL = "postgresql://somebody:secret@db.example:5433/platform"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("HOST", "PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", URL)
    return monkeypatch


def test_defaults(environment: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    assert load(NO_FILE) == Config(URL)


@pytest.mark.parametrize(
    ("name", "value", "setting", "expected"),
    [
        (
            "LEADS_API_DATABASE_URL",
            "postgresql://replica/platform",
            "database_url",
            "postgresql://replica/platform",
        ),
        ("DATABASE_URL", "postgres://db/platform", "database_url", "postgres://db/platform"),
        ("DATABASE_URL", "host=db dbname=platform", "database_url", "host=db dbname=platform"),
        ("LEADS_API_ROLE", "reader", "role", "reader"),
        ("LEADS_API_ROLE", "OFF", "role", ""),
        ("HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("PORT", "8080", "port", 8080),
        ("LEADS_API_THREADS", "9", "threads", 9),
        ("LEADS_RATE_LIMIT", "5 per second", "rate_limit", "5 per second"),
        ("LEADS_RATE_LIMIT", "off", "rate_limit", ""),
        ("LEADS_RATE_LIMIT_STORAGE", "redis://store:6379", "rate_limit_storage", "redis://store:6379"),
        ("LEADS_STATEMENT_TIMEOUT_MS", "250", "statement_timeout_ms", 250),
        ("LEADS_LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("LEADS_LOG_FORMAT", "JSON", "log_format", "json"),
        ("PORT", " ", "port", 4000),
    ],
)
def test_each_setting(
    environment: pytest.MonkeyPatch, name: str, value: str, setting: str, expected: object
) -> None:
    environment.setenv(name, value)
    assert getattr(load(NO_FILE), setting) == expected


def test_all_that_is_wrong_is_named_at_once(environment: pytest.MonkeyPatch) -> None:
    wrong = {
        "DATABASE_URL": "mysql://somebody:secret@db/platform",
        "PORT": "http",
        "LEADS_API_WORKERS": "0",
        "LEADS_API_THREADS": "many",
        "LEADS_RATE_LIMIT": "often",
        "LEADS_RATE_LIMIT_STORAGE": "file:///tmp",
        "LEADS_STATEMENT_TIMEOUT_MS": "-1",
        "LEADS_LOG_LEVEL": "LOUD",
        "LEADS_LOG_FORMAT": "xml",
    }
    for name, value in wrong.items():
        environment.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load(NO_FILE)
    assert [name for name in wrong if name not in str(caught.value)] == []
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEADS_RATE_LIMIT", "0 per minute"),
        ("LEADS_RATE_LIMIT", "5 per 0 minute"),
        ("LEADS_RATE_LIMIT", "5 per minute; 30 per hour"),
        ("LEADS_RATE_LIMIT_STORAGE", "redis://store:none"),
        ("LEADS_RATE_LIMIT_STORAGE", "valkey://store:70000"),
    ],
)
def test_a_limit_that_limits_nothing_or_everything_and_a_store_without_a_port_are_refused(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        load(NO_FILE)


def test_a_database_has_to_be_named(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("DATABASE_URL")
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        load(NO_FILE)


def test_several_workers_need_a_shared_store(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LEADS_API_WORKERS", "2")
    with pytest.raises(ConfigurationError, match="LEADS_RATE_LIMIT_STORAGE"):
        load(NO_FILE)
    environment.setenv("LEADS_RATE_LIMIT_STORAGE", "redis://store:6379")
    assert load(NO_FILE).workers == 2
    environment.delenv("LEADS_RATE_LIMIT_STORAGE")
    environment.setenv("LEADS_RATE_LIMIT", "off")
    assert load(NO_FILE).workers == 2


def test_a_config_cannot_be_changed_and_keeps_its_secrets() -> None:
    config = Config(URL)
    with pytest.raises(FrozenInstanceError):
        config.port = 1  # type: ignore[misc]
    assert "secret" not in repr(config)
