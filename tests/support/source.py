"""The platform's tables of the default mapping, as `migrate` notes them where nothing is missing."""

from projector.capture.mapping import default_mapping
from projector.database.source_names import SourceTable

_COLUMNS = default_mapping().tables()


def _table(name: str, primary_key: str, queue_key: str = "") -> SourceTable:
    return SourceTable(
        name=name,
        schema="public",
        primary_key=primary_key,
        columns=list(_COLUMNS[name]),
        kind="tenants" if name == "users" else name,
        queue_key=queue_key or primary_key,
        has_ids=name == "messages",
    )


SOURCE_TABLES = (
    _table("users", "user_id"),
    _table("phone_numbers", "id"),
    _table("agents", "agent_id"),
    _table("conversations", "conversation_id"),
    _table("messages", "message_id", "conversation_id"),
    _table("extractions", "extraction_id", "conversation_id"),
    _table("contacts", "contact_id"),
    _table("templates", "template_id"),
    _table("template_sends", "send_id"),
)
CAPTURED_TABLES = tuple(table for table in SOURCE_TABLES if table.kind is not None)
