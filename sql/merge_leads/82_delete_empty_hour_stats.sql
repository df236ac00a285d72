-- Delete the hours in which no lead has its last message any more.
DELETE FROM read_model.lead_hour_stats
WHERE ctid = any(ARRAY(
    SELECT r.row_id
    FROM (
        SELECT DISTINCT
            stage_stats.user_id,
            stage_stats.hour
        FROM stage_stats
        WHERE stage_stats.leads < 0
    ) AS d
    CROSS JOIN LATERAL (
        SELECT s.ctid AS row_id
        FROM read_model.lead_hour_stats AS s
        WHERE s.user_id = d.user_id AND s.hour = d.hour AND s.leads = 0
        OFFSET 0
    ) AS r
));
