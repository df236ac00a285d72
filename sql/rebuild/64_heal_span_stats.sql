-- Make the rows of lead_span_stats of a tenant what its leads add up to, writing only those that differ.
--
-- Parameter: user_id. The tenant is locked. A row that comes to 0 is deleted by the next step.
INSERT INTO read_model.lead_span_stats AS s (
    user_id, span, begins, leads, with_extraction, with_email, hot, warm, cold, on_whatsapp, on_instagram, on_webchat
)
SELECT
    %(user_id)s,
    side.span,
    side.begins,
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
        at.span,
        at.begins,
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
    ) AS at (span, begins)
    WHERE l.user_id = %(user_id)s AND at.begins IS NOT NULL
    GROUP BY at.span, at.begins
    UNION ALL
    SELECT
        o.span,
        o.begins,
        -o.leads AS leads,
        -o.with_extraction AS with_extraction,
        -o.with_email AS with_email,
        -o.hot AS hot,
        -o.warm AS warm,
        -o.cold AS cold,
        -o.on_whatsapp AS on_whatsapp,
        -o.on_instagram AS on_instagram,
        -o.on_webchat AS on_webchat
    FROM read_model.lead_span_stats AS o
    WHERE o.user_id = %(user_id)s
) AS side
GROUP BY side.span, side.begins
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
ON CONFLICT (user_id, span, begins) DO UPDATE SET
    leads = s.leads + excluded.leads,
    with_extraction = s.with_extraction + excluded.with_extraction,
    with_email = s.with_email + excluded.with_email,
    hot = s.hot + excluded.hot,
    warm = s.warm + excluded.warm,
    cold = s.cold + excluded.cold,
    on_whatsapp = s.on_whatsapp + excluded.on_whatsapp,
    on_instagram = s.on_instagram + excluded.on_instagram,
    on_webchat = s.on_webchat + excluded.on_webchat;
