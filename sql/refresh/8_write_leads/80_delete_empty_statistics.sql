-- Delete the rows of the statistics in which there is no lead any more.
--
-- when: statistics_shrink
-- for: lead_counts lead_daily_counts lead_totals
DELETE FROM read_model.{table} AS stored
USING (
    SELECT DISTINCT {lookup.table of d}
    FROM ({definition.table}) AS d
) AS moved
WHERE ({lookup.table of stored}) = ({lookup.table of moved})
    AND stored.leads = 0
    {tenants};
