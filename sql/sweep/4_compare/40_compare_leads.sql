-- Find the leads whose row differs from the definition, computed from the conversations, profiles and messages of the
-- read model: if one of these differs from the source, a step before has found the lead.
WITH new_lead_profiles AS NOT MATERIALIZED ({stored.lead_profiles of piece_leads}),

new_lead_conversations AS NOT MATERIALIZED ({stored.lead_conversations of piece_leads}),

newest_messages AS NOT MATERIALIZED (
    SELECT m.user_id, m.customer_phone, m.sent_at, m.conversation_id, m.sequence_no, m.message_id, m.sender, m.text
    FROM (
        SELECT c.user_id, c.customer_phone, max(c.newest_message_at) AS sent_at FROM new_lead_conversations AS c
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

stored_leads AS NOT MATERIALIZED ({stored.leads of piece_leads}),

last_messages AS NOT MATERIALIZED ({definition.last_messages})

INSERT INTO differing_leads (user_id, customer_phone)
SELECT DISTINCT
    coalesce(n.user_id, o.user_id),
    coalesce(n.customer_phone, o.customer_phone)
FROM ({definition.leads}) AS n
FULL JOIN stored_leads AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
WHERE ({columns.leads of o}) IS DISTINCT FROM ({columns.leads of n});
