-- The rows of read_model.lead_daily_counts of a tenant that are not what its leads add up to. Parameter: user_id.
--
-- A transaction moves leads and statistics together, so that they agree in every snapshot.
SELECT
    side.day,
    side.lead_status,
    side.total_score,
    side.on_whatsapp,
    side.on_instagram,
    side.on_webchat,
    side.has_extraction,
    side.has_email,
    sum(side.expected)::bigint AS expected,
    sum(side.found)::bigint AS found
FROM (
    SELECT
        (l.last_message_at AT TIME ZONE 'UTC')::date AS day,
        l.lead_status,
        l.total_score,
        l.on_whatsapp,
        l.on_instagram,
        l.on_webchat,
        l.has_extraction,
        l.has_email,
        1 AS expected,
        0 AS found
    FROM read_model.leads AS l
    WHERE l.user_id = %(user_id)s AND l.last_message_at IS NOT NULL
    UNION ALL
    SELECT
        o.day,
        o.lead_status,
        o.total_score,
        o.on_whatsapp,
        o.on_instagram,
        o.on_webchat,
        o.has_extraction,
        o.has_email,
        0 AS expected,
        o.leads AS found
    FROM read_model.lead_daily_counts AS o
    WHERE o.user_id = %(user_id)s
) AS side
GROUP BY
    side.day,
    side.lead_status,
    side.total_score,
    side.on_whatsapp,
    side.on_instagram,
    side.on_webchat,
    side.has_extraction,
    side.has_email
HAVING sum(side.expected) <> sum(side.found);
