-- The rows of the leads that were computed again that are not what the definition says.
--
-- Returns: table_name; user_id, customer_phone; row_key, what tells rows of one lead apart; expected and found, the row
-- as JSON, null where there should be none or is none.
SELECT
    'leads' AS table_name,
    d.user_id,
    d.customer_phone,
    NULL AS row_key,
    to_jsonb(n.*) AS expected,
    to_jsonb(o.*) AS found
FROM lead_differences AS d
LEFT JOIN new_leads AS n ON n.user_id = d.user_id AND n.customer_phone = d.customer_phone
LEFT JOIN old_leads AS o ON o.user_id = d.user_id AND o.customer_phone = d.customer_phone
WHERE d.table_name = 'leads'
UNION ALL
SELECT
    'profiles' AS table_name,
    d.user_id,
    d.customer_phone,
    NULL AS row_key,
    CASE WHEN NOT d.is_gone THEN to_jsonb(n.*) END AS expected,
    to_jsonb(o.*) AS found
FROM lead_differences AS d
LEFT JOIN new_profiles AS n ON n.user_id = d.user_id AND n.customer_phone = d.customer_phone
LEFT JOIN old_profiles AS o ON o.user_id = d.user_id AND o.customer_phone = d.customer_phone
WHERE d.table_name = 'lead_profiles'
UNION ALL
SELECT
    'conversations' AS table_name,
    d.user_id,
    d.customer_phone,
    d.conversation_id AS row_key,
    to_jsonb(n.*) AS expected,
    to_jsonb(o.*) AS found
FROM lead_differences AS d
LEFT JOIN new_conversations AS n ON ({key.lead_conversations of n}) = ({key.lead_conversations of d})
LEFT JOIN old_conversations AS o ON ({key.lead_conversations of o}) = ({key.lead_conversations of d})
WHERE d.table_name = 'lead_conversations'
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
