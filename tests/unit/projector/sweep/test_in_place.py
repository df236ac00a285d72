"""A rebuild in place: it finds every row that is wrong, mends it, and writes nothing else."""

from collections.abc import Iterator, Sequence
from random import Random

import pytest

from projector.core.pipeline import BatchResult
from projector.core.refresh import refresh
from projector.database.sql import Step, definition, steps
from projector.report.errors import TenantNotFoundError
from projector.report.progress import QUIET
from projector.sweep import compare, statistics
from projector.sweep import rebuild as in_place
from projector.sweep.compare import find_candidates
from projector.sweep.leads import LeadKey, create_tables, rebuild_leads
from projector.sweep.pieces import find_leads
from projector.sweep.rebuild import rebuild
from tests.support.mutations import mutate
from tests.support.running import value
from tests.support.server import Database
from tests.unit.projector.sweep.contents import (
    LEAD_TABLES,
    NOW,
    STATISTICS,
    TABLES,
    Connection,
    assert_as_the_oracle,
    contents,
    rebuild_now,
    tenant_versions,
    versions,
)

CAPTURED = [
    "agents",
    "conversations",
    "messages",
    "extractions",
    "contacts",
    "templates",
    "template_sends",
    "phone_numbers",
    "users",
]

# A value of each type that is another one.
ANOTHER = {
    "text": "coalesce({0}, '') || 'x'",
    "boolean": "NOT {0}",
    "integer": "coalesce({0}, 0) + 1",
    "timestamp with time zone": "coalesce({0}, '2000-01-01') + interval '1 day'",
    "date": "{0} + 1",
    "uuid": "gen_random_uuid()",
}

A_LEAD = (
    "(SELECT min(user_id || '/' || customer_phone) FROM read_model.leads"
    " WHERE total_messages > 1 AND user_id = 'u')"
)
THE_LEAD = f"user_id || '/' || customer_phone = {A_LEAD}"
THE_KEY = "(SELECT jsonb_build_object('user_id', user_id, 'customer_phone', customer_phone)"
THE_KEY += f" FROM read_model.leads WHERE {THE_LEAD})"


def copied(table: str, changed: str, which: str = "true") -> str:
    """A row of a table once more, with some columns changed, as a JSON object."""
    return (
        f"INSERT INTO read_model.{table} SELECT (x.l).* FROM (SELECT jsonb_populate_record(l, {changed}) AS l"
        f" FROM read_model.{table} AS l WHERE {which} ORDER BY user_id, customer_phone DESC LIMIT 1) AS x"
    )


EXTRA = {
    "a lead without a source": copied("leads", """'{"customer_phone": "nobody"}'"""),
    "a profile without a source": copied("lead_profiles", """'{"customer_phone": "nobody"}'"""),
    "a conversation without a source": copied("lead_conversations", """'{"conversation_id": "nobody"}'"""),
    "a conversation of a lead that does not exist": copied(
        "lead_conversations", """'{"customer_phone": "nobody"}'"""
    ),
    "a message without a source": copied("lead_messages", """'{"message_id": "nobody"}'"""),
    "a message of a tenant that does not exist": copied("lead_messages", """'{"user_id": "nobody"}'"""),
    "a message of a lead that does not exist": copied(
        "lead_messages", """'{"message_id": "m", "customer_phone": "nobody"}'"""
    ),
    "a conversation that another lead has": copied(
        "lead_conversations", THE_KEY, f"user_id = 'u' AND NOT {THE_LEAD}"
    ),
    "messages under another lead of their tenant": "UPDATE read_model.lead_messages SET customer_phone ="
    f" split_part({A_LEAD}, '/', 2) WHERE user_id = 'u' AND NOT {THE_LEAD}",
    "messages in a conversation of another lead": "UPDATE read_model.lead_messages"
    " SET (customer_phone, conversation_id) ="
    f" (SELECT customer_phone, conversation_id FROM read_model.lead_conversations WHERE {THE_LEAD} LIMIT 1)"
    f" WHERE user_id = 'u' AND NOT {THE_LEAD}",
    "messages under another tenant": "UPDATE read_model.lead_messages SET user_id = 'v' WHERE user_id = 'u'",
    "all of one lead under another": ";".join(
        f"UPDATE read_model.{table} SET customer_phone = 'nobody' WHERE {THE_LEAD}"
        for table in reversed(LEAD_TABLES)
    ),
    "statistics of no lead": "INSERT INTO read_model.lead_totals VALUES"
    " ('u', 'hour', '2001-01-01', 1, 0, 0, 1, 0, 0, 0, 0, 0),"
    " ('nobody', 'all', '-infinity', 1, 0, 0, 1, 0, 0, 0, 0, 0)",
    "counts of no lead": "INSERT INTO read_model.lead_counts"
    " VALUES ('nobody', 'Hot', 1, true, true, true, true, true, 1)",
    "daily counts of no lead": "INSERT INTO read_model.lead_daily_counts"
    " VALUES ('u', '2001-01-01', 'Hot', 1, true, true, true, true, true, 1)",
    "keys without a source": "INSERT INTO projector.source_keys VALUES ('conversation', 'x', 'u', '1'),"
    " ('contact', 'x', 'u', '1'), ('template_send', 'x', 'nobody', '1')",
    "keys of another lead": "UPDATE projector.source_keys SET customer_phone = '1' WHERE user_id = 'u'",
    "keys of another tenant": "UPDATE projector.source_keys SET user_id = 'v' WHERE user_id = 'u'",
    "keys of a tenant that does not exist": "UPDATE projector.source_keys SET user_id = 'nobody'"
    " WHERE kind = 'contact'",
}


