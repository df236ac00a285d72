-- The next leads of a tenant by customer_phone: by the key tables, and by what the read model holds, rightly or not.
--
-- Parameters: user_id, after (the last lead done, '' at the start), size. Messages are looked at last and by skipping
-- from lead to lead, since a lead can have very many.
WITH RECURSIVE messaged AS (
    (
        SELECT m.customer_phone
        FROM read_model.lead_messages AS m
        WHERE m.user_id = %(user_id)s AND m.customer_phone > %(after)s
        ORDER BY m.customer_phone
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT m.customer_phone
        FROM read_model.lead_messages AS m
        WHERE m.user_id = %(user_id)s AND m.customer_phone > messaged.customer_phone
        ORDER BY m.customer_phone
        LIMIT 1
    )
    FROM messaged
    WHERE messaged.customer_phone IS NOT NULL
)

SELECT found.customer_phone
FROM (
    (
        SELECT DISTINCT k.customer_phone
        FROM projector.conversation_keys AS k
        WHERE k.user_id = %(user_id)s AND k.customer_phone > %(after)s
        ORDER BY k.customer_phone
        LIMIT %(size)s
    )
    UNION
    (
        SELECT DISTINCT k.customer_phone
        FROM projector.send_keys AS k
        WHERE k.user_id = %(user_id)s AND k.customer_phone > %(after)s
        ORDER BY k.customer_phone
        LIMIT %(size)s
    )
    UNION
    (
        SELECT l.customer_phone
        FROM read_model.leads AS l
        WHERE l.user_id = %(user_id)s AND l.customer_phone > %(after)s
        ORDER BY l.customer_phone
        LIMIT %(size)s
    )
    UNION
    (
        SELECT p.customer_phone
        FROM read_model.lead_profiles AS p
        WHERE p.user_id = %(user_id)s AND p.customer_phone > %(after)s
        ORDER BY p.customer_phone
        LIMIT %(size)s
    )
    UNION
    (
        SELECT DISTINCT c.customer_phone
        FROM read_model.lead_conversations AS c
        WHERE c.user_id = %(user_id)s AND c.customer_phone > %(after)s
        ORDER BY c.customer_phone
        LIMIT %(size)s
    )
    UNION
    (
        SELECT m.customer_phone
        FROM messaged AS m
        WHERE m.customer_phone IS NOT NULL
        LIMIT %(size)s
    )
) AS found
ORDER BY found.customer_phone
LIMIT %(size)s;
