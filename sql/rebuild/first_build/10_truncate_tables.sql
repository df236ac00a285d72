-- Empty the tables: a refresh before the first build, or a build of an earlier installation, may have left rows.
TRUNCATE
    read_model.leads,
    read_model.lead_profiles,
    read_model.lead_conversations,
    read_model.lead_messages,
    read_model.lead_counts,
    read_model.lead_daily_counts,
    read_model.lead_totals,
    projector.source_keys;
