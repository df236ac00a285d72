"""Variables that look like settings and are none."""

import pytest

from projector.setting_names import find_misspelt


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("LEADS_REFRESH_SECOND", "LEADS_REFRESH_SECONDS"),
        ("LEADS_LOGLEVEL", "LEADS_LOG_LEVEL"),
        ("LEADS_VERIFYDAYS", "LEADS_VERIFY_DAYS"),
        ("LEADS_API_WORKER", "LEADS_API_WORKERS"),
        ("LEADS_DATABASE_URL", "DATABASE_URL"),
        ("LEADS_PORT", "PORT"),
    ],
)
def test_the_nearest_is_named(name: str, nearest: str) -> None:
    assert [*find_misspelt([name])] == [f"{name} is no setting and has no effect; the nearest is {nearest}."]


def test_where_none_is_near_the_page_is_named() -> None:
    assert [*find_misspelt(["LEADS_COLOUR"])] == [
        "LEADS_COLOUR is no setting and has no effect: see docs/settings.md."
    ]
