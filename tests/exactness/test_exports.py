"""An export shows the one moment at which it began, whatever is written and whoever leaves a window meanwhile."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.database.snapshot import Snapshot
from api.database.statement import BoundStatement
from tests.exactness.feed_copy import serving
from tests.exactness.platform import Platform, refresh_now
from tests.unit.api.routes.test_exports import lines

LEADS = "/users/one/leads.ndjson"


@pytest.fixture
def client(filled: Platform) -> Iterator[FlaskClient]:
    """An API with some leads of a tenant."""
    agent = filled.agent("one")
    for number in range(12):
        filled.message(filled.conversation(agent, f"49{number:03}"), "before")
    refresh_now(filled.conn)
    with serving(filled.database) as app:
        yield app.test_client()


def printed(client: FlaskClient) -> list[dict[str, object]]:
    found: list[dict[str, object]] = client.get("/users/one/leads?limit=100").get_json()["data"]
    return found


def test_what_is_written_between_the_count_and_the_lines_is_not_in_the_file(
    filled: Platform, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, begin = printed(client), Snapshot.open

    def write_and_begin(snapshot: Snapshot, bound: BoundStatement[Any]) -> None:
        filled.message(filled.conversation(filled.agent("one"), "49999"), "new")
        refresh_now(filled.conn)
        begin(snapshot, bound)

    monkeypatch.setattr(Snapshot, "open", write_and_begin)
    assert lines(client, LEADS) == before != printed(client)


def test_a_window_stands_still_while_an_export_is_read(
    filled: Platform, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lead leaves it each few milliseconds, between the count and the lines too."""
    filled.conn.execute(
        "INSERT INTO read_model.leads SELECT (jsonb_populate_record(l, jsonb_build_object('customer_phone', n::text,"
        " 'last_message_at', clock_timestamp() - interval '7 days' + n * interval '5 ms'))).*"
        " FROM read_model.leads AS l, generate_series(1, 1000) AS n WHERE l.customer_phone = '4915'"
    )
    begin = Snapshot.open

    def pause_and_begin(snapshot: Snapshot, bound: BoundStatement[Any]) -> Any:  # noqa: ANN401  # As it returns.
        filled.conn.execute("SELECT pg_sleep(0.05)")
        return begin(snapshot, bound)

    monkeypatch.setattr(Snapshot, "open", pause_and_begin)
    assert lines(client, f"{LEADS}?days=7")
