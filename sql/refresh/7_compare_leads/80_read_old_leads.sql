-- Read what the read model holds of the stale leads, before anything of them is written.
INSERT INTO old_leads ({columns.leads})
{stored.leads of stale_leads};
