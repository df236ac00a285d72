"""What PostgreSQL keeps of deleted rows: nothing in the files of ours after what `--vacuum` prints."""

import hashlib
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from projector.database.rows import Connection
from projector.operate.erase import erase, rewrite_commands
from projector.operate.erase.ledger import Target
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.trial.postgres.embedded import EmbeddedServer
from tests.support.server import Database, connect
from tests.support.source import SOURCE_TABLES
from tests.unit.projector.erasure import world
from tests.unit.projector.recovering import healed

PAGE = Path(__file__).parents[4] / "docs" / "troubleshooting.md"
TENANT = Target(world.ERASED_TENANT)
NEEDLES = [needle.encode() for needle in world.NEEDLES + world.NEEDLES_OF_TENANT]
# 100 kB that no compression makes small, so that they are in the TOAST tables.
LONG = "SELECT string_agg(md5(n::text), '') FROM generate_series(1, 3000) AS n"
# Out of the middle of it.
NEEDLES.append(hashlib.md5(b"1500", usedforsecurity=False).hexdigest().encode())


def files_of_ours(conn: Connection, server: EmbeddedServer) -> dict[str, bytes]:
    """The files of the database by relation, but for those of the platform's own tables."""
    conn.execute("CHECKPOINT")
    contents: dict[str, bytes] = {}
    relations = conn.execute(
        "WITH source_tables AS (SELECT c.oid, c.reltoastrelid FROM pg_class AS c"
        " WHERE c.relname = any(%s) AND c.relnamespace = 'public'::regnamespace),"
        " theirs AS (SELECT oid FROM source_tables UNION SELECT reltoastrelid FROM source_tables)"
        " SELECT c.oid::regclass::text, pg_relation_filepath(c.oid) FROM pg_class AS c"
        " LEFT JOIN pg_index AS i ON i.indexrelid = c.oid"
        " WHERE pg_relation_filepath(c.oid) IS NOT NULL AND c.relpersistence <> 't'"
        " AND coalesce(i.indrelid, c.oid) NOT IN (SELECT oid FROM theirs)",
        [[table.name for table in SOURCE_TABLES]],
    ).fetchall()
    for name, path in relations:
        for file in [server.data / path, *(server.data / path).parent.glob(f"{Path(path).name}[._]*")]:
            if file.exists():
                contents[f"{name} ({file.name})"] = file.read_bytes()
    return contents


def with_needles(contents: dict[str, bytes]) -> set[str]:
    return {
        name.split(" ")[0]
        for name, content in contents.items()
        if any(needle in content for needle in NEEDLES)
    }


def test_no_byte_is_left_in_the_files_of_ours(start_server: Callable[..., EmbeddedServer]) -> None:
    server = start_server(fast=True, autovacuum="off")
    with (
        closing(connect(server.url())) as conn,
        closing(connect(server.url(), application_name="platform")) as platform,
    ):
        migrate(conn, create_source=True)
        # Stored as it is: what PostgreSQL compresses cannot be found by its bytes.
        for column in ("read_model.lead_messages ALTER text", "read_model.leads ALTER document"):
            platform.execute(f"ALTER TABLE {column} SET STORAGE EXTERNAL".encode())
        world.built_world(conn, platform)
        platform.execute(
            f"INSERT INTO messages (message_id, conversation_id, sender, text)"
            f" VALUES ('needle-message-long', 'needle-conversation', 'user', ({LONG}))".encode()
        )
        healed(conn)
        for table in world.our_tables(platform):
            platform.execute(f"ANALYZE {table}".encode())
        world.delete_tenant(platform)
        world.plant(platform)
        platform.execute("ANALYZE projector.dead_letters, projector.runs, projector.drift")
        before = with_needles(files_of_ours(platform, server))
        assert before >= {
            "read_model.leads", "read_model.leads_pkey", "read_model.lead_messages", "read_model.lead_profiles",
            "read_model.lead_profiles_by_name", "projector.source_keys", "projector.changes",
            "projector.dead_letters", "projector.drift", "projector.runs", "pg_statistic",
        }  # fmt: skip
        assert any(name.startswith("pg_toast.") for name in before)
        erase(conn, TENANT, progress=QUIET)
        # An ordinary VACUUM leaves the bytes: this is why there is an option.
        for table in world.our_tables(platform):
            platform.execute(f"VACUUM {table}".encode())
        assert with_needles(files_of_ours(platform, server))
        # Of a table without rows PostgreSQL keeps the statistics: docs/troubleshooting.md says how to delete them.
        [delete] = re.findall(r"```sql\n(DELETE FROM pg_statistic.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
        platform.execute(delete.encode())
        for command in rewrite_commands(conn):
            platform.execute(command.encode())
        assert with_needles(files_of_ours(platform, server)) == set()


def test_rows_that_an_older_transaction_keeps_in_the_files_are_told(
    built: Connection, other: Connection, database: Database
) -> None:
    notices: list[str] = []
    built.add_notice_handler(lambda notice: notices.append(notice.message_detail or ""))
    commands = [command for command in rewrite_commands(built) if command.endswith(" read_model.leads;")]
    with database.connect() as reader:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM projector.settings")
        other.execute("DELETE FROM read_model.leads")
        for is_kept in (True, False):
            for command in commands:
                built.execute(command.encode())
            assert any("1 dead row versions cannot be removed yet" in said for said in notices) is is_kept
            notices.clear()
            reader.execute("ROLLBACK")
