-- Read what the read model holds of the conversations of the stale leads.
INSERT INTO old_conversations ({columns.lead_conversations})
{stored.lead_conversations of stale_leads};
