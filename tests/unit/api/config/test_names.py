"""A variable that looks like a setting and is none is named, with the setting that may be meant."""

import pytest

from api.config import names
from api.config.names import all_settings, unknown_settings
from tests.support.cases import cases


def test_all_settings_of_both_programs_are_known() -> None:
    assert {one.of for one in all_settings().values()} == {"both", "API", "projector"}
    assert unknown_settings(dict.fromkeys(all_settings(), "x")) == []


@cases(
    ("name", "meant"),
    [
        ("LEADS_LOG_LEVL", "LEADS_LOG_LEVEL"),
        ("LEADS_STATEMENT_TIMEOUT", "LEADS_STATEMENT_TIMEOUT_MS"),
        # Of the projector: both may have one environment.
        ("LEADS_REFRESH_SECOND", "LEADS_REFRESH_SECONDS"),
        # Settings without the prefix.
        ("LEADS_DATABASE_URL", "DATABASE_URL"),
        ("LEADS_PORT", "PORT"),
        ("LEADS_HOST", "HOST"),
    ],
)
def test_a_misspelt_setting_is_named_with_the_one_that_may_be_meant(name: str, meant: str) -> None:
    [sentence] = unknown_settings({name: "x", "PATH": "/bin", "LEDS_PORT": "1"})
    assert sentence == f"{name} is not a setting, and has no effect. Did you mean {meant}?"


def test_a_setting_that_is_near_to_none_is_named_with_where_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    [sentence] = unknown_settings({"LEADS_COLOUR": "red"})
    assert sentence.startswith("LEADS_COLOUR is not a setting")
    assert "docs/settings.md" in sentence
    assert "mean" not in sentence
    # Without its page the program warns of nothing.
    monkeypatch.setattr(names, "_page", str)
    assert unknown_settings({"LEADS_COLOUR": "red"}) == []


def test_what_kubernetes_sets_for_services_of_our_names_is_no_setting() -> None:
    assert (
        unknown_settings(
            {
                "LEADS_SERVICE_HOST": "10.0.0.1",
                "LEADS_API_SERVICE_PORT_HTTP": "4000",
                "LEADS_PORT": "tcp://10.0.0.1:4000",
                "LEADS_API_PORT_4000_TCP_ADDR": "10.0.0.1",
            }
        )
        == []
    )
