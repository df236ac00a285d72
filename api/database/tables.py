"""The tables and columns of the read model that the API reads; the database may have others."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(schema="read_model")

_TIME = DateTime(timezone=True)


def _table(name: str, columns: Mapping[Any, str]) -> Table:
    """Return a table with the columns of each type."""
    return Table(
        name, metadata, *(Column(column, kind) for kind, names in columns.items() for column in names.split())
    )


tenants = _table(
    "tenants",
    {
        Text: "user_id",
        BigInteger: "version pruned_version pruned_status_version",
        Integer: "dead_letters",
        Uuid: "version_id epoch",
        _TIME: "late_as_of",
    },
)

message_counts = _table("message_counts", {Text: "user_id", _TIME: "hour", Integer: "messages"})

tenant_names = _table("tenant_names", {Text: "user_id name"})

# A view of the existing tenants, without their data.
tenant_ids = _table("tenant_ids", {Text: "user_id"})

# A view of one row: how many tenants are late, and the as_of of the tenant that is furthest behind.
late_tenants = _table("late_tenants", {BigInteger: "tenants", _TIME: "as_of"})

leads = _table(
    "leads",
    {
        Text: "user_id customer_phone lead_status document last_message_sender",
        _TIME: "last_message_at first_contact_at waiting_since reply_window_ends_at last_customer_message_at"
        " status_since first_warm_at first_hot_at",
        Integer: "total_messages total_score",
        Boolean: "on_whatsapp on_instagram on_webchat has_extraction has_email has_conversation was_cold",
        ARRAY(Text): "other_platforms",
        BigInteger: "version",
    },
)

lead_tombstones = _table("lead_tombstones", {Text: "user_id customer_phone", BigInteger: "version"})

_OF_STATUS = "user_id customer_phone lead_status extraction_id conversation_id"
lead_status_changes = _table(
    "lead_status_changes",
    {Text: _OF_STATUS, _TIME: "changed_at", Integer: "total_score", BigInteger: "version"},
)
status_change_tombstones = _table(
    "status_change_tombstones",
    {Text: _OF_STATUS, _TIME: "changed_at", Integer: "total_score", BigInteger: "version"},
)

# A view of the profiles of the session's tenant: row security on the table would keep LIKE from using its index.
lead_profiles = _table(
    "lead_profiles_of_tenant",
    {
        Text: "user_id customer_phone name email company lead_status name_key search_text search_plain",
        Integer: "total_score",
        Boolean: "has_extraction",
        JSONB: "attributes",
    },
)

# A view like that of the profiles, for filters by attributes: `@>` is not leakproof either.
lead_conversations = _table(
    "lead_conversations_of_tenant",
    {
        Text: "user_id customer_phone conversation_id agent_id agent_name platform phone_number_id",
        Boolean: "is_active",
        Integer: "message_count",
        JSONB: "attributes",
    },
)

lead_messages = _table(
    "lead_messages",
    {
        Text: "user_id message_id customer_phone conversation_id sender status text",
        _TIME: "sent_at",
        Integer: "sequence_no",
    },
)

# A view of the messages as lines of an export.
message_lines = _table(
    "message_lines",
    {
        Text: "user_id message_id customer_phone conversation_id line",
        _TIME: "sent_at",
        Integer: "sequence_no",
    },
)

_COUNTED = {
    Text: "user_id lead_status",
    Integer: "total_score leads",
    Boolean: "on_whatsapp on_instagram on_webchat has_extraction has_email",
}
lead_counts = _table("lead_counts", _COUNTED)
lead_daily_counts = _table("lead_daily_counts", {**_COUNTED, Date: "day"})

lead_totals = _table(
    "lead_totals",
    {
        Text: "user_id granularity",
        _TIME: "bucket_start",
        Integer: "leads with_extraction with_email hot warm cold on_whatsapp on_instagram on_webchat"
        " last_from_user last_from_agent without_conversation with_reply_window",
    },
)

attribute_counts = _table("attribute_counts", {Text: "user_id level name value_type", Integer: "leads"})

# Each shard has a moment in `shards`.
SHARDS = 4
freshness = _table("freshness", {ARRAY(_TIME): "shards", _TIME: "newest_clock"})

projection = _table(
    "projection",
    {
        _TIME: "built_at proved_at",
        Text: "capture_gap gap_fills feed_problem",
        REAL: "round_done rebuild_done late_after_seconds",
        BigInteger: "open_differences found_differences",
        JSONB: "attributes unfilled",
    },
)

# A view of one row: the server and timeline whose versions of tenants are comparable.
place_of_versions = _table("place_of_versions", {Text: "place"})

row_security = _table("row_security", {Text: "table_name problem"})
