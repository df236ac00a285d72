-- The rows of read_model.lead_counts: how many leads there are of each combination of facets.
--
-- Reads lead_moves, rows as in read_model.leads with a weight, 1 for a lead that is there and -1 for one that was there
-- before.
SELECT
    l.user_id,
    l.lead_status,
    l.total_score,
    l.on_whatsapp,
    l.on_instagram,
    l.on_webchat,
    l.has_extraction,
    l.has_email,
    sum(l.weight)::integer AS leads
FROM lead_moves AS l
GROUP BY
    l.user_id,
    l.lead_status,
    l.total_score,
    l.on_whatsapp,
    l.on_instagram,
    l.on_webchat,
    l.has_extraction,
    l.has_email
