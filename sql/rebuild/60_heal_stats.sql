-- Make the rows of lead_counts of a tenant what its leads add up to, writing only those that differ.
--
-- Parameter: user_id. The tenant is locked. A row that comes to 0 is deleted by the next step.
INSERT INTO read_model.lead_counts AS s (
    user_id, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email, leads
)
SELECT
    %(user_id)s,
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
        l.lead_status,
        l.total_score,
        l.on_whatsapp,
        l.on_instagram,
        l.on_webchat,
        l.has_extraction,
        l.has_email,
        1 AS leads
    FROM read_model.leads AS l
    WHERE l.user_id = %(user_id)s
    UNION ALL
    SELECT
        o.lead_status,
        o.total_score,
        o.on_whatsapp,
        o.on_instagram,
        o.on_webchat,
        o.has_extraction,
        o.has_email,
        -o.leads AS leads
    FROM read_model.lead_counts AS o
    WHERE o.user_id = %(user_id)s
) AS side
GROUP BY
    side.lead_status,
    side.total_score,
    side.on_whatsapp,
    side.on_instagram,
    side.on_webchat,
    side.has_extraction,
    side.has_email
HAVING sum(side.leads) <> 0
ON CONFLICT (
    user_id, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email
) DO UPDATE SET leads = s.leads + excluded.leads;
