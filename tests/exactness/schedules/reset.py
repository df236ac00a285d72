"""Gives a database the rows back that it had, for the next schedule."""

from projector.database.rows import Connection

_OURS = (
    "read_model.leads", "read_model.lead_profiles", "read_model.lead_conversations", "read_model.lead_messages",
    "read_model.lead_counts", "read_model.lead_daily_counts", "read_model.lead_totals", "read_model.message_counts",
    "read_model.attribute_counts", "read_model.lead_status_changes", "read_model.status_change_tombstones",
    "read_model.lead_tombstones", "read_model.tenants", "read_model.tenant_names", "read_model.freshness",
    "projector.source_keys", "projector.dead_letters", "projector.late_keys", "projector.runs",
)  # fmt: skip

# The replica role writes rows in any order of the tables. What the triggers would queue then is not queued.
_RESET = """
CREATE FUNCTION schedules.reset() RETURNS void LANGUAGE plpgsql SET session_replication_role = replica AS $$ BEGIN
    {commands}
    DELETE FROM projector.changes;
END $$;
CREATE FUNCTION schedules.leave_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER leave_out BEFORE INSERT ON projector.changes FOR EACH ROW EXECUTE FUNCTION schedules.leave_out();
ALTER TABLE projector.changes ENABLE REPLICA TRIGGER leave_out
"""


def make_reset(conn: Connection) -> None:
    """Note what a database has, in which nothing waits, for `SELECT schedules.reset()`."""
    theirs = conn.execute("SELECT format('public.%I', tablename) FROM pg_tables WHERE schemaname = 'public'")
    commands = ""
    conn.execute("CREATE SCHEMA schedules")
    for table in (*(name for (name,) in theirs), *_OURS):
        copy = f"schedules.{table.replace('.', '_')}"
        conn.execute(f"CREATE TABLE {copy} AS TABLE {table}".encode())
        commands += f"DELETE FROM {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE {copy};\n"
    # A batch that finds nothing does not move a moment that is younger than a second.
    conn.execute(
        "UPDATE schedules.read_model_freshness SET as_of = as_of - interval '1 minute',"
        " shards = ARRAY(SELECT s - interval '1 minute' FROM unnest(shards) AS s)"
    )
    conn.execute(_RESET.format(commands=commands).encode(), prepare=False)
