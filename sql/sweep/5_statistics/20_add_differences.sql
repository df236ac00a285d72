-- Add the differences to rows of the statistics of a tenant.
--
-- for: lead_counts lead_daily_counts lead_totals message_counts attribute_counts
-- Parameter: differences, by table a list of rows with numbers to add. The tenant is locked.
INSERT INTO read_model.{table} AS s ({columns.table})
SELECT {columns.table of d}
FROM jsonb_populate_recordset(NULL::read_model.{table}, %(differences)s -> '{table}') AS d
ON CONFLICT ({key.table}) DO UPDATE SET {additions.table of s};