def disable_triggers(conn: Connection) -> None:
    for table in CAPTURED[:-1]:
        conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())


def types_of(conn: Connection, table: str) -> dict[str, str]:
    found = conn.execute(
        "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass"
        " AND attnum > 0 AND NOT attisdropped",
        (table,),
    )
    return dict(found.fetchall())


def test_a_right_model_is_not_written(filled: Connection) -> None:
    before, tenants = versions(filled), tenant_versions(filled)
    built_at = value(filled, "SELECT built_at FROM read_model.projection")
    report = rebuild_now(filled)
    assert report.leads >= value(filled, "SELECT count(*) FROM read_model.leads")
    assert report.messages == 0
    assert versions(filled) == before
    assert tenant_versions(filled) == tenants
    assert value(filled, "SELECT built_at FROM read_model.projection") > built_at
    assert value(filled, "SELECT count(*) FROM projector.sweep_positions") == 0


def test_a_wrong_value_of_any_column_is_mended(filled: Connection) -> None:
    before = contents(filled)
    for table in TABLES:
        for column, kind in types_of(filled, table).items():
            # A version is no part of what a lead is.
            if (table, column) == ("projector.source_keys", "kind") or column in {"granularity", "version"}:
                continue
            filled.execute(
                f"UPDATE {table} SET {column} = {ANOTHER[kind].format(column)} WHERE ctid ="
                f" (SELECT t.ctid FROM {table} AS t ORDER BY t::text DESC OFFSET 5 LIMIT 1)".encode()
            )
            assert contents(filled) != before, (table, column)
            rebuild_now(filled)
            assert contents(filled) == before, (table, column)


def test_of_a_lead_that_differs_only_the_row_that_differs_is_written(filled: Connection) -> None:
    for table, column in {
        "leads": "total_messages",
        "lead_profiles": "template_sends_count",
        "lead_messages": "sequence_no",
        "lead_conversations": "message_count",
    }.items():
        which = f"ctid = (SELECT max(ctid) FROM read_model.{table})"
        filled.execute(f"UPDATE read_model.{table} SET {column} = 999 WHERE {which}".encode())
        before = versions(filled)
        rebuild_now(filled)
        changed = {name: len(set(found) - set(before[name])) for name, found in versions(filled).items()}
        assert changed == {name: int(name == f"read_model.{table}") for name in TABLES}


