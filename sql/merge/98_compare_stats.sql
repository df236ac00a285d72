-- By how much each combination of facets moves: the leads as they are now less the leads as they were.
INSERT INTO stage_stats (
    user_id, hour, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email, leads
)
SELECT
    side.user_id,
    side.hour,
    side.lead_status,
    side.total_score,
    side.on_whatsapp,
    side.on_instagram,
    side.on_webchat,
    side.has_extraction,
    side.has_email,
    sum(side.leads)
FROM (
    SELECT
        n.user_id,
        date_trunc('hour', n.last_message_at, 'UTC') AS hour,
        n.lead_status,
        n.total_score,
        n.on_whatsapp,
        n.on_instagram,
        n.on_webchat,
        n.has_extraction,
        n.has_email,
        1 AS leads
    FROM stage_leads AS n
    UNION ALL
    SELECT
        o.user_id,
        date_trunc('hour', o.last_message_at, 'UTC') AS hour,
        o.lead_status,
        o.total_score,
        o.on_whatsapp,
        o.on_instagram,
        o.on_webchat,
        o.has_extraction,
        o.has_email,
        -1 AS leads
    FROM old_leads AS o
) AS side
GROUP BY
    side.user_id,
    side.hour,
    side.lead_status,
    side.total_score,
    side.on_whatsapp,
    side.on_instagram,
    side.on_webchat,
    side.has_extraction,
    side.has_email
HAVING sum(side.leads) <> 0;
