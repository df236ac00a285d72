-- Make the rows of lead_totals of a tenant what its leads add up to, writing only those that differ.
--
-- Parameter: user_id. The tenant is locked. A row that comes to 0 is deleted by the next step.
INSERT INTO read_model.lead_totals AS s (
    user_id, granularity, bucket_start, leads, with_extraction, with_email, hot, warm, cold, on_whatsapp, on_instagram, on_webchat
)
SELECT
    %(user_id)s,
    side.granularity,
    side.bucket_start,
    sum(side.leads),
    sum(side.with_extraction),
    sum(side.with_email),
    sum(side.hot),
    sum(side.warm),
    sum(side.cold),
    sum(side.on_whatsapp),
    sum(side.on_instagram),
    sum(side.on_webchat)
FROM (
    SELECT
        at.granularity,
        at.bucket_start,
        count(*) AS leads,
        count(*) FILTER (WHERE l.has_extraction) AS with_extraction,
        count(*) FILTER (WHERE l.has_email) AS with_email,
        count(*) FILTER (WHERE l.lead_status = 'Hot') AS hot,
        count(*) FILTER (WHERE l.lead_status = 'Warm') AS warm,
        count(*) FILTER (WHERE l.lead_status = 'Cold') AS cold,
        count(*) FILTER (WHERE l.on_whatsapp) AS on_whatsapp,
        count(*) FILTER (WHERE l.on_instagram) AS on_instagram,
        count(*) FILTER (WHERE l.on_webchat) AS on_webchat
    FROM read_model.leads AS l
    CROSS JOIN LATERAL (
        VALUES
        ('all', '-infinity'),
        ('day', date_trunc('day', l.last_message_at, 'UTC')),
        ('hour', date_trunc('hour', l.last_message_at, 'UTC'))
    ) AS at (granularity, bucket_start)
    WHERE l.user_id = %(user_id)s AND at.bucket_start IS NOT NULL
    GROUP BY at.granularity, at.bucket_start
    UNION ALL
    SELECT
        o.granularity,
        o.bucket_start,
        -o.leads AS leads,
        -o.with_extraction AS with_extraction,
        -o.with_email AS with_email,
        -o.hot AS hot,
        -o.warm AS warm,
        -o.cold AS cold,
        -o.on_whatsapp AS on_whatsapp,
        -o.on_instagram AS on_instagram,
        -o.on_webchat AS on_webchat
    FROM read_model.lead_totals AS o
    WHERE o.user_id = %(user_id)s
) AS side
GROUP BY side.granularity, side.bucket_start
HAVING (
    sum(side.leads),
    sum(side.with_extraction),
    sum(side.with_email),
    sum(side.hot),
    sum(side.warm),
    sum(side.cold),
    sum(side.on_whatsapp),
    sum(side.on_instagram),
    sum(side.on_webchat)
) <> (0, 0, 0, 0, 0, 0, 0, 0, 0)
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