def make_leads_agree(conn: Connection) -> None:
    """Make the conversations and the leads of the read model what its messages say."""
    read = {"counted_messages": "lead_messages", "newest_messages": "lead_messages"}
    read |= {"new_profiles": "lead_profiles", "new_conversations": "lead_conversations"}
    given = ", ".join(f"{name} AS (SELECT r.* FROM read_model.{table} AS r)" for name, table in read.items())
    given += f", last_messages AS ({definition('last_messages')})"
    conn.execute(
        f"WITH {given} UPDATE read_model.lead_conversations AS c SET message_count = t.message_count,"
        " first_message_at = t.first_message_at, newest_message_at = t.newest_message_at"
        f" FROM ({definition('message_totals')}) AS t WHERE (t.user_id, t.customer_phone, t.conversation_id)"
        " = (c.user_id, c.customer_phone, c.conversation_id)".encode(),
    )
    conn.execute(
        f"WITH {given} UPDATE read_model.leads AS l SET document = d.document, total_messages = d.total_messages,"
        " last_message_at = d.last_message_at, first_contact_at = d.first_contact_at, on_whatsapp = d.on_whatsapp,"
        f" on_instagram = d.on_instagram, on_webchat = d.on_webchat FROM ({definition('leads')}) AS d"
        " WHERE (d.user_id, d.customer_phone) = (l.user_id, l.customer_phone)".encode()
    )


def every_kind_of_drift() -> dict[str, str]:
    """Statements after which a table of the read model is not what it has to be."""
    missing = {
        f"rows of {table} where {which}": f"DELETE FROM {table} WHERE {which}"
        for table in TABLES
        for which in (f"ctid = (SELECT max(ctid) FROM {table})", "user_id = 'v'", "true")
    }
    column = dict.fromkeys(STATISTICS, "leads") | {
        "leads": "document",
        "lead_profiles": "company",
        "lead_conversations": "agent_name",
        "lead_messages": "status",
    }
    values = {
        f"a wrong value of {table}": f"UPDATE read_model.{table} SET {column[table]} ="
        f" {'leads + 1' if table in STATISTICS else repr('failing')} WHERE user_id = 'v'"
        for table in (*LEAD_TABLES, *STATISTICS)
    }
    return {**missing, **values, **EXTRA}


def of_tenants(conn: Connection) -> dict[str, list[list[str]]]:
    """What the API can print of each tenant."""
    found = {}
    for user_id in ("u", "v", "w", "nobody"):
        found[user_id] = [
            value(
                conn,
                f"SELECT array_agg(t::text ORDER BY t::text) FROM read_model.{table} AS t WHERE user_id = %s",
                user_id,
            )
            for table in (*LEAD_TABLES, *STATISTICS)
        ]
    return {user_id: rows for user_id, rows in found.items() if any(rows)}


def test_every_drift_is_mended_and_moves_the_versions_of_the_tenants_that_it_changes(
    filled: Connection,
) -> None:
    right = contents(filled)
    for drift, statement in every_kind_of_drift().items():
        agrees = (
            [False, True] if drift in EXTRA and ("conversation" in drift or "message" in drift) else [False]
        )
        for is_agreed in agrees:
            filled.execute(statement.encode(), prepare=False)
            if is_agreed:
                make_leads_agree(filled)
            assert contents(filled) != right, drift
            before, versions_before = of_tenants(filled), tenant_versions(filled)
            rebuild_now(filled)
            assert contents(filled) == right, drift
            after, versions_after = of_tenants(filled), tenant_versions(filled)
            changed = {one for one in {*before, *after} if before.get(one) != after.get(one)}
            # Where a key was wrong, the leads of both tenants are computed again, which writes nothing.
            assert {
                one for one in versions_after if versions_after[one] != versions_before.get(one)
            } == changed


@pytest.mark.parametrize(
    ("seed", "piece", "share"), [(0, 1, 0), (1, 7, 0), (2, 7, 10**9), (3, 20_000, 0), (4, 20_000, 10**9)]
)
def test_whatever_was_missed_is_mended(
    filled: Connection, monkeypatch: pytest.MonkeyPatch, seed: int, piece: int, share: int
) -> None:
    monkeypatch.setattr(in_place, "PIECE_LEADS", piece)
    monkeypatch.setattr(compare, "LARGE_PIECE_SHARE", share)
    disable_triggers(filled)
    rng = Random(seed)
    for _ in range(40):
        mutate(rng, filled, now=NOW)
    rebuild_now(filled)
    assert_as_the_oracle(filled)
    assert statistics.find_differences(filled, None) == []
    before = versions(filled)
    rebuild_now(filled)
    assert versions(filled) == before


