-- Find by how much each combination of what is counted moves in each hour: the leads as they are now less the leads as
-- they were.
INSERT INTO lead_moves (
    user_id, last_message_at, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction,
    has_email, first_contact_at, last_message_sender, has_conversation, weight
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
    side.first_hour,
    side.last_message_sender,
    side.has_conversation,
    sum(side.weight)
FROM (
    SELECT
        n.*,
        date_trunc('hour', n.last_message_at, 'UTC') AS hour,
        date_trunc('hour', n.first_contact_at, 'UTC') AS first_hour,
        1 AS weight
    FROM new_leads AS n
    UNION ALL
    SELECT
        o.*,
        date_trunc('hour', o.last_message_at, 'UTC') AS hour,
        date_trunc('hour', o.first_contact_at, 'UTC') AS first_hour,
        -1 AS weight
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
    side.has_email,
    side.first_hour,
    side.last_message_sender,
    side.has_conversation
HAVING sum(side.weight) <> 0;
