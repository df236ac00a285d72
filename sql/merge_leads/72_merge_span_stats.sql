-- Move the numbers of the spans that the leads stand in: all of the tenant, a day and an hour.
--
-- A row is written where any of its numbers moves: a lead that turns from Hot to Warm moves no count of leads. A
-- message of a lead whose facets stay moves days and hours, and leaves the row of all leads alone.
INSERT INTO read_model.lead_totals AS s (
    user_id, granularity, bucket_start, leads, with_extraction, with_email, hot, warm, cold, on_whatsapp, on_instagram, on_webchat
)
SELECT m.*
FROM (
    SELECT
        d.user_id,
        at.granularity,
        at.bucket_start,
        sum(d.leads) AS leads,
        sum(d.leads * d.has_extraction::integer) AS with_extraction,
        sum(d.leads * d.has_email::integer) AS with_email,
        coalesce(sum(d.leads) FILTER (WHERE d.lead_status = 'Hot'), 0) AS hot,
        coalesce(sum(d.leads) FILTER (WHERE d.lead_status = 'Warm'), 0) AS warm,
        coalesce(sum(d.leads) FILTER (WHERE d.lead_status = 'Cold'), 0) AS cold,
        sum(d.leads * d.on_whatsapp::integer) AS on_whatsapp,
        sum(d.leads * d.on_instagram::integer) AS on_instagram,
        sum(d.leads * d.on_webchat::integer) AS on_webchat
    FROM stage_stats AS d
    CROSS JOIN LATERAL (
        VALUES
        ('all', '-infinity'),
        ('day', date_trunc('day', d.hour, 'UTC')),
        ('hour', d.hour)
    ) AS at (granularity, bucket_start)
    WHERE at.bucket_start IS NOT NULL
    GROUP BY d.user_id, at.granularity, at.bucket_start
) AS m
WHERE (m.leads, m.with_extraction, m.with_email, m.hot, m.warm, m.cold, m.on_whatsapp, m.on_instagram, m.on_webchat)
    <> (0, 0, 0, 0, 0, 0, 0, 0, 0)
ON CONFLICT (user_id, granularity, bucket_start) DO UPDATE SET
    leads = s.leads + excluded.leads,
    with_extraction = s.with_extraction + excluded.with_extraction,
    with_email = s.with_email + excluded.with_email,
    hot = s.hot + excluded.hot,
    warm = s.warm + excluded.warm,
    cold = s.cold + excluded.cold,
    on_whatsapp = s.on_whatsapp + excluded.on_whatsapp,
    on_instagram = s.on_instagram + excluded.on_instagram,
    on_webchat = s.on_webchat + excluded.on_webchat;
