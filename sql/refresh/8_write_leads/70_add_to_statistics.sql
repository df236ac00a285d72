-- Update each row of the statistics, in the transaction that writes the leads.
--
-- when: statistics_move
-- unless: fills
-- for: lead_counts lead_daily_counts lead_totals
-- A row is written if any of its numbers changes: a lead that turns from Hot to Warm does not change the number of
-- leads. A message of a lead whose facets stay the same changes days and hours, but not the row of all leads.
INSERT INTO read_model.{table} AS s ({columns.table})
SELECT {columns.table of d}
FROM ({definition.table}) AS d
WHERE ROW({values.table of d}) <> ROW({zeros.table})
ON CONFLICT ({key.table}) DO UPDATE SET {additions.table of s};
