-- Find the leads whose row differs from the definition, computed from the conversations, profiles and messages of the
-- read model: if one of these differs from the source, a step before has found the lead.
--
-- on: read_model
-- with lead_profiles = (
--     SELECT p.* FROM piece_leads AS l CROSS JOIN LATERAL (
--         SELECT lp.* FROM read_model.lead_profiles AS lp
--         WHERE lp.user_id = l.user_id AND lp.customer_phone = l.customer_phone {fence}) AS p)
-- with lead_conversations = (
--     SELECT c.* FROM piece_leads AS l CROSS JOIN LATERAL (
--         SELECT lc.* FROM read_model.lead_conversations AS lc
--         WHERE lc.user_id = l.user_id AND lc.customer_phone = l.customer_phone {fence}) AS c)
-- with messages = (
--     SELECT m.* FROM (
--         SELECT c.user_id, c.customer_phone, max(c.newest_message_at) AS sent_at FROM {lead_conversations} AS c
--         WHERE c.newest_message_at IS NOT NULL GROUP BY c.user_id, c.customer_phone) AS newest
--     CROSS JOIN LATERAL (
--         SELECT lm.* FROM read_model.lead_messages AS lm WHERE lm.user_id = newest.user_id
--         AND lm.customer_phone = newest.customer_phone AND lm.sent_at = newest.sent_at {fence}) AS m)
-- with last_messages = ({definition.last_messages})
INSERT INTO differing_leads (user_id, customer_phone)
SELECT DISTINCT
    coalesce(n.user_id, o.user_id),
    coalesce(n.customer_phone, o.customer_phone)
FROM ({definition.leads}) AS n
FULL JOIN (
    SELECT {columns.leads of r}
    FROM piece_leads AS l
    CROSS JOIN LATERAL (
        SELECT rl.*
        FROM read_model.leads AS rl
        WHERE rl.user_id = l.user_id AND rl.customer_phone = l.customer_phone
        {fence}
    ) AS r
) AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
WHERE ({columns.leads of o}) IS DISTINCT FROM ({columns.leads of n});
