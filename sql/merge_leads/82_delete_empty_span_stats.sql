-- Delete the spans of time in which no lead has its last message any more, and the row of a tenant without leads.
DELETE FROM read_model.lead_span_stats
WHERE ctid = any(ARRAY(
    SELECT r.row_id
    FROM (
        SELECT DISTINCT
            stage_stats.user_id,
            at.span,
            at.begins
        FROM stage_stats
        CROSS JOIN LATERAL (
            VALUES
            ('all', '-infinity'),
            ('day', date_trunc('day', stage_stats.hour, 'UTC')),
            ('hour', stage_stats.hour)
        ) AS at (span, begins)
        WHERE stage_stats.leads < 0
    ) AS d
    CROSS JOIN LATERAL (
        SELECT s.ctid AS row_id
        FROM read_model.lead_span_stats AS s
        WHERE s.user_id = d.user_id AND s.span = d.span AND s.begins = d.begins AND s.leads = 0
        OFFSET 0
    ) AS r
));
