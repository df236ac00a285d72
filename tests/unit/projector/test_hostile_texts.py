"""Whatever customers and platforms write into ids and texts, a terminal obeys none of it and no line is forged."""

import subprocess
from pathlib import Path

import pytest
from psycopg import sql

from tests.support.commands import run_command
from tests.support.server import Database

# Escape sequences, also in their one character form, a title, a line of its own, an overwritten line, reordered text.
HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\nError: forged\r\u202e\u2066\u2028\x7f"
TENANT, PHONE = f"u{HOSTILE}", f"p{HOSTILE}"


ROWS = """
INSERT INTO users (user_id) VALUES ('u' || {0});
INSERT INTO phone_numbers (id, user_id, platform) VALUES ('n', 'u' || {0}, 'whatsapp');
INSERT INTO agents (agent_id, user_id, phone_number_id, name) VALUES ('a' || {0}, 'u' || {0}, 'n', {0});
INSERT INTO conversations (conversation_id, agent_id, customer_phone)
VALUES ('c' || {0}, 'a' || {0}, 'p' || {0}), ('d' || {0}, 'a' || {0}, 'other p' || {0});
INSERT INTO messages (message_id, conversation_id, sender, text) VALUES ('m' || {0}, 'c' || {0}, 'user', {0});
INSERT INTO extractions (extraction_id, conversation_id, is_latest, name)
VALUES (gen_random_uuid(), 'c' || {0}, true, 'Ada' || {0});
"""


@pytest.fixture
def hostile(database: Database) -> Database:
    """A lead whose ids and texts are hostile, a dead letter of it and a drift."""
    with database.connect() as conn:
        conn.execute(sql.SQL(ROWS).format(HOSTILE), prepare=False)
    return database


def run(database: Database, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command as at a terminal, where nothing is left out."""
    done = run_command(
        folder, *arguments,
        DATABASE_URL=database.url, LEADS_LOG_FORMAT="text", LEADS_LOG_PERSONAL_DATA="on", LEADS_LOG_LEVEL="DEBUG",
    )  # fmt: skip
    for said in (done.stdout, done.stderr):
        # What is not printable is a character that a terminal obeys, or that reorders or ends a line.
        assert {letter for letter in said if not letter.isprintable() and letter not in "\n\t"} == set()
        assert "\nError: forged" not in f"\n{said}"
    return done


def test_no_command_prints_what_a_terminal_obeys(hostile: Database, tmp_path: Path) -> None:
    assert run(hostile, tmp_path, "rebuild").returncode == 0
    with hostile.connect() as conn:
        conn.execute("UPDATE read_model.leads SET document = replace(document, 'Ada', 'Bob')")
        conn.execute("UPDATE read_model.lead_messages SET text = text || 'x'")
    drifted = run(hostile, tmp_path, "verify", "--all")
    assert drifted.returncode == 3
    assert r"\x1b[2J" in drifted.stdout
    # The scores of a lead whose sum is no integer.
    with hostile.connect() as conn:
        conn.execute(
            "INSERT INTO extractions (extraction_id, conversation_id, is_latest, intent_score, urgency_score,"
            " budget_score, fit_score, engagement_score)"
            " VALUES (gen_random_uuid(), %s, true, 2147483647, 1, 1, 1, 1)",
            (f"d{HOSTILE}",),
        )
    assert "set aside as a dead letter" in run(hostile, tmp_path, "refresh").stderr
    assert r"owned\x07" in run(hostile, tmp_path, "status", "--verbose").stdout
    assert "owned" in run(hostile, tmp_path, "status", "--json").stdout
    assert r"u\x1b[2J" in run(hostile, tmp_path, "tenants").stdout
    run(hostile, tmp_path, "tenants", "--json")
    assert "owned" in run(hostile, tmp_path, "explain", TENANT, PHONE).stdout
    run(hostile, tmp_path, "explain", TENANT, PHONE, "--json")
    failed = run(hostile, tmp_path, "rebuild")
    assert failed.returncode == 1
    assert r"customer other p\x1b[2J" in failed.stderr
    run(hostile, tmp_path, "capture", "off", "--reason", HOSTILE)
    run(hostile, tmp_path, "status")
