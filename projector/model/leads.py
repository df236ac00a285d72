"""The tables that hold leads, by qualified names, and the folders below sql/ that compute and write them."""

from projector.database.sql import query

LEAD_TABLES = (
    "read_model.leads",
    "read_model.lead_profiles",
    "read_model.lead_conversations",
    "read_model.lead_messages",
    "read_model.lead_status_changes",
)
"""The rows of leads, which the steps of a refresh recompute lead by lead."""

STATISTICS = (
    "read_model.lead_counts",
    "read_model.lead_daily_counts",
    "read_model.lead_totals",
    "read_model.message_counts",
    "read_model.attribute_counts",
)
"""The tables with the totals of the leads and messages of a tenant."""

SOURCE_KEYS = "projector.source_keys"
"""The key table, which is recomputed with the leads."""

TOMBSTONES = ("read_model.lead_tombstones", "read_model.status_change_tombstones")
"""The tables from which the feeds report leads and changes of status that are gone."""

TABLES = (*LEAD_TABLES, *STATISTICS, SOURCE_KEYS)
"""Everything that follows from source rows, which a first build fills."""

COMPARE = ("refresh/4_recompute", "refresh/5_compare_messages", "refresh/7_compare_leads")
"""The steps that compute stale leads and find what differs. They write nothing."""

WRITE = (
    "refresh/4_recompute",
    "refresh/5_compare_messages",
    "refresh/6_write_messages",
    "refresh/7_compare_leads",
    "refresh/8_write_history",
    "refresh/8_write_leads",
)
"""The steps that compute stale leads and write them to the read model."""


def places_of_leads() -> tuple[str, ...]:
    """Return the relations in which a lead may be, rightly or not: the keys that make one, and the tables."""
    keys = query("sweep", "keys_of_leads").rstrip(";")
    return (f"({keys})", *LEAD_TABLES)
