"""Settings: what is read, what is refused, and that everything wrong is told at once."""

from pathlib import Path

import pytest

from projector import config
from projector.report.errors import ConfigurationError

NOTHING = Path("there is no such file")
READ = (
    ("DATABASE_URL", "postgresql://host/db", "database_url", "postgresql://host/db"),
    ("LEADS_REFRESH_SECONDS", "2", "refresh_seconds", 2.0),
    ("LEADS_LOG_LEVEL", " debug ", "log_level", "DEBUG"),
    ("LEADS_LOG_FORMAT", "JSON", "log_format", "json"),
    ("LEADS_LOG_PERSONAL_DATA", "On", "log_personal_data", True),
    ("LEADS_API_ROLE", "reader", "api_role", "reader"),
    ("LEADS_API_ROLE", "OFF", "api_role", ""),
    ("LEADS_VERIFY_DAYS", " off ", "verify_days", 0.0),
    ("LEADS_REBUILD_CRON", "OFF", "rebuild_cron", ""),
    ("LEADS_REBUILD_CRON", " 0  3 * * sun ", "rebuild_cron", "0 3 * * sun"),
    ("LEADS_METRICS_PORT", "9464", "metrics_port", 9464),
    ("LEADS_METRICS_PORT", " OFF ", "metrics_port", 0),
    ("LEADS_TRACING", "on", "tracing", True),
    # An empty value is not set.
    ("LEADS_REFRESH_BATCH", " ", "refresh_batch", 1000),
    ("LEADS_API_ROLE", "", "api_role", "leads_api"),
)
BAD = {
    "LEADS_REFRESH_SECONDS": "soon",
    "LEADS_REFRESH_BATCH": "0",
    "LEADS_VERIFY_DAYS": "0",
    "LEADS_REBUILD_CRON": "every hour",
    "LEADS_LOG_LEVEL": "loud",
    "LEADS_METRICS_PORT": "http",
    "PORT": "70000",
}


def test_what_is_set_is_read() -> None:
    for name, value, field, expected in READ:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, value)
            assert getattr(config.load(NOTHING), field) == expected, (name, value)


def test_every_bad_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**BAD, "LEADS_LOG_PERSONAL_DATA": "sometimes"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        config.load(NOTHING)
    said = str(caught.value)
    assert [
        name for name, value in BAD.items() if f"{name}: '{value}' is not allowed. It has" not in said
    ] == []
    for allowed in ("a number from 0.01 to 365, or off.", "a number from 0.01 to 3600.", "one of: on, off."):
        assert f"It has to be {allowed}" in said


@pytest.mark.parametrize("name", ["LEADS_READ_MODEL_URL", "LEADS_READ_MODEL_ENGINE"])
def test_a_setting_that_is_gone_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigurationError, match=rf"{name}: This setting no longer exists\. .*Unset it"):
        config.load(NOTHING)


def test_the_environment_wins_over_the_file_and_what_is_misspelt_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEADS_RUN_LOG_DAYS", "3")
    file = tmp_path / ".env"
    file.write_text(
        "# LEADS_COLOUR=1\nLEADS_RUN_LOG_DAYS=5\nexport LEADS_VERIFY_SAMPEL=7\nLEADS_VERIFY_DAYS=0.5\n"
    )
    loaded = config.load(file)
    assert (loaded.run_log_days, loaded.verify_days) == (3, 0.5)
    [warning] = loaded.warnings
    assert warning.endswith("the nearest is LEADS_VERIFY_SAMPLE.")


@pytest.mark.parametrize(("form", "form_of_logs"), [("JSON", "json"), ("loud", None)])
def test_the_form_of_the_logs_is_known_though_another_setting_is_bad(
    tmp_path: Path, form: str, form_of_logs: str | None
) -> None:
    file = tmp_path / ".env"
    file.write_text(f"LEADS_LOG_FORMAT={form}\nLEADS_REFRESH_BATCH=many\n")
    with pytest.raises(ConfigurationError) as caught:
        config.load(file)
    assert caught.value.log_format == form_of_logs


def test_the_password_is_not_in_the_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/db")
    assert "secret" not in repr(config.load(NOTHING))


def test_the_nearest_is_named_or_else_the_page() -> None:
    names = ("LEADS_API_WORKER", "LEADS_COLOUR", "LEADS_DATABASE_URL", "LEADS_LOGLEVEL", "LEADS_PORT")
    assert [sentence.partition("has no effect")[2] for sentence in config.find_misspelt(names)] == [
        "; the nearest is LEADS_API_WORKERS.",
        ": see docs/settings.md.",
        "; the nearest is DATABASE_URL.",
        "; the nearest is LEADS_LOG_LEVEL.",
        "; the nearest is PORT.",
    ]
