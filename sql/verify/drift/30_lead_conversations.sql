-- The rows of read_model.lead_conversations that are not what the definition says.
--
-- Returns: user_id, customer_phone; row_key, what tells rows of one lead apart; expected and found, both sides as
-- JSON, null where a side has no row.
SELECT
    coalesce(n.user_id, o.user_id) AS user_id,
    coalesce(n.customer_phone, o.customer_phone) AS customer_phone,
    coalesce(n.conversation_id, o.conversation_id) AS row_key,
    to_jsonb(n.*) AS expected,
    to_jsonb(o.*) AS found
FROM new_conversations AS n
FULL JOIN old_conversations AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
    AND o.conversation_id = n.conversation_id
WHERE (o.*) IS DISTINCT FROM (n.*);
