"""The verify in words."""

from datetime import UTC, datetime

import pytest

from projector.observe.status.verification import (
    EndedDrift,
    OpenDrift,
    PresentRound,
    ProvedRound,
    Verification,
)
from projector.observe.status.verification_words import (
    days_in_words,
    differing,
    item_in_words,
    verification_as_dict,
    verification_lines,
)

EARLIER = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)


@pytest.mark.parametrize(("days", "words"), [(1.0, "1 day"), (2.0, "2 days"), (0.5, "0.5 days")])
def test_days_have_their_noun(days: float, words: str) -> None:
    assert days_in_words(days) == words


@pytest.mark.parametrize(
    ("kind", "phone", "key", "words"),
    [
        ("lead", "49151", "", "lead 49151 of u"),
        ("contact", "49151", "k", "lead 49151 of u (contact k)"),
        ("statistics", "", "", "the statistics of u"),
    ],
)
def test_an_item_is_named(kind: str, phone: str, key: str, words: str) -> None:
    assert item_in_words(OpenDrift(kind, "u", phone, key, "f", EARLIER, EARLIER, 1)) == words


def test_one_item_differs_and_two_differ() -> None:
    assert differing(1) == "1 item differs from the source rows"
    assert differing(2_000) == "2,000 items differ from the source rows"


def test_the_lines_tell_what_is_proved_how_far_the_round_is_and_what_was_found() -> None:
    found = Verification(
        proved=ProvedRound(EARLIER, EARLIER, 2004, 3, 0),
        present=PresentRound(EARLIER, 1.0, 7200.0, 0.25, 502, 2004, 1, 1, None),
        drift=[OpenDrift("lead", "u", "49151", "", "document.name", EARLIER, EARLIER, 1)],
        history=[EndedDrift("rebuilt", 2, EARLIER), EndedDrift("right", 1, EARLIER)],
    )
    assert list(verification_lines(found)) == [
        ("Verified", "everything: 2026-11-25 01:02:03 UTC, 2,004 leads, 3 left out, no difference"),
        ("Verify round", "25.0 % in 2 h, 502 of about 2,004 leads, 1 to be looked at again, 1 difference"),
        ("Drift", "1 item differs from the source rows"),
        ("", "lead 49151 of u: document.name, found 2026-11-25 01:02:03 UTC"),
        ("", "2 items corrected by a rebuild, the last 2026-11-25 01:02:03 UTC"),
        ("", "1 item found right by a later verify, 2026-11-25 01:02:03 UTC"),
    ]
    told = verification_as_dict(found)
    assert told["round"]["percent"] == 25.0
    assert told["drift"]["ended"][0] == {"outcome": "rebuilt", "items": 2, "last_at": EARLIER}


def test_more_leads_than_were_counted_are_no_more_than_all() -> None:
    present = PresentRound(EARLIER, 1.0, 7200.0, 0.999, 11, 10, 0, 0, None)
    assert "11 of about 11 leads" in dict(verification_lines(Verification(present=present)))["Verify round"]
    assert dict(verification_lines(Verification()))["Verified"] == "everything: not yet"
