-- Find the leads whose row differs from the definition, computed from the conversations, profiles and messages of the
-- read model: if one of these differs from the source, a step before has found the lead.
--
-- with lead_profiles = (
--     SELECT {columns.lead_profiles of p}
--     FROM (SELECT s.user_id, s.customer_phone FROM piece_leads AS s) AS l
--     {look_up.lead_profiles as p by user_id, customer_phone of l})
-- with lead_conversations = (
--     SELECT {columns.lead_conversations of c}
--     FROM (SELECT p.user_id, p.customer_phone FROM piece_leads AS p) AS l
--     {look_up.lead_conversations as c by user_id, customer_phone of l})
-- with newest_messages = (
--     SELECT m.user_id, m.customer_phone, m.sent_at, m.conversation_id, m.sequence_no, m.message_id, m.sender, m.text
--     FROM (
--         SELECT c.user_id, c.customer_phone, max(c.newest_message_at) AS sent_at FROM {lead_conversations} AS c
--         WHERE c.newest_message_at IS NOT NULL GROUP BY c.user_id, c.customer_phone) AS newest
--     {look_up.lead_messages as m by user_id, customer_phone, sent_at of newest})
-- with stored_leads = (
--     SELECT {columns.leads of r}
--     FROM (SELECT p.user_id, p.customer_phone FROM piece_leads AS p) AS l
--     {look_up.leads as r by user_id, customer_phone of l})
-- with messages = {newest_messages}
-- with last_messages = ({definition.last_messages})
INSERT INTO differing_leads (user_id, customer_phone)
SELECT DISTINCT
    coalesce(n.user_id, o.user_id),
    coalesce(n.customer_phone, o.customer_phone)
FROM ({definition.leads}) AS n
FULL JOIN {stored_leads} AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
WHERE ({columns.leads of o}) IS DISTINCT FROM ({columns.leads of n});
