-- Delete the combinations that no lead has any more.
DELETE FROM read_model.lead_counts
WHERE ctid = any(ARRAY(
    SELECT r.row_id
    FROM (
        SELECT DISTINCT
            stage_stats.user_id
        FROM stage_stats
        WHERE stage_stats.leads < 0
    ) AS d
    CROSS JOIN LATERAL (
        SELECT s.ctid AS row_id
        FROM read_model.lead_counts AS s
        WHERE s.user_id = d.user_id AND s.leads = 0
        OFFSET 0
    ) AS r
));
