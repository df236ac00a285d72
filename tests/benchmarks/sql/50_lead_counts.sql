-- What the leads add up to, by combination of facets.
SELECT
    user_id,
    lead_status,
    total_score,
    on_whatsapp,
    on_instagram,
    on_webchat,
    has_extraction,
    has_email,
    count(*) AS leads
FROM leads
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
