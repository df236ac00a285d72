-- Add to each row of the statistics by how much it moves, in the transaction that moves the leads.
--
-- when: statistics_move
-- for: lead_counts lead_daily_counts lead_totals
-- A row is written if any of its numbers moves: a lead that turns from Hot to Warm moves no count of leads. A message
-- of a lead whose facets stay moves days and hours, and does not touch the row of all leads.
INSERT INTO read_model.{table} AS s ({columns.table})
SELECT {columns.table of d}
FROM ({definition.table}) AS d
WHERE ROW({values.table of d}) <> ROW({zeros.table})
ON CONFLICT ({key.table}) DO UPDATE SET {additions.table of s};