@pytest.mark.parametrize("share", [0, 10**9])
def test_both_ways_to_compare_find_the_same_leads(filled: Connection, share: int) -> None:
    rebuild_now(filled)
    filled.execute(
        "UPDATE read_model.leads SET total_messages = 99 WHERE right(customer_phone, 1) IN ('1', '2')"
    )
    filled.execute("DELETE FROM read_model.lead_messages WHERE right(customer_phone, 1) = '3'")
    filled.execute("UPDATE read_model.lead_profiles SET name = 'x' WHERE right(customer_phone, 1) = '4'")
    filled.execute(
        "UPDATE read_model.lead_conversations SET agent_name = 'x' WHERE right(customer_phone, 1) = '5'"
    )
    create_tables(filled)
    keys = find_leads(filled, ("", ""), None, 10_000)
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(compare, "LARGE_PIECE_SHARE", share)
        found = find_candidates(filled, keys)
    expected = filled.execute(
        "SELECT l.user_id, l.customer_phone FROM read_model.leads AS l WHERE CASE right(customer_phone, 1)"
        " WHEN '1' THEN true WHEN '2' THEN true WHEN '3' THEN total_messages > 0 WHEN '4' THEN true"
        " WHEN '5' THEN EXISTS (SELECT FROM read_model.lead_conversations AS c"
        " WHERE c.user_id = l.user_id AND c.customer_phone = l.customer_phone)"
        " ELSE false END ORDER BY user_id, customer_phone"
    ).fetchall()
    assert found == expected
    assert found


