-- Delete the rows of the statistics in which there is no lead any more.
--
-- when: statistics_shrink
-- for: lead_counts lead_daily_counts lead_totals
-- Only where leads went away can none be left. A day of a large tenant has hundreds of rows: those that differ in a
-- column which is never null are passed over in the index. PostgreSQL guesses that a sign is seldom a given one, and
-- looks up each place; it guesses that a third of all numbers are below zero, and would go through the whole table.
DELETE FROM read_model.{table} AS stored
USING (
    SELECT DISTINCT {lookup.table of d}
    FROM ({definition.table}) AS d
    WHERE sign(d.leads) = -1
) AS moved
WHERE ({lookup.table of stored}) = ({lookup.table of moved})
    AND stored.leads = 0
    {tenants};
