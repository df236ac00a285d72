"""The tables of the read model, as far as the API reads them."""

from sqlalchemy import (
    ARRAY,
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

metadata = MetaData(schema="read_model")

_MOMENT = DateTime(timezone=True)

tenants = Table(
    "tenants",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("dead_letters", Integer, nullable=False),
)

leads = Table(
    "leads",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("customer_phone", Text, primary_key=True),
    Column("last_message_at", _MOMENT),
    Column("first_contact_at", _MOMENT, nullable=False),
    Column("total_messages", Integer, nullable=False),
    Column("total_score", Integer),
    Column("lead_status", Text),
    Column("on_whatsapp", Boolean, nullable=False),
    Column("on_instagram", Boolean, nullable=False),
    Column("on_webchat", Boolean, nullable=False),
    Column("has_extraction", Boolean, nullable=False),
    Column("has_email", Boolean, nullable=False),
    Column("document", Text, nullable=False),
)

lead_profiles = Table(
    "lead_profiles",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("customer_phone", Text, primary_key=True),
    Column("name", Text),
    Column("email", Text),
    Column("company", Text),
    Column("lead_status", Text),
    Column("total_score", Integer),
    Column("intent_score", Integer),
    Column("urgency_score", Integer),
    Column("budget_score", Integer),
    Column("fit_score", Integer),
    Column("engagement_score", Integer),
    Column("has_extraction", Boolean, nullable=False),
    Column("extraction_id", Uuid),
    Column("template_sends_count", Integer, nullable=False),
    Column("first_send_at", _MOMENT),
    Column("last_send_at", _MOMENT),
    Column("sent_on_whatsapp", Boolean, nullable=False),
    Column("sent_on_instagram", Boolean, nullable=False),
    Column("sent_on_webchat", Boolean, nullable=False),
    Column("name_key", Text),
    Column("search_text", Text, nullable=False),
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
    Column("created_at", _MOMENT, nullable=False),
    Column("source_last_message_at", _MOMENT),
    Column("message_count", Integer, nullable=False),
    Column("first_message_at", _MOMENT),
    Column("newest_message_at", _MOMENT),
)

lead_messages = Table(
    "lead_messages",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("customer_phone", Text, nullable=False),
    Column("conversation_id", Text, nullable=False),
    Column("sent_at", _MOMENT, nullable=False),
    Column("sequence_no", Integer),
    Column("sender", Text),
    Column("status", Text, nullable=False),
    Column("text", Text),
)


def _facets() -> list[Column[object]]:
    """The columns that lead_counts and lead_daily_counts count by."""
    return [
        Column("lead_status", Text),
        Column("total_score", Integer),
        Column("on_whatsapp", Boolean, nullable=False),
        Column("on_instagram", Boolean, nullable=False),
        Column("on_webchat", Boolean, nullable=False),
        Column("has_extraction", Boolean, nullable=False),
        Column("has_email", Boolean, nullable=False),
    ]


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
    Column("bucket_start", _MOMENT, primary_key=True),
    Column("leads", Integer, nullable=False),
    Column("with_extraction", Integer, nullable=False),
    Column("with_email", Integer, nullable=False),
    Column("hot", Integer, nullable=False),
    Column("warm", Integer, nullable=False),
    Column("cold", Integer, nullable=False),
    Column("on_whatsapp", Integer, nullable=False),
    Column("on_instagram", Integer, nullable=False),
    Column("on_webchat", Integer, nullable=False),
)

freshness = Table(
    "freshness",
    metadata,
    Column("only_row", Boolean, primary_key=True),
    Column("as_of", _MOMENT, nullable=False),
    Column("shards", ARRAY(_MOMENT), nullable=False),
)

projection = Table(
    "projection",
    metadata,
    Column("only_row", Boolean, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("built_at", _MOMENT),
    Column("capture_gap", Text),
)
