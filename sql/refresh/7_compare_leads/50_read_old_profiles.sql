-- Read what the read model holds of the profiles of the stale leads.
INSERT INTO old_profiles ({columns.lead_profiles})
{stored.lead_profiles of stale_leads};
