"""The ledger of erasures: lines that name nobody, in the database and in a file."""

import json
import stat
from pathlib import Path

import pytest

from projector.database.rows import Connection
from projector.operate.erase import find_matches, ledger
from projector.operate.erase.ledger import Target, synchronize
from projector.report.errors import ProjectorError
from tests.support.running import value

TENANT, LEAD = Target("tenant 7"), Target("tenant 7", "49151000001")


def lines(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_line_names_nobody(connection: Connection, tmp_path: Path) -> None:
    noted = [ledger.note(connection, LEAD), ledger.note(connection, TENANT)]
    synchronize(connection, tmp_path / "erased.jsonl")
    # In the database it does until the erasure has ended.
    for erasure_id in noted:
        ledger.finish(connection, erasure_id)
    text = (tmp_path / "erased.jsonl").read_text()
    text += value(connection, "SELECT string_agg(to_jsonb(e)::text, '') FROM leads_access.erasures AS e")
    assert "tenant 7" not in text
    assert "49151000001" not in text
    lead, tenant = lines(tmp_path / "erased.jsonl")
    assert lead["tenant_hash"] == tenant["tenant_hash"]
    assert (lead["salt"], len(lead["salt"])) == (tenant["salt"], 64)
    assert lead["asked_by"].endswith(", as postgres")
    assert stat.S_IMODE((tmp_path / "erased.jsonl").stat().st_mode) == 0o600


def test_an_unfinished_line_goes_on_and_a_finished_one_does_not(connection: Connection) -> None:
    first = ledger.note(connection, LEAD)
    assert ledger.note(connection, LEAD) == first
    assert ledger.note(connection, TENANT) != first
    ledger.finish(connection, first)
    assert ledger.note(connection, LEAD) != first


def test_the_file_brings_back_what_a_restored_ledger_lacks(connection: Connection, tmp_path: Path) -> None:
    file = tmp_path / "erased.jsonl"
    first = ledger.note(connection, TENANT)
    assert synchronize(connection, file) == (0, 1)
    second = ledger.note(connection, LEAD)
    assert synchronize(connection, file) == (0, 1)
    assert synchronize(connection, file) == (0, 0)
    kept = lines(file)
    # A backup from before the second erasure is restored, and then a third one comes.
    connection.execute("DELETE FROM leads_access.erasures WHERE erasure_id = %s", (second,))
    # An editor has left the last line without an end, which swallows no other.
    file.write_text(file.read_text().rstrip("\n"))
    third = ledger.note(connection, Target("another"))
    assert synchronize(connection, file) == (1, 1)
    assert lines(file)[:2] == kept
    assert [line["erasure_id"] for line in lines(file)] == [str(first), str(second), str(third)]
    # A backup from before the first one: all salts of the file are used.
    connection.execute("DELETE FROM leads_access.erasures")
    ledger.note(connection, Target("a fourth"))
    synchronize(connection, file)
    connection.execute("INSERT INTO users (user_id) VALUES ('tenant 7'), ('another'), ('a fourth'), ('free')")
    assert {target.user_id for _, target in find_matches(connection)} == {"tenant 7", "another", "a fourth"}


PLACES = {
    "the read model": "INSERT INTO read_model.lead_conversations (user_id, customer_phone, conversation_id, is_active,"
    " created_at, message_count) VALUES ('tenant 7', '49151000001', 'c', true, now(), 0)",
    "messages alone": "INSERT INTO read_model.lead_messages (user_id, message_id, customer_phone, conversation_id,"
    " sent_at, status) VALUES ('tenant 7', 'm', '49151000001', 'c', now(), 'sent')",
    "keys": "INSERT INTO projector.source_keys VALUES ('contact', 'k', 'tenant 7', '49151000001')",
    "dead letters": "INSERT INTO projector.dead_letters VALUES ('contacts', 'k', 'tenant 7', '49151000001', '', 1,"
    " now(), now())",
    "drift": "INSERT INTO projector.drift (kind, user_id, customer_phone, key, fields, first_field, found_at, seen_at)"
    " VALUES ('lead', 'tenant 7', '49151000001', '', 1, '', now(), now())",
    "the source": "INSERT INTO users (user_id) VALUES ('tenant 7');"
    " INSERT INTO contacts (contact_id, user_id, phone) VALUES ('k', 'tenant 7', '+49 151 000001')",
}


def test_who_is_there_again_is_found(connection: Connection) -> None:
    for target in (LEAD, Target("tenant 7", "4915100000"), Target("tenant 8")):
        ledger.finish(connection, ledger.note(connection, target))
    assert find_matches(connection) == []
    for place, row in PLACES.items():
        with connection.transaction(force_rollback=True):
            connection.execute(row.encode(), prepare=False)
            assert [target for _, target in find_matches(connection)] == [LEAD], place
    connection.execute(PLACES["the source"].encode(), prepare=False)
    ledger.note(connection, TENANT)
    assert [target for _, target in find_matches(connection)] == [TENANT, LEAD]


def test_a_file_that_is_no_ledger_is_named_and_left(connection: Connection, tmp_path: Path) -> None:
    file = tmp_path / "erased.jsonl"
    ledger.note(connection, LEAD)
    with pytest.raises(ProjectorError, match="cannot be used: No such file or directory"):
        synchronize(connection, tmp_path / "missing" / "erased.jsonl")
    synchronize(connection, file)
    good = file.read_text()
    said = r"Line 2 of the ledger file .*erased\.jsonl is no line of a ledger"
    for text in ("no JSON\n", "[]\n", '{"erasure_id": "x"}\n', '{"erasure_id": 7}\n', '{"erasure_id": "'):
        file.write_text(good + text)
        with pytest.raises(ProjectorError, match=said):
            synchronize(connection, file)
        assert file.read_text() == good + text
