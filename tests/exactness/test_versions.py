"""A version of a tenant stands for exactly one state of its rows: a client that sees it again has missed nothing."""

from collections.abc import Callable
from itertools import takewhile

import pytest

from api.database.listen import name_of
from projector.database.rows import Connection
from projector.operate import erase as erasure
from projector.operate.erase.ledger import Target
from projector.report.progress import QUIET
from tests.conftest import MakeDatabase
from tests.exactness.platform import Platform, rebuild_now, refresh_now
from tests.exactness.random_load import VERSIONS
from tests.support.cases import cases
from tests.support.patience import PATIENCE

NEWER = (
    "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp)"
    " VALUES ('newer', 'c', 'user', 'newer', '2025-06-01')"
)
# Each changes rows that the API prints. The printed lead has nothing of the text of a message that is not its last.
CHANGES = {
    "an older message": "UPDATE messages SET text = 'another' WHERE message_id = 'm'",
    "an older message that goes": "DELETE FROM messages WHERE message_id = 'm'",
    "the last message": "UPDATE messages SET text = 'another' WHERE message_id = 'newer'",
    "an agent": "UPDATE agents SET name = 'Zoe'",
    "a contact": "UPDATE contacts SET company = 'Acme'",
    "an extraction": "UPDATE extractions SET email = 'ann@example.com'",
    "an attribute": "UPDATE extractions SET requirements = 'three rooms'",
    "an attribute that goes": "UPDATE extractions SET requirements = ' '",
    "a send": "UPDATE template_sends SET sent_at = '2025-07-01'",
    "a lead that goes": "DELETE FROM template_sends; DELETE FROM conversations",
}
NOTHING = {
    "a row that is written as it was": "UPDATE messages SET text = text; UPDATE contacts SET name = name",
    "a change that was taken back": "UPDATE agents SET name = 'Zoe'; UPDATE agents SET name = 'Ava'",
    "a contact who is no lead": "INSERT INTO contacts (contact_id, user_id, phone, name) VALUES ('x', 'one', '7', 'X')",
    "another tenant": "INSERT INTO users (user_id) VALUES ('two')",
}
# As drift, because no change of the source changes these rows alone.
DRIFT = {
    "leads": "UPDATE read_model.leads SET document = '{}'",
    "lead_profiles": "UPDATE read_model.lead_profiles SET company = 'wrong'",
    "attributes": "UPDATE read_model.lead_profiles SET attributes = '{}'",
    "attributes of a conversation": "UPDATE read_model.lead_conversations SET attributes = '{}'",
    # The counts agree with what is left.
    "lead_profiles that are missing": "DELETE FROM read_model.lead_profiles; DELETE FROM read_model.attribute_counts",
    "lead_conversations": "UPDATE read_model.lead_conversations SET agent_name = 'wrong'",
    "lead_messages": "UPDATE read_model.lead_messages SET text = 'wrong'",
    "lead_counts": "UPDATE read_model.lead_counts SET leads = 7",
    "lead_daily_counts": "UPDATE read_model.lead_daily_counts SET leads = 7",
    "lead_totals": "UPDATE read_model.lead_totals SET leads = 7",
    "message_counts": "UPDATE read_model.message_counts SET messages = 7",
    "attribute_counts": "UPDATE read_model.attribute_counts SET leads = 7",
}

State = tuple[int | None, str | None, str]


def state(conn: Connection, user_id: str = "one") -> State:
    """Return the version of a tenant with its id, and a digest of all that the API can print of the tenant."""
    states = {row[0]: row[1:] for row in conn.execute(VERSIONS.encode()).fetchall()}
    version, version_id, digest = states.get(user_id, (None, None, ""))
    return version, version_id, digest


def assert_moved(before: State, after: State) -> None:
    assert after[2] != before[2], "nothing was changed"
    assert after[0] is not None
    assert after[0] > (before[0] or 0)
    assert after[1] != before[1]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_moves_the_version(filled: Platform, change: str) -> None:
    filled.conn.execute(NEWER.encode())
    refresh_now(filled.conn)
    before = state(filled.conn)
    filled.conn.execute(CHANGES[change].encode(), prepare=False)
    refresh_now(filled.conn)
    assert_moved(before, state(filled.conn))


@cases("change", NOTHING)
def test_what_changes_no_row_moves_no_version(filled: Platform, change: str) -> None:
    before = state(filled.conn)
    filled.conn.execute(NOTHING[change].encode(), prepare=False)
    refresh_now(filled.conn)
    assert state(filled.conn) == before


@cases("drift", DRIFT)
def test_a_correction_moves_the_version(filled: Platform, drift: str) -> None:
    filled.conn.execute(DRIFT[drift].encode(), prepare=False)
    before = state(filled.conn)
    rebuild_now(filled.conn)
    assert_moved(before, state(filled.conn))


def test_a_first_build_moves_the_versions_that_were(filled: Platform) -> None:
    filled.conn.execute("UPDATE read_model.leads SET document = '{}'")
    before = state(filled.conn)
    rebuild_now(filled.conn, first=True)
    assert_moved(before, state(filled.conn))


def test_who_listens_is_told_of_each_version_that_moves(filled: Platform) -> None:
    """They are notified of nothing else, so that they do not ask while nothing changes."""
    with filled.database.connect() as listener:
        listener.execute("LISTEN leads")

        def hear(work: Callable[[], object]) -> list[str]:
            work()
            # They come in the order of their commits.
            filled.conn.execute("NOTIFY leads, 'no more'")
            payloads = (note.payload for note in listener.notifies(timeout=PATIENCE))
            return list(takewhile(lambda payload: payload != "no more", payloads))

        assert hear(lambda: refresh_now(filled.conn)) == []
        filled.conn.execute(NEWER.encode())
        assert hear(lambda: refresh_now(filled.conn)) == [name_of("one")]
        filled.conn.execute(DRIFT["leads"].encode())
        assert hear(lambda: rebuild_now(filled.conn)) == [name_of("one")]
        assert hear(lambda: rebuild_now(filled.conn, first=True)) == ["*"]
        filled.conn.execute("DELETE FROM template_sends; DELETE FROM conversations", prepare=False)
        erased = Target("one", "77")
        assert "*" in hear(lambda: erasure.erase(filled.conn, erased, progress=QUIET))


def test_two_histories_never_share_a_version(filled: Platform, make_database: MakeDatabase) -> None:
    """As after a restore or a failover that lost what was committed last: the same number comes again."""
    states = []
    source = filled.database
    filled.conn.close()
    for text in ("one history", "another history"):
        with make_database(source).connect() as conn:
            conn.execute("UPDATE messages SET text = %s", (text,))
            refresh_now(conn)
            states.append(state(conn))
    (number, first, digest), (other_number, other, other_digest) = states
    assert number == other_number
    assert digest != other_digest
    assert first != other
