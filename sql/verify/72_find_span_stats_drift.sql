-- The numbers of read_model.lead_totals of a tenant that are not what its leads add up to. Parameter: user_id.
--
-- A start is a text, since that of the row of all leads lies before what a client can hold.
SELECT
    side.granularity,
    side.bucket_start::text AS bucket_start,
    n.number,
    sum(n.leads * side.expected)::bigint AS expected,
    sum(n.leads * side.found)::bigint AS found
FROM (
    SELECT
        at.granularity,
        at.bucket_start,
        1 AS expected,
        0 AS found,
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
        0 AS expected,
        1 AS found,
        o.leads,
        o.with_extraction,
        o.with_email,
        o.hot,
        o.warm,
        o.cold,
        o.on_whatsapp,
        o.on_instagram,
        o.on_webchat
    FROM read_model.lead_totals AS o
    WHERE o.user_id = %(user_id)s
) AS side
CROSS JOIN LATERAL (
    VALUES
    ('leads', side.leads),
    ('with_extraction', side.with_extraction),
    ('with_email', side.with_email),
    ('hot', side.hot),
    ('warm', side.warm),
    ('cold', side.cold),
    ('on_whatsapp', side.on_whatsapp),
    ('on_instagram', side.on_instagram),
    ('on_webchat', side.on_webchat)
) AS n (number, leads)
GROUP BY side.granularity, side.bucket_start, n.number
HAVING sum(n.leads * (side.expected - side.found)) <> 0;
