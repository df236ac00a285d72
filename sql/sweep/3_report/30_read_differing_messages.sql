-- Read the messages of these leads that differ from the definition, in the same form.
SELECT
    'lead_messages' AS table_name,
    d.user_id,
    coalesce(d.customer_phone, d.old_customer_phone) AS customer_phone,
    d.message_id AS row_key,
    to_jsonb(n.*) - 'reload_messages' AS expected,
    to_jsonb(o.*) AS found
FROM message_differences AS d
LEFT JOIN new_messages AS n ON n.user_id = d.user_id AND n.message_id = d.message_id
LEFT JOIN old_messages AS o ON o.user_id = d.user_id AND o.message_id = d.message_id;
