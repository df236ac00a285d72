-- Find the leads whose row differs from the definition, computed from the conversations, profiles and messages of the
-- read model: if one of these differs from the source, a step before has found the lead.
WITH new_profiles AS NOT MATERIALIZED (
    SELECT {columns.lead_profiles of p}
    FROM piece_leads AS l
    CROSS JOIN LATERAL (
        SELECT stored.*
        FROM read_model.lead_profiles AS stored
        WHERE stored.user_id = l.user_id AND stored.customer_phone = l.customer_phone
        {fence}
    ) AS p
),

new_conversations AS NOT MATERIALIZED (
    SELECT {columns.lead_conversations of c}
    FROM piece_leads AS l
    CROSS JOIN LATERAL (
        SELECT stored.*
        FROM read_model.lead_conversations AS stored
        WHERE stored.user_id = l.user_id AND stored.customer_phone = l.customer_phone
        {fence}
    ) AS c
),

newest_messages AS NOT MATERIALIZED (
    SELECT m.user_id, m.customer_phone, m.sent_at, m.conversation_id, m.sequence_no, m.message_id, m.sender, m.text
    FROM (
        SELECT c.user_id, c.customer_phone, max(c.newest_message_at) AS sent_at FROM new_conversations AS c
        WHERE c.newest_message_at IS NOT NULL GROUP BY c.user_id, c.customer_phone) AS newest
    CROSS JOIN LATERAL (
        SELECT stored.*
        FROM read_model.lead_messages AS stored
        WHERE stored.user_id = newest.user_id
            AND stored.customer_phone = newest.customer_phone
            AND stored.sent_at = newest.sent_at
        {fence}
    ) AS m
),

stored_leads AS NOT MATERIALIZED (
    SELECT {columns.leads of r}
    FROM piece_leads AS l
    CROSS JOIN LATERAL (
        SELECT stored.*
        FROM read_model.leads AS stored
        WHERE stored.user_id = l.user_id AND stored.customer_phone = l.customer_phone
        {fence}
    ) AS r
),

last_messages AS NOT MATERIALIZED ({definition.last_messages})

INSERT INTO differing_leads (user_id, customer_phone)
SELECT DISTINCT
    coalesce(n.user_id, o.user_id),
    coalesce(n.customer_phone, o.customer_phone)
FROM ({definition.leads}) AS n
FULL JOIN stored_leads AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
WHERE ({columns.leads of o}) IS DISTINCT FROM ({columns.leads of n});
