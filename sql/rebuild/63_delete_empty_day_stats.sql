-- Delete the rows of lead_daily_counts of a tenant that came to 0. Parameter: user_id.
DELETE FROM read_model.lead_daily_counts AS s
WHERE s.user_id = %(user_id)s AND s.leads = 0;
