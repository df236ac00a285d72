-- Delete the rows of the statistics that no longer have leads.
--
-- when: statistics_shrink
-- for: lead_counts lead_daily_counts lead_totals
-- Only rows that lost leads can be empty. A day of a large tenant has hundreds of rows: the index skips those that
-- differ in a column that is never null. For sign() = a value PostgreSQL expects few rows and looks up each; for
-- numbers below zero it would expect a third of all rows, and read the whole table.
DELETE FROM read_model.{table} AS stored
USING (
    SELECT DISTINCT {lookup.table of d}
    FROM ({definition.table}) AS d
    WHERE sign(d.leads) = -1
) AS moved
WHERE ({lookup.table of stored}) = ({lookup.table of moved})
    AND stored.leads = 0
    {tenants};
