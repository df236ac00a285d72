-- Delete the rows of the statistics in which there is no lead any more.
--
-- on: read_model
-- when: statistics_shrink
-- for: lead_counts lead_daily_counts lead_totals
-- with leads = lead_moves
DELETE FROM read_model.{table}
WHERE ctid = any(ARRAY(
    SELECT r.row_id
    FROM (
        SELECT DISTINCT {lookup.table of d}
        FROM ({definition.table}) AS d
    ) AS moved
    CROSS JOIN LATERAL (
        SELECT s.ctid AS row_id
        FROM read_model.{table} AS s
        WHERE ({lookup.table of s}) = ({lookup.table of moved}) AND s.leads = 0
        OFFSET 0
    ) AS r
));
