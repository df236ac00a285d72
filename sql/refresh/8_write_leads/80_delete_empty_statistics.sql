-- Delete the rows of the statistics in which there is no lead any more.
--
-- when: statistics_shrink
-- for: lead_counts lead_daily_counts lead_totals
-- deletes: {table} by {lookup.table}, leads
-- with leads = lead_moves
SELECT DISTINCT
    {lookup.table of d},
    0 AS leads
FROM ({definition.table}) AS d;
