-- Read what the read model holds of the stale leads, before anything of it is written.
--
-- for: lead_conversations lead_profiles leads
INSERT INTO old_{table} ({columns.table})
{stored.table of stale_leads};
