"""Who has written asks with the time of the commit, by the database's clock, and never sees the state before."""

from urllib.parse import quote

import pytest

from api.limits import waiting
from tests.exactness.feed_copy import serving
from tests.exactness.platform import Platform, refresh_now, value

LEAD = "/users/one/leads/4915"


def test_an_answer_is_never_older_than_min_as_of(filled: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look finds the data fresh enough, and between it and the answer another state comes back."""
    monkeypatch.setattr(waiting.Waiting, "for_data", lambda *_: None)
    filled.message("c", "second")
    committed = value(filled.conn, "SELECT clock_timestamp()")
    asked = f"min_as_of={quote(committed.isoformat())}"
    with serving(filled.database) as app:
        client = app.test_client()
        for expected in (503, 200):
            for path in ("/users/one/leads", "/users/one/leads/stats", LEAD, f"{LEAD}/messages"):
                assert client.get(f"{path}?{asked}").status_code == expected
            refresh_now(filled.conn)
