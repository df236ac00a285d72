"""The tables of the model of leads, by their qualified names."""

LEAD_TABLES = (
    "read_model.leads",
    "read_model.lead_profiles",
    "read_model.lead_conversations",
    "read_model.lead_messages",
)
"""The rows of leads, which the steps of a refresh recompute lead by lead."""

STATISTICS = (
    "read_model.lead_counts",
    "read_model.lead_daily_counts",
    "read_model.lead_totals",
    "read_model.message_counts",
)
"""What the leads and messages of a tenant add up to."""

SOURCE_KEYS = "projector.source_keys"
"""The key table, which is recomputed with the leads."""

TABLES = (*LEAD_TABLES, *STATISTICS, SOURCE_KEYS)
"""Everything that follows from source rows, which a first build fills."""

PLACES_OF_LEADS = ("(SELECT k.* FROM projector.source_keys AS k WHERE k.kind <> 'contact')", *LEAD_TABLES)
"""Where a lead may be, rightly or not: among the keys that make one, or in a table."""
