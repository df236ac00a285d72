"""A small platform with ids that a test can choose, and the checks that its read model is exact."""

import json
from typing import Any
from urllib.parse import quote

from projector.core.refresh import refresh
from projector.database.rows import Connection
from projector.database.schema import source_tables
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from projector.sweep.verify import verify
from tests import oracle
from tests.support.running import value as value  # noqa: PLC0414  # Most tests of a platform ask for values.
from tests.support.server import Database


class Platform:
    """Writes source rows through one connection; ids are made so that they fall into a wanted shard of the queue."""

    def __init__(self, conn: Connection, first: int = 0) -> None:
        self.conn = conn
        self._number = first

    @property
    def database(self) -> Database:
        """The database of the connection, for more of them."""
        info = self.conn.info
        host = info.host if not info.host.startswith("/") else quote(info.host, safe="")
        url = f"postgresql://{quote(info.user)}:{quote(info.password)}@{host}:{info.port}/{info.dbname}"
        return Database(url, info.dbname)

    def id(self, prefix: str, shard: int | None = None) -> str:
        """Return a new id, of a shard if one is given."""
        while True:
            self._number += 1
            made = f"{prefix}-{self._number}"
            if shard is None or shard_of(self.conn, made) == shard:
                return made

    def insert(self, table: str, **columns: object) -> None:
        names, marks = ", ".join(columns), ", ".join(f"%({name})s" for name in columns)
        self.conn.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})".encode(), columns)

    def _new(self, table: str, prefix: str, shard: int | None = None, /, **columns: object) -> str:
        """Insert a row with a new id, which is in the first column of its table."""
        made = self.id(prefix, shard)
        self.insert(table, **{source_tables()[table][0]: made}, **columns)
        return made

    def tenant(self, user_id: str) -> str:
        self.insert("users", user_id=user_id)
        return user_id

    def channel(self, user_id: str, platform: str = "whatsapp") -> str:
        return self._new("phone_numbers", "channel", user_id=user_id, platform=platform)

    def agent(self, user_id: str, *, shard: int | None = None, platform: str = "whatsapp") -> str:
        """Insert an agent of a tenant, on a channel of its own."""
        channel = self.channel(user_id, platform)
        return self._new("agents", "agent", shard, user_id=user_id, phone_number_id=channel, name="Ava")

    def conversation(self, agent_id: str, phone: str | None, *, shard: int | None = None) -> str:
        columns = {"agent_id": agent_id, "customer_phone": phone, "created_at": "2025-01-01 00:00:00"}
        return self._new("conversations", "conversation", shard, **columns)

    def message(self, conversation_id: str, text: str = "Hello", at: str = "2025-01-01 10:00:00") -> str:
        columns = {"conversation_id": conversation_id, "sender": "user", "text": text, "timestamp": at}
        return self._new("messages", "message", None, status="sent", **columns)

    def contact(self, user_id: str, phone: str, name: str, *, shard: int | None = None) -> str:
        return self._new("contacts", "contact", shard, user_id=user_id, phone=phone, name=name)

    def template(self, user_id: str, *, shard: int | None = None) -> str:
        channel = self.channel(user_id)
        return self._new("templates", "template", shard, user_id=user_id, phone_number_id=channel)

    def send(self, template_id: str, phone: str, *, shard: int | None = None) -> str:
        """Insert a counted send of a template."""
        columns = {"template_id": template_id, "customer_phone": phone, "sent_at": "2025-01-02 00:00:00"}
        return self._new("template_sends", "send", shard, status="SENT", **columns)


def shard_of(conn: Connection, key: str) -> int:
    return int(value(conn, "SELECT projector.shard_of(%s)", key))


def refresh_now(conn: Connection) -> None:
    """Refresh as the command line does it."""
    refresh(conn, retry_failed=True, progress=QUIET)


def rebuild_now(conn: Connection, *, first: bool = False, **options: Any) -> None:  # noqa: ANN401  # Those of rebuild.
    """Rebuild as the command line does it: the first build of a read model, or in place."""
    if first:
        forget_build(conn)
    rebuild(conn, **{"tenants": None, "progress": QUIET, **options})


def forget_build(conn: Connection) -> None:
    """Let the read model count as never built, whatever its tables hold."""
    conn.execute("UPDATE read_model.projection SET built_at = NULL")


def put_back(conn: Connection) -> None:
    """Give the source tables the rows that they had when this was first called, for the next case of a test."""
    tables = source_tables()
    if value(conn, "SELECT to_regnamespace('kept') IS NULL"):
        conn.execute("CREATE SCHEMA kept")
        for table in tables:
            conn.execute(f"CREATE TABLE kept.{table} AS TABLE public.{table}".encode())
        return
    conn.execute("SET session_replication_role = origin")
    conn.execute(f"TRUNCATE {', '.join(tables)}".encode())
    for table in tables:
        conn.execute(f"INSERT INTO public.{table} TABLE kept.{table}".encode())
    refresh_now(conn)


def document(conn: Connection, user_id: str, phone: str) -> dict[str, Any] | None:
    """Return a lead as it is printed, or None."""
    text = value(
        conn,
        "SELECT document FROM read_model.leads WHERE user_id = %s AND customer_phone = %s",
        user_id,
        phone,
    )
    return None if text is None else json.loads(text)


def texts(conn: Connection, user_id: str, phone: str) -> list[str]:
    """Return the texts of a lead's messages, sorted."""
    rows = conn.execute(
        "SELECT text FROM read_model.lead_messages WHERE user_id = %s AND customer_phone = %s ORDER BY text",
        (user_id, phone),
    ).fetchall()
    return [row[0] for row in rows]


def waiting(conn: Connection) -> list[tuple[str, list[str]]]:
    """Return the kinds and the sorted keys of the changes that wait, and of the late keys."""
    rows = conn.execute("SELECT kind, keys FROM projector.changes ORDER BY change_id").fetchall()
    # The previous version has no late keys.
    if value(conn, "SELECT to_regclass('projector.late_keys') IS NOT NULL"):
        rows += conn.execute("SELECT kind, ARRAY[key] FROM projector.late_keys").fetchall()
    return [(kind, sorted(keys)) for kind, keys in rows]


def assert_at_rest(conn: Connection) -> None:
    """Assert that no change waits, and that none was set aside."""
    assert waiting(conn) == [], f"changes wait: {waiting(conn)[:5]}"
    letters = conn.execute("SELECT kind, key, error FROM projector.dead_letters").fetchall()
    assert letters == [], f"dead letters: {letters}"


def assert_exact(conn: Connection) -> None:
    """Assert that read model and keys, at rest, are what the source rows say, in every table and field."""
    assert_at_rest(conn)
    sentences = differences(conn)
    assert not sentences, "\n".join(sentences[:20])


def differences(conn: Connection) -> list[str]:
    """Return where the read model and the keys differ from the source rows."""
    model = oracle.read_model(conn)
    return oracle.differences_of_tables(oracle.expected_tables(model), oracle.read_tables(conn))


def assert_verified(conn: Connection) -> None:
    """Assert that the read model is exact, and that verify, which reads the rows its own way, says so too."""
    assert_exact(conn)
    report = verify(conn, tenants=None, sample=None, heal=False, progress=QUIET)
    assert report.drifts == [], f"drift: {report.drifts[:5]}"
    assert report.left_out == 0, f"{report.left_out} leads are left out"
