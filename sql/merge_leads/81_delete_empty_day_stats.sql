-- Delete the combinations of a day that no lead has any more.
DELETE FROM read_model.lead_daily_counts
WHERE ctid = any(ARRAY(
    SELECT r.row_id
    FROM (
        SELECT DISTINCT
            stage_stats.user_id,
            (stage_stats.hour AT TIME ZONE 'UTC')::date AS day
        FROM stage_stats
        WHERE stage_stats.leads < 0
    ) AS d
    CROSS JOIN LATERAL (
        SELECT s.ctid AS row_id
        FROM read_model.lead_daily_counts AS s
        WHERE s.user_id = d.user_id AND s.day = d.day AND s.leads = 0
        OFFSET 0
    ) AS r
));
