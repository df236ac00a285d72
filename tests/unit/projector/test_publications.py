"""A publication that leaves something out, on two servers, repaired by the commands of docs/scaling.md.

tests/exactness/test_publications.py has each rule by itself.
"""

from collections.abc import Iterator

import pytest

from projector.database.schema import source_tables
from projector.observe.status import as_dict, find_attention, read_status
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.support.replication import TwoServers, ready, replicated_platform
from tests.support.running import value, wait_for, wait_until

OTHERS = ", ".join(name for name in source_tables() if name != "messages")


@pytest.fixture(scope="module")
def both() -> Iterator[TwoServers]:
    """Messages are in a publication of their own."""
    with replicated_platform() as found:
        for conn in (found.conn, found.platform):
            conn.execute("ALTER TABLE messages ADD COLUMN remark text")
        found.platform.execute(f"CREATE PUBLICATION others FOR TABLE {OTHERS}".encode())
        found.platform.execute("CREATE PUBLICATION chosen FOR TABLE messages")
        found.conn.execute("ALTER SUBSCRIPTION leads SET PUBLICATION others, chosen")
        rebuild(found.conn, tenants=None, progress=QUIET)
        found.wait_until_as_of(value(found.platform, "SELECT clock_timestamp()"))
        yield found


def copy_again(both: TwoServers) -> None:
    """Copy all messages, as an operator does."""
    both.platform.execute("ALTER PUBLICATION chosen DROP TABLE messages")
    both.conn.execute("ALTER SUBSCRIPTION leads REFRESH PUBLICATION")
    both.conn.execute("TRUNCATE messages")
    both.platform.execute("ALTER PUBLICATION chosen ADD TABLE messages")
    both.conn.execute("ALTER SUBSCRIPTION leads REFRESH PUBLICATION")
    # The projector is stopped until the table is copied.
    wait_until(both.conn, "NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r')")


@pytest.mark.parametrize(
    ("leave_out", "repair", "said"),
    [
        ("SET TABLE messages WHERE (message_id !~ '^m')", "SET TABLE messages", "with a row filter"),
        ("DROP TABLE messages", "ADD TABLE messages", "not at all"),
    ],
)
def test_what_a_publication_leaves_out_is_told_and_not_promised(
    both: TwoServers, leave_out: str, repair: str, said: str
) -> None:
    both.platform.execute(f"ALTER PUBLICATION chosen {leave_out}".encode())
    missed = both.committed[both.write()]
    assert all(both.look() <= missed for _ in range(5))
    reason = f"Not all that the projection reads is published: public.messages {said}"
    assert both.problem() == reason
    code, message = ready(both)
    assert (code, reason in message) == (503, True)
    status = read_status(both.conn)
    assert [sentence for sentence in find_attention(status) if reason in sentence]
    assert as_dict(status)["origin"]["problem"] == reason
    # A publication that is repaired brings what comes, and not what was left out.
    both.platform.execute(f"ALTER PUBLICATION chosen {repair}".encode())
    name = both.write()
    wait_until(both.conn, "EXISTS (SELECT FROM messages WHERE message_id = %s)", name)
    assert all(both.look() <= missed for _ in range(5))
    assert (both.problem() or "").endswith("until these tables are copied again: public.messages")
    copy_again(both)
    both.wait_until_as_of(both.committed[name])
    wait_for(lambda: both.look() is not None and both.problem() is None, "it is well again")
    assert find_attention(read_status(both.conn)) == []
