"""The tables and columns of the read model that the API reads; the database may have others."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)

metadata = MetaData(schema="read_model")

_TIME = DateTime(timezone=True)

tenants = Table(
    "tenants",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("dead_letters", Integer, nullable=False),
    Column("version_id", Uuid, nullable=False),
    Column("epoch", Uuid, nullable=False),
    Column("pruned_version", BigInteger, nullable=False),
)

# A view, whose rows are no data of a tenant: only that it is there.
tenant_ids = Table("tenant_ids", metadata, Column("user_id", Text, primary_key=True))

leads = Table(
    "leads",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("customer_phone", Text, primary_key=True),
    Column("last_message_at", _TIME),
    Column("first_contact_at", _TIME, nullable=False),
    Column("total_messages", Integer, nullable=False),
    Column("total_score", Integer),
    Column("lead_status", Text),
    Column("on_whatsapp", Boolean, nullable=False),
    Column("on_instagram", Boolean, nullable=False),
    Column("on_webchat", Boolean, nullable=False),
    Column("has_extraction", Boolean, nullable=False),
    Column("has_email", Boolean, nullable=False),
    Column("document", Text, nullable=False),
    Column("last_message_sender", Text),
    Column("has_conversation", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
)

lead_tombstones = Table(
    "lead_tombstones",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("customer_phone", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
)

# A view of the profiles of the tenant that the session has named: row security on the table would keep LIKE from its
# index.
lead_profiles = Table(
    "lead_profiles_of_tenant",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("customer_phone", Text, primary_key=True),
    Column("name", Text),
    Column("email", Text),
    Column("company", Text),
    Column("lead_status", Text),
    Column("total_score", Integer),
    Column("has_extraction", Boolean, nullable=False),
    Column("name_key", Text),
    Column("search_text", Text, nullable=False),
    Column("search_plain", Text),
)

lead_conversations = Table(
    "lead_conversations",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("customer_phone", Text, primary_key=True),
    Column("conversation_id", Text, primary_key=True),
    Column("agent_id", Text),
    Column("agent_name", Text),
    Column("platform", Text),
    Column("phone_number_id", Text),
    Column("is_active", Boolean, nullable=False),
    Column("message_count", Integer, nullable=False),
)

lead_messages = Table(
    "lead_messages",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("customer_phone", Text, nullable=False),
    Column("conversation_id", Text, nullable=False),
    Column("sent_at", _TIME, nullable=False),
    Column("sequence_no", Integer),
    Column("sender", Text),
    Column("status", Text, nullable=False),
    Column("text", Text),
)


def _facets() -> list[Column[object]]:
    """Returns the columns that lead_counts and lead_daily_counts count leads by."""
    return [
        Column("lead_status", Text),
        Column("total_score", Integer),
        Column("on_whatsapp", Boolean, nullable=False),
        Column("on_instagram", Boolean, nullable=False),
        Column("on_webchat", Boolean, nullable=False),
        Column("has_extraction", Boolean, nullable=False),
        Column("has_email", Boolean, nullable=False),
    ]


# A view: a message as a line of an export.
message_lines = Table(
    "message_lines",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("customer_phone", Text, nullable=False),
    Column("conversation_id", Text, nullable=False),
    Column("sent_at", _TIME, nullable=False),
    Column("sequence_no", Integer),
    Column("line", Text, nullable=False),
)

lead_counts = Table(
    "lead_counts",
    metadata,
    Column("user_id", Text, nullable=False),
    *_facets(),
    Column("leads", Integer, nullable=False),
)

lead_daily_counts = Table(
    "lead_daily_counts",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("day", Date, nullable=False),
    *_facets(),
    Column("leads", Integer, nullable=False),
)

lead_totals = Table(
    "lead_totals",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("granularity", Text, primary_key=True),
    Column("bucket_start", _TIME, primary_key=True),
    Column("leads", Integer, nullable=False),
    Column("with_extraction", Integer, nullable=False),
    Column("with_email", Integer, nullable=False),
    Column("hot", Integer, nullable=False),
    Column("warm", Integer, nullable=False),
    Column("cold", Integer, nullable=False),
    Column("on_whatsapp", Integer, nullable=False),
    Column("on_instagram", Integer, nullable=False),
    Column("on_webchat", Integer, nullable=False),
    Column("last_from_user", Integer, nullable=False),
    Column("last_from_agent", Integer, nullable=False),
    Column("without_conversation", Integer, nullable=False),
)

freshness = Table("freshness", metadata, Column("as_of", _TIME, nullable=False))

projection = Table(
    "projection",
    metadata,
    Column("built_at", _TIME),
    Column("capture_gap", Text),
    Column("feed_problem", Text),
    Column("proved_at", _TIME),
    Column("round_done", REAL),
    Column("open_differences", BigInteger, nullable=False),
    Column("found_differences", BigInteger, nullable=False),
)

# A view of one row: in which place versions of tenants mean something.
place_of_versions = Table("place_of_versions", metadata, Column("place", Text, nullable=False))

row_security = Table(
    "row_security",
    metadata,
    Column("table_name", Text, nullable=False),
    Column("problem", Text),
)

# Apart from the read model, which can be served without it where no API keys are accepted.
access_metadata = MetaData(schema="leads_access")

api_keys = Table(
    "api_keys",
    access_metadata,
    Column("prefix", Text, primary_key=True),
    Column("key_hash", LargeBinary, nullable=False),
    Column("user_id", Text),
    Column("all_tenants", Boolean, nullable=False),
    Column("expires_at", _TIME),
    Column("revoked_at", _TIME),
)