def test_a_piece_is_compared_again_if_the_platform_rewrote_a_table_meanwhile(
    filled_database: Database, filled: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    found: list[LeadKey] = []

    with filled_database.connect() as other:

        def rewrite_and_read(name: str, **relations: str) -> tuple[Step, ...]:
            read.append(name)
            # In the snapshot of the comparison, which finds no contact then.
            if name == "sweep/2_stage/20_read_keys" and read.count(name) <= 2:
                other.execute("ALTER TABLE contacts ALTER COLUMN name TYPE text USING name || ''")
            return steps(name, **relations)

        def note_and_rebuild(
            conn: Connection, keys: Sequence[LeadKey], *rest: object
        ) -> Iterator[BatchResult]:
            found.extend(keys)
            return rebuild_leads(conn, keys, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(compare, "steps", rewrite_and_read)
        monkeypatch.setattr(in_place, "rebuild_leads", note_and_rebuild)
        drifted = filled.execute(
            "UPDATE read_model.leads SET document = '{}' WHERE customer_phone = '917921731533'"
            " RETURNING user_id, customer_phone"
        ).fetchall()
        rebuild_now(filled)
    assert read.count("sweep/4_compare") == 3
    assert found == sorted(drifted)
    assert_as_the_oracle(filled)


def test_where_most_leads_differ_the_next_piece_is_not_compared(
    filled: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(filled)
    monkeypatch.setattr(in_place, "PIECE_LEADS", 10)
    compared: list[int] = []

    def note(conn: Connection, keys: list[tuple[str, str]]) -> list[tuple[str, str]]:
        compared.append(len(keys))
        return find_candidates(conn, keys)

    monkeypatch.setattr(in_place, "find_candidates", note)
    filled.execute("UPDATE read_model.leads SET document = '{}'")
    points: list[str] = []
    rebuild(filled, tenants=None, progress=QUIET, point=points.append)
    assert compared == [10]
    assert points.count("compared") > 3
    assert contents(filled) == before
    compared.clear()
    rebuild_now(filled)
    assert len(compared) == points.count("compared")
    assert contents(filled) == before


def test_after_pieces_that_differ_a_piece_that_does_not_is_left_as_it_is(
    filled: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_place, "PIECE_LEADS", 10)
    before = versions(filled)
    filled.execute("UPDATE read_model.leads SET document = '{}' WHERE user_id = 'u'")
    rebuild_now(filled)
    after = versions(filled)
    for table, found in before.items():
        assert [row for row in found if row.startswith(("(v", "(w"))] == [
            row for row in after[table] if row.startswith(("(v", "(w"))
        ]
    assert_as_the_oracle(filled)


def test_several_tenants_are_compared_in_one_piece(filled: Connection) -> None:
    before = contents(filled)
    filled.execute(
        "UPDATE read_model.leads SET document = '{}' WHERE (user_id, customer_phone) IN"
        " (SELECT user_id, min(customer_phone) FROM read_model.leads GROUP BY user_id)"
    )
    points: list[str] = []
    rebuild(filled, tenants=None, progress=QUIET, point=points.append)
    assert points == ["compared", "locked", "recomputed", "written"]
    assert contents(filled) == before


def test_only_the_tenants_that_are_asked_for_are_mended(filled: Connection) -> None:
    before = contents(filled)
    drift = "; ".join(f"UPDATE read_model.{table} SET user_id = user_id || 'x'" for table in STATISTICS)
    filled.execute(f"UPDATE read_model.leads SET document = '{{}}'; {drift}".encode())
    built_at = value(filled, "SELECT built_at FROM read_model.projection")
    rebuild_now(filled, ["u", "w"])
    assert value(
        filled, "SELECT array_agg(DISTINCT user_id) FROM read_model.leads WHERE document = '{}'"
    ) == ["v"]
    assert value(filled, "SELECT built_at FROM read_model.projection") == built_at
    run = "SELECT tenants FROM projector.runs ORDER BY run_id DESC LIMIT 1"
    assert value(filled, run) == ["u", "w"]
    rebuild_now(filled, ["v"])
    for table in LEAD_TABLES:
        assert contents(filled)[f"read_model.{table}"] == before[f"read_model.{table}"]
    assert statistics.find_differences(filled, ["u", "v", "w"]) == []
    nobodies = value(filled, "SELECT array_agg(DISTINCT user_id || 'x') FROM read_model.leads")
    assert {found.user_id for found in statistics.find_differences(filled, None)} == set(nobodies)


def test_a_tenant_that_is_gone_is_emptied(filled: Connection) -> None:
    disable_triggers(filled)
    filled.execute("DELETE FROM users WHERE user_id = 'v'")
    rebuild_now(filled, ["v"])
    for table in TABLES:
        assert value(filled, f"SELECT count(*) FROM {table} WHERE user_id = 'v'") == 0, table
    assert tenant_versions(filled)["v"] > 1
    # The cascade of the platform took rows of other tenants with it.
    rebuild_now(filled)
    assert_as_the_oracle(filled)


def test_an_unknown_tenant_is_refused(filled: Connection) -> None:
    with pytest.raises(TenantNotFoundError, match="'nobody'"):
        rebuild_now(filled, ["u", "nobody"])


def test_a_tenant_with_a_changed_lead_has_a_new_version(filled: Connection) -> None:
    before = tenant_versions(filled)
    filled.execute("UPDATE read_model.leads SET document = '{}' WHERE user_id = 'v'")
    rebuild_now(filled)
    after = tenant_versions(filled)
    assert {user_id for user_id in before if after[user_id] != before[user_id]} == {"v"}


def test_a_change_that_waits_stays_in_the_queue(filled: Connection) -> None:
    filled.execute(
        "UPDATE contacts SET name = 'New' WHERE contact_id = (SELECT min(contact_id) FROM contacts)"
    )
    rebuild_now(filled)
    assert value(filled, "SELECT count(*) FROM projector.changes") == 1
    assert_as_the_oracle(filled)


def test_a_rebuild_of_everything_retries_dead_letters(filled: Connection) -> None:
    filled.execute("ALTER TABLE read_model.lead_profiles ADD CONSTRAINT refused CHECK (name <> 'Refused')")
    filled.execute(
        "UPDATE contacts SET name = 'Refused', updated_at = now() WHERE contact_id ="
        " (SELECT key FROM projector.source_keys AS k JOIN read_model.leads AS l USING (user_id, customer_phone)"
        " WHERE k.kind = 'contact' AND NOT l.has_extraction LIMIT 1)"
    )
    refresh(filled, retry_failed=False, progress=QUIET)
    assert value(filled, "SELECT count(*) FROM projector.dead_letters") == 1
    filled.execute("ALTER TABLE read_model.lead_profiles DROP CONSTRAINT refused")
    rebuild_now(filled, ["u", "v", "w"])
    assert value(filled, "SELECT count(*) FROM projector.dead_letters") == 1
    assert value(filled, "SELECT count(*) FROM read_model.lead_profiles WHERE name = 'Refused'") == 1
    rebuild_now(filled)
    assert value(filled, "SELECT count(*) FROM projector.dead_letters") == 0
    assert value(filled, "SELECT sum(dead_letters) FROM read_model.tenants") == 0
    assert_as_the_oracle(filled)
