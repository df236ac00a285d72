"""The alert rules: each reads what there is, fires when it should, and is silent otherwise."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.commands import ROOT

RULES = ROOT / "projector" / "operate" / "deploy" / "alerts.yml"
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    for rule in group["rules"]
}
REQUESTS = 'leads_api_request_seconds_count{route="/users/<user_id>/leads",status="%s"}'
BUCKET = 'leads_api_request_seconds_bucket{route="/users/<user_id>/leads",status="2xx",le="%s"}'
DAY = 86_400


@dataclass(frozen=True)
class Case:
    """Series by which an alert fires, and others by which it is silent; a value a minute.

    `shown` is what the annotations print in the place of `$value` and of labels; `labels` are those of the alert.
    """

    firing: dict[str, str]
    silent: dict[str, str]
    at: str = "20m"
    shown: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


def of(series: str, firing: str, silent: str, **more: Any) -> Case:  # noqa: ANN401  # As Case takes them.
    """Return the case of an alert on one series."""
    return Case({series: firing}, {series: silent}, **more)


DURATION, VALUE = "{{ $value | humanizeDuration }}", "{{ $value }}"
CASES = {
    "LeadsDataOld": Case(
        {
            "leads_api_data_age_seconds": "90x60",
            "leads_api_data_late_after_seconds": "10x60",
            'leads_projector_capture_state{state="filling"}': "0x60",
        },
        {
            "leads_api_data_age_seconds": "90x60",
            "leads_api_data_late_after_seconds": "10x60",
            'leads_projector_capture_state{state="filling"}': "1x60",
        },
        shown={DURATION: "1m 30s"},
    ),
    "LeadsProjectorLost": of("leads_projector_lost_schedulers", "1x60", "0x60", shown={VALUE: "1"}),
    "LeadsProjectorSilent": of("leads_projector_silent_schedulers", "1x60", "0x60", shown={VALUE: "1"}),
    "LeadsTenantLate": of(
        "leads_api_late_data_age_seconds", "3900x60", "3000x60", shown={DURATION: "1h 5m 0s"}
    ),
    "LeadsDataAgeUnknown": Case({}, {"leads_api_data_age_seconds": "5x60"}),
    "LeadsApiFails": Case(
        {REQUESTS % "2xx": "0+980x60", REQUESTS % "5xx": "0+20x60"},
        {REQUESTS % "2xx": "0+995x60", REQUESTS % "4xx": "0+995x60", REQUESTS % "5xx": "0+5x60"},
    ),
    "LeadsApiSlow": Case(
        {BUCKET % "0.5": "0+90x60", BUCKET % "1": "0+100x60", BUCKET % "+Inf": "0+100x60"},
        {BUCKET % "0.5": "0+100x60", BUCKET % "1": "0+100x60", BUCKET % "+Inf": "0+100x60"},
    ),
    "LeadsApiPoolExhausted": of("leads_api_pool_waiting", "3x60", "3 0 3 0 0 3x60", at="8m"),
    "LeadsTenantLimited": of("leads_api_rate_limited_total", "0+20x60", "0+5x60"),
    "LeadsRateLimitStoreAway": of("leads_api_rate_limit_store_failures_total", "0+1x60", "0 1x60"),
    "LeadsDiffer": of("leads_verify_open_differences", "2x60", "0x60", shown={VALUE: "2"}),
    # The clock of these tests begins in 1970: what was two hours less than three days before is below 0.
    "LeadsNotVerified": of(
        "leads_verify_proved_timestamp_seconds",
        f"{7200 - 3 * DAY}x120",
        f"{7200 - 2 * DAY}x120",
        at="2h",
        shown={DURATION: "3d 0h 0m 0s"},
    ),
    "LeadsProjectorAbsent": Case(
        {'leads_build_info{program="api"}': "1x60"},
        {'leads_build_info{program="projector"}': "1x60"},
        labels={"program": "projector"},
    ),
    "LeadsProjectorBlind": Case(
        {'leads_projector_database_up{instance="a"}': "0x60"},
        {
            'leads_projector_database_up{instance="a"}': "0x60",
            'leads_projector_database_up{instance="b"}': "1x60",
        },
    ),
    "LeadsLag": Case(
        {"leads_projector_lag_seconds": "90x60", 'leads_projector_rebuild_state{state="running"}': "0x60"},
        {"leads_projector_lag_seconds": "90x60", 'leads_projector_rebuild_state{state="running"}': "1x60"},
        shown={DURATION: "1m 30s"},
    ),
    "LeadsCaptureGap": Case(
        {'leads_projector_capture_state{state="gap"}': "1x60"},
        {
            'leads_projector_capture_state{state="gap"}': "0x60",
            'leads_projector_capture_state{state="filling"}': "1x60",
        },
    ),
    "LeadsCaptureOff": of('leads_projector_capture_state{state="off"}', "1x300", "0x300", at="2h"),
    "LeadsDeadLetters": of("leads_projector_dead_letters", "3x60", "0x60", shown={VALUE: "3"}),
    "LeadsUnknownChanges": of("leads_projector_unknown_changes", "3x60", "0x60", shown={VALUE: "3"}),
    "LeadsJobFails": of(
        'leads_projector_job_errors_total{name="verify"}',
        "0+1x60",
        "0 1x60",
        shown={"{{ $labels.name }}": "verify"},
        labels={"name": "verify"},
    ),
    "LeadsRunFailed": of(
        'leads_projector_last_run_failed{kind="rebuild"}',
        "1x60",
        "0x60",
        shown={"{{ $labels.kind }}": "rebuild"},
        labels={"kind": "rebuild"},
    ),
}


def test_each_rule_is_complete_and_has_its_case() -> None:
    assert set(CASES) == set(ALERTS)
    for name, rule in ALERTS.items():
        assert {"expr", "labels"} <= set(rule), name
        assert set(rule["annotations"]) == {"summary", "action"}, name


def promtool(*arguments: str, text: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, check=False)


@pytest.mark.prometheus
def test_promtool_takes_the_rules() -> None:
    done = promtool("check", "rules", "--lint-fatal", str(RULES))
    assert done.returncode == 0, done.stdout + done.stderr


def unit(alert: str, values: dict[str, str], *, fires: bool) -> dict[str, Any]:
    case, rule = CASES[alert], ALERTS[alert]
    expected = []
    if fires:
        annotations = dict(rule["annotations"])
        for template, text in case.shown.items():
            annotations["summary"] = annotations["summary"].replace(template, text)
        expected = [{"exp_labels": {**rule["labels"], **case.labels}, "exp_annotations": annotations}]
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": text} for name, text in values.items()],
        "alert_rule_test": [{"eval_time": case.at, "alertname": alert, "exp_alerts": expected}],
    }


@pytest.mark.prometheus
def test_each_fires_when_it_should_and_only_then(tmp_path: Path) -> None:
    tests = [
        unit(alert, values, fires=fires)
        for alert, case in CASES.items()
        for fires, values in ((True, case.firing), (False, case.silent))
    ]
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    done = promtool("test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
