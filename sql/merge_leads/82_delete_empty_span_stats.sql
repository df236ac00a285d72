-- Delete the spans of time in which no lead has its last message any more, and the row of a tenant without leads.
DELETE FROM read_model.lead_totals
WHERE ctid = any(ARRAY(
    SELECT r.row_id
    FROM (
        SELECT DISTINCT
            stage_stats.user_id,
            at.granularity,
            at.bucket_start
        FROM stage_stats
        CROSS JOIN LATERAL (
            VALUES
            ('all', '-infinity'),
            ('day', date_trunc('day', stage_stats.hour, 'UTC')),
            ('hour', stage_stats.hour)
        ) AS at (granularity, bucket_start)
        WHERE stage_stats.leads < 0
    ) AS d
    CROSS JOIN LATERAL (
        SELECT s.ctid AS row_id
        FROM read_model.lead_totals AS s
        WHERE s.user_id = d.user_id AND s.granularity = d.granularity AND s.bucket_start = d.bucket_start AND s.leads = 0
        OFFSET 0
    ) AS r
));
