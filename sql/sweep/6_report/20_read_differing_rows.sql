-- The rows of the leads that were computed again that are not what the definition says.
--
-- Returns: table_name; user_id, customer_phone; row_key, what tells rows of one lead apart; expected and found, the row
-- as JSON, null where there should be none or is none.
SELECT
    'leads' AS table_name,
    coalesce(n.user_id, o.user_id) AS user_id,
    coalesce(n.customer_phone, o.customer_phone) AS customer_phone,
    NULL AS row_key,
    to_jsonb(n.*) AS expected,
    to_jsonb(o.*) AS found
FROM new_leads AS n
FULL JOIN old_leads AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
WHERE (o.*) IS DISTINCT FROM (n.*)
UNION ALL
SELECT
    'profiles' AS table_name,
    coalesce(n.user_id, o.user_id) AS user_id,
    coalesce(n.customer_phone, o.customer_phone) AS customer_phone,
    NULL AS row_key,
    to_jsonb(n.*) AS expected,
    to_jsonb(o.*) AS found
FROM (
    SELECT p.*
    FROM new_profiles AS p
    INNER JOIN new_leads AS l ON l.user_id = p.user_id AND l.customer_phone = p.customer_phone
) AS n
FULL JOIN old_profiles AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
WHERE (o.*) IS DISTINCT FROM (n.*)
UNION ALL
SELECT
    'conversations' AS table_name,
    coalesce(n.user_id, o.user_id) AS user_id,
    coalesce(n.customer_phone, o.customer_phone) AS customer_phone,
    coalesce(n.conversation_id, o.conversation_id) AS row_key,
    to_jsonb(n.*) AS expected,
    to_jsonb(o.*) AS found
FROM new_conversations AS n
FULL JOIN old_conversations AS o
    ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone AND o.conversation_id = n.conversation_id
WHERE (o.*) IS DISTINCT FROM (n.*)
UNION ALL
SELECT
    'messages' AS table_name,
    d.user_id,
    coalesce(d.customer_phone, d.old_customer_phone) AS customer_phone,
    d.message_id AS row_key,
    to_jsonb(n.*) - 'reload_messages' AS expected,
    to_jsonb(o.*) AS found
FROM message_differences AS d
LEFT JOIN new_messages AS n ON n.user_id = d.user_id AND n.message_id = d.message_id
LEFT JOIN old_messages AS o ON o.user_id = d.user_id AND o.message_id = d.message_id;
