-- Delete the rows of the statistics of a tenant that came to 0.
-- for: lead_counts lead_daily_counts lead_totals message_counts attribute_counts
DELETE FROM read_model.{table} AS s
WHERE s.user_id = %(user_id)s AND {amount.table of s} = 0;
