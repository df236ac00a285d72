"""Settings: defaults, what is refused, and that everything wrong is told at once."""

from pathlib import Path

import pytest
from marshmallow import ValidationError

from projector import config
from projector.config import check_cron
from projector.report.errors import ConfigurationError

NOTHING = Path("there is no such file")


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", "LEADS_PG_BIN", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    found = config.load(NOTHING)
    assert found.database_url == ""
    assert found.state_dir == tmp_path / ".leads"
    assert found.pg_bin is None
    assert found.refresh_seconds == 0.25
    assert found.refresh_batch == 1000
    assert found.queue_limit == 1_000_000
    assert found.verify_days == 1
    assert found.verify_sample == 500
    assert found.rebuild_cron == ""
    assert found.run_log_days == 14
    assert (found.log_level, found.log_format) == ("INFO", "auto")
    assert (found.log_personal_data, found.warnings) == (False, ())
    assert (found.api_host, found.api_port) == ("127.0.0.1", 4000)
    assert found.api_role == "leads_api"
    assert (found.metrics_host, found.metrics_port, found.tracing) == ("127.0.0.1", 0, False)


@pytest.mark.parametrize(("value", "role"), [("reader", "reader"), ("OFF", ""), (" ", "leads_api")])
def test_the_role_of_the_api(monkeypatch: pytest.MonkeyPatch, value: str, role: str) -> None:
    monkeypatch.setenv("LEADS_API_ROLE", value)
    assert config.load(NOTHING).api_role == role


def test_what_is_set_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://host/db")
    monkeypatch.setenv("LEADS_REFRESH_SECONDS", "2")
    monkeypatch.setenv("LEADS_LOG_LEVEL", "debug")
    monkeypatch.setenv("LEADS_LOG_FORMAT", "JSON")
    monkeypatch.setenv("LEADS_REBUILD_CRON", " 0  3 * * sun ")
    found = config.load(NOTHING)
    assert found.database_url == "postgresql://host/db"
    assert found.refresh_seconds == 2
    assert (found.log_level, found.log_format) == ("DEBUG", "json")
    assert found.rebuild_cron == "0 3 * * sun"


def test_personal_data_in_logs_are_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADS_LOG_PERSONAL_DATA", "On")
    assert config.load(NOTHING).log_personal_data
    monkeypatch.setenv("LEADS_LOG_PERSONAL_DATA", "sometimes")
    with pytest.raises(ConfigurationError, match="LEADS_LOG_PERSONAL_DATA: Must be one of: on, off"):
        config.load(NOTHING)


@pytest.mark.parametrize("name", ["LEADS_READ_MODEL_URL", "LEADS_READ_MODEL_ENGINE"])
def test_a_setting_that_is_gone_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigurationError, match=rf"{name}: It is no setting any more\. .*Unset it"):
        config.load(NOTHING)


def test_a_misspelt_setting_of_the_file_is_a_warning_too(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# LEADS_COLOUR=1\nexport LEADS_VERIFY_SAMPEL=7\nLEADS_VERIFY_DAYS=off\n")
    [warning] = config.load(file).warnings
    assert warning.endswith("the nearest is LEADS_VERIFY_SAMPLE.")


def test_the_form_of_the_logs_is_known_though_another_setting_is_bad(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_text("LEADS_LOG_FORMAT=JSON\nLEADS_REFRESH_BATCH=many\n")
    assert config.log_format(file) == "json"
    monkeypatch.setenv("LEADS_LOG_FORMAT", "loud")
    assert config.log_format(file) == "auto"


def test_an_empty_value_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "LEADS_REFRESH_BATCH", "LEADS_LOG_LEVEL", "PORT"):
        monkeypatch.setenv(name, " ")
    found = config.load(NOTHING)
    assert (found.database_url, found.refresh_batch, found.log_level, found.api_port) == (
        "",
        1000,
        "INFO",
        4000,
    )


@pytest.mark.parametrize("value", ["off", "OFF", " off "])
def test_a_job_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("LEADS_VERIFY_DAYS", value)
    monkeypatch.setenv("LEADS_REBUILD_CRON", value)
    found = config.load(NOTHING)
    assert (found.verify_days, found.rebuild_cron) == (0, "")


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_setting_of_a_job_is_one_that_is_not_set(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("LEADS_VERIFY_DAYS", value)
    monkeypatch.setenv("LEADS_REBUILD_CRON", value)
    found = config.load(NOTHING)
    assert (found.verify_days, found.rebuild_cron) == (1, "")


def test_every_bad_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {
        "LEADS_REFRESH_SECONDS": "soon",
        "LEADS_REFRESH_BATCH": "0",
        "LEADS_VERIFY_DAYS": "0",
        "LEADS_REBUILD_CRON": "every hour",
        "LEADS_LOG_LEVEL": "loud",
        "PORT": "70000",
    }
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        config.load(NOTHING)
    assert [name for name in bad if name not in str(caught.value)] == []


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LEADS_RUN_LOG_DAYS", "3")
    file = tmp_path / ".env"
    file.write_text("LEADS_RUN_LOG_DAYS=5\nLEADS_VERIFY_SAMPLE=7\nLEADS_VERIFY_DAYS=0.5\n")
    found = config.load(file)
    assert (found.run_log_days, found.verify_sample, found.verify_days) == (3, 7, 0.5)


def test_the_password_is_not_in_the_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/db")
    assert "secret" not in repr(config.load(NOTHING))


def test_the_programs_of_postgresql_do_not_see_settings_of_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    found = config.environment_for_postgresql()
    assert "PGHOST" not in found
    assert found["LC_ALL"] == "C"


@pytest.mark.parametrize(
    "text", ["* * * * *", "23 * * * *", "*/5 0-6 1,15 jan-mar mon-fri", "0 3 * * SUN", "0 0-20/2 * * 6"]
)
def test_cron_expressions(text: str) -> None:
    check_cron(text)


@pytest.mark.parametrize(
    "text",
    ["", "*", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 7",
     "5-1 * * * *", "*/0 * * * *", "a * * * *", "* * * foo *", "5/2 * * * *", ", * * * *"],
)  # fmt: skip
def test_what_is_no_cron_expression(text: str) -> None:
    with pytest.raises(ValidationError, match="no cron expression"):
        check_cron(text)


@pytest.mark.parametrize(("value", "port"), [("9464", 9464), ("off", 0), (" OFF ", 0), (" ", 0)])
def test_the_port_of_the_metrics(monkeypatch: pytest.MonkeyPatch, value: str, port: int) -> None:
    monkeypatch.setenv("LEADS_METRICS_PORT", value)
    assert config.load(NOTHING).metrics_port == port


@pytest.mark.parametrize("value", ["0", "65536", "http"])
def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("LEADS_METRICS_PORT", value)
    with pytest.raises(ConfigurationError, match="LEADS_METRICS_PORT"):
        config.load(NOTHING)


@pytest.mark.parametrize(("value", "is_on"), [("on", True), ("OFF", False)])
def test_traces_are_switched_on(monkeypatch: pytest.MonkeyPatch, value: str, is_on: bool) -> None:  # noqa: FBT001
    monkeypatch.setenv("LEADS_TRACING", value)
    assert config.load(NOTHING).tracing is is_on
