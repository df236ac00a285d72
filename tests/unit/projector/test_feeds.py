"""What keeps the changes of the platform from arriving, in words. Real subscriptions are in test_origin.py."""

from collections.abc import Iterator

import pytest

from projector.database.rows import Connection
from projector.database.schema import source_tables
from projector.operate.origin.subscriptions import Feed, find_problem, read_unfed_tables
from tests.support.cases import cases

WELL: dict[str, object] = {
    "name": "leads",
    "slot_name": "leads",
    "is_enabled": True,
    "unready_tables": 0,
    "has_worker": True,
    "position": "0/1",
    "errors": 3,
    "bytes_behind": 0,
}


@cases(
    ("changes", "said"),
    [
        ({}, None),
        ({"is_enabled": False}, "The subscription leads is disabled"),
        ({"unready_tables": 1}, "The subscription leads has yet to copy 1 table"),
        ({"errors": 5}, "The subscription leads failed 2 times since something arrived last"),
        ({"has_worker": False, "position": None}, "The subscription leads has no worker"),
    ],
)
def test_what_keeps_changes_from_arriving(changes: dict[str, object], said: str | None) -> None:
    feed = Feed(**{**WELL, **changes})  # type: ignore[arg-type]
    assert find_problem([feed], [], 3) == said
    if not feed.is_enabled:
        # It comes before the tables that it does not bring.
        assert find_problem([feed], ["contacts"], 3) == said


@pytest.fixture
def subscribed(connection: Connection) -> Iterator[Connection]:
    """A database with a subscription that lists no table yet, and with contacts in two partitions."""
    connection.execute("DROP TABLE contacts")
    connection.execute("CREATE TABLE contacts (contact_id text) PARTITION BY LIST (contact_id)")
    connection.execute("CREATE TABLE contacts_a PARTITION OF contacts FOR VALUES IN ('a')")
    connection.execute("CREATE TABLE \"Contacts b\" PARTITION OF contacts FOR VALUES IN ('b')")
    connection.execute(
        "CREATE SUBSCRIPTION leads CONNECTION 'dbname=nowhere' PUBLICATION leads"
        " WITH (connect = false, slot_name = NONE)"
    )
    yield connection
    connection.execute("DROP SUBSCRIPTION leads")


@pytest.mark.parametrize(
    ("listed", "unfed"),
    [
        (source_tables(), []),
        ([], []),
        ([name for name in source_tables() if name != "messages"], ["public.messages"]),
        # Published by its partitions.
        ([*source_tables(), "contacts_a", '"Contacts b"'], []),
        (
            [name for name in source_tables() if name != "contacts"],
            ['public."Contacts b"', "public.contacts_a"],
        ),
        (
            [*(name for name in source_tables() if name != "contacts"), "contacts_a"],
            ['public."Contacts b"'],
        ),
    ],
)
def test_the_tables_that_no_subscription_brings(
    subscribed: Connection, listed: list[str], unfed: list[str]
) -> None:
    subscribed.execute(
        "INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate)"
        " SELECT s.oid, listed::regclass, 'r' FROM pg_subscription AS s, unnest(%s::text[]) AS listed"
        " WHERE s.subdbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())",
        (list(listed),),
    )
    assert sorted(read_unfed_tables(subscribed)) == unfed
