"""A text of the platform is projected up to 64 KiB, whatever it holds, and a name up to 255 characters."""

from projector.report.progress import QUIET
from projector.sweep import recovery
from tests.exactness.platform import (
    Platform,
    assert_at_rest,
    assert_exact,
    assert_verified,
    document,
    rebuild_now,
    refresh_now,
    texts,
    value,
)
from tests.support.cases import cases

MARK = "… [cut]"
KIB_64 = 65_536


TEXTS = (
    "a" * KIB_64,
    "a" * (KIB_64 + 1),
    # Characters of each length, at each place where a cut can fall.
    *("a" * first + letter * 40_000 for letter in "é€😀" for first in range(len(letter.encode()))),
    "\x01" * 100_000,
    " " * 100_000,
    "😀" * (KIB_64 // 4),
    "😀" * (KIB_64 // 4) + "a",
)


def test_a_text_is_cut_between_two_characters(filled: Platform) -> None:
    conn, agent = filled.conn, filled.agent("one")
    for number, text in enumerate(TEXTS):
        filled.message(filled.conversation(agent, f"49{number}"), text, at="2026-01-01 00:00:00")
    refresh_now(conn)
    for number, text in enumerate(TEXTS):
        [shown] = texts(conn, "one", f"49{number}")
        if len(text.encode()) <= KIB_64:
            assert shown == text
        else:
            assert shown.endswith(MARK)
            assert text.startswith(shown.removesuffix(MARK))
            # No whole character more would have fitted.
            assert KIB_64 - len(text[-2].encode()) < len(shown.encode()) <= KIB_64
        assert (document(conn, "one", f"49{number}") or {})["last_message_text"] == shown
    assert_exact(conn)
    rebuild_now(conn)
    assert_exact(conn)
    rebuild_now(conn, first=True)
    assert_verified(conn)


WIDE = (
    ("extractions", "name"), ("extractions", "email"), ("extractions", "company"), ("extractions", "lead_status_tag"),
    ("contacts", "name"), ("contacts", "email"), ("contacts", "company"), ("agents", "name"),
    ("phone_numbers", "platform"), ("messages", "sender"),
)  # fmt: skip


@cases("letter", ["a", "é", "😀", "İ"])
def test_columns_without_a_greatest_length_are_bounded_too(filled: Platform, letter: str) -> None:
    conn = filled.conn
    for table, column in WIDE:
        conn.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE text".encode())
    recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
    long = letter * 1_000_000
    conn.execute("UPDATE agents SET name = %s", (long,))
    conn.execute("UPDATE messages SET sender = %s", (long,))
    conn.execute(
        "UPDATE extractions SET name = %s, email = %s, lead_status_tag = %s", (long, f"  {long}", long)
    )
    conn.execute("UPDATE contacts SET name = 'x', company = %s", (f"\n{letter * 255}  ",))
    refresh_now(conn)
    assert_at_rest(conn)
    lead = document(conn, "one", "4915")
    assert lead is not None
    assert lead["name"] == lead["email"] == letter * 254 + "…"
    assert lead["company"] == letter * 255
    assert len(lead["conversations"][0]["agent_name"].encode()) <= KIB_64
    assert_exact(conn)
    rebuild_now(conn)
    assert_verified(conn)


def test_a_huge_text_costs_no_more_than_what_is_kept_of_it(filled: Platform) -> None:
    # 40 MB, stored in pieces of its own.
    filled.conn.execute("ALTER TABLE messages ALTER COLUMN text SET STORAGE EXTERNAL")
    filled.conn.execute(
        "INSERT INTO messages (message_id, conversation_id, sender, text)"
        " VALUES ('huge', 'c', 'user', repeat('x', 40000000))"
    )
    plan = value(
        filled.conn,
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT projector.cut_text(m.text)"
        " FROM messages AS m WHERE message_id = 'huge'",
    )[0]["Plan"]
    # 40 MB are 20,000 pieces in 5,000 pages.
    assert 0 < plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 500, plan
