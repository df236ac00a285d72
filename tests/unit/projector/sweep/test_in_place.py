"""A rebuild in place: it finds every row that is wrong, mends it, and writes nothing else."""

import pytest

from projector.database.rows import Connection
from projector.report.errors import TenantNotFoundError
from tests.exactness.platform import rebuild_now, value
from tests.unit.projector.sweep.contents import LEAD_TABLES, STATISTICS, TABLES, contents

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
    "statistics that never could be": "INSERT INTO read_model.lead_totals VALUES"
    " ('u', 'all', '2025-03-01', 5, 1, 1, 1, 1, 1, 1, 1, 1),"
    " ('u', 'day', '0044-03-15 00:00:00+00 BC', 5, 1, 1, 1, 1, 1, 1, 1, 1),"
    " ('u', 'hour', '10000-01-01 10:00:00+00', 5, 1, 1, 1, 1, 1, 1, 1, 1),"
    " ('u', 'day', '2001-01-01', 0, 1, 1, 1, 1, 1, 1, 1, 1);"
    "INSERT INTO read_model.lead_daily_counts SELECT 'u', day::date, 'Hot', 1, true, true, true, true, true, 5"
    " FROM unnest('{-infinity,infinity,0044-03-15 BC,10000-01-01}'::text[]) AS day",
    "counts of no lead": "INSERT INTO read_model.lead_counts"
    " VALUES ('nobody', 'Hot', 1, true, true, true, true, true, 1)",
    "attributes": "UPDATE read_model.lead_profiles SET attributes = '{\"tags\": [\"x\"]}' WHERE user_id = 'u'",
    "attributes of conversations": "UPDATE read_model.lead_conversations SET attributes = '{\"x\": 1}'",
    "numbers of attributes that are left out": "UPDATE read_model.lead_profiles SET attributes_left_out = 5",
    "counts of an attribute of no lead": "INSERT INTO read_model.attribute_counts"
    " VALUES ('nobody', 'lead', 'x', 'string', 1), ('u', 'conversation', 'x', 'array', 1), ('u', 'lead', 'x', 'y', -1)",
    "daily counts of no lead": "INSERT INTO read_model.lead_daily_counts"
    " VALUES ('u', '2001-01-01', 'Hot', 1, true, true, true, true, true, 1)",
    "keys without a source": "INSERT INTO projector.source_keys VALUES ('conversation', 'x', 'u', '1'),"
    " ('contact', 'x', 'u', '1'), ('template_send', 'x', 'nobody', '1')",
    "keys of another lead": "UPDATE projector.source_keys SET customer_phone = '1' WHERE user_id = 'u'",
    "keys of another tenant": "UPDATE projector.source_keys SET user_id = 'v' WHERE user_id = 'u'",
    "keys of a tenant that does not exist": "UPDATE projector.source_keys SET user_id = 'nobody'"
    " WHERE kind = 'contact'",
}


def every_kind_of_drift() -> dict[str, str]:
    """Statements after which a table of the read model is not what it has to be."""
    missing = {
        f"rows of {table} where {which}": f"DELETE FROM {table} WHERE {which}"
        for table in TABLES
        for which in (f"ctid = (SELECT max(ctid) FROM {table})", "true")
    }
    column = dict.fromkeys(STATISTICS, "leads") | {
        "message_counts": "messages",
        "leads": "document",
        "lead_profiles": "company",
        "lead_conversations": "agent_name",
        "lead_messages": "status",
    }
    values = {
        f"a wrong value of {table}": f"UPDATE read_model.{table} SET {column[table]} ="
        f" {f'{column[table]} + 1' if table in STATISTICS else repr('failing')} WHERE user_id = 'v'"
        for table in (*LEAD_TABLES, *STATISTICS)
    }
    return {**missing, **values, **EXTRA}


def of_tenants(conn: Connection) -> dict[str, list[list[str]]]:
    """What the API can print of each tenant."""
    printed = {}
    for user_id in ("u", "v", "w", "nobody"):
        printed[user_id] = [
            value(
                conn,
                f"SELECT array_agg(t::text ORDER BY t::text) FROM read_model.{table} AS t WHERE user_id = %s",
                user_id,
            )
            for table in (*LEAD_TABLES, *STATISTICS)
        ]
    return {user_id: rows for user_id, rows in printed.items() if any(rows)}


VERSIONS = "SELECT json_object_agg(user_id, version) FROM read_model.tenants"


def test_every_drift_is_mended_and_moves_the_versions_of_the_tenants_that_it_changes(
    filled: Connection,
) -> None:
    right = contents(filled)
    for drift, statement in every_kind_of_drift().items():
        filled.execute(statement.encode(), prepare=False)
        assert contents(filled) != right, drift
        before, versions_before = of_tenants(filled), value(filled, VERSIONS)
        rebuild_now(filled)
        assert contents(filled) == right, drift
        after, versions_after = of_tenants(filled), value(filled, VERSIONS)
        changed = {user_id for user_id in {*before, *after} if before.get(user_id) != after.get(user_id)}
        # Where a key was wrong, the leads of both tenants are computed again, which writes nothing.
        moved = {
            user_id for user_id in versions_after if versions_after[user_id] != versions_before.get(user_id)
        }
        assert moved == changed


def test_an_unknown_tenant_is_refused(filled: Connection) -> None:
    with pytest.raises(TenantNotFoundError, match="'nobody'"):
        rebuild_now(filled, tenants=["u", "nobody"])
