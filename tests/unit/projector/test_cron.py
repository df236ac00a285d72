"""Cron expressions."""

import pytest

from projector.scheduler.cron import is_cron, name_weekdays


@pytest.mark.parametrize("text", ["0 3 * * sat-sun", "0 3 * * 0-2", "0,30 8-18/2 1 jan,jul 1"])
def test_a_range_of_names_ends_with_sunday_and_one_of_numbers_begins_with_it(text: str) -> None:
    assert is_cron(text)


@pytest.mark.parametrize("text", ["0 3 * * sun-mon", "0 3 * * 1/2", "0 3 * jan-foo *", "0 3 * * 1-2-3"])
def test_other_texts_are_refused(text: str) -> None:
    assert not is_cron(text)


@pytest.mark.parametrize(
    ("field", "named"),
    [
        ("*", "sun,mon,tue,wed,thu,fri,sat"),
        ("0", "sun"),
        ("1-5", "mon,tue,wed,thu,fri"),
        ("sat-sun", "sun,sat"),
        ("*/2", "sun,tue,thu,sat"),
        ("mon,4", "mon,thu"),
    ],
)
def test_weekdays_are_named(field: str, named: str) -> None:
    assert name_weekdays(field) == named
