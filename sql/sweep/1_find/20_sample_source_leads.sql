-- Choose leads at random from the source and the keys.
--
-- Parameters: percent of the conversations, and of the pages of keys, to look at; size, how many leads; tenants, null
-- for all.
SELECT
    sampled.user_id,
    sampled.customer_phone
FROM (
    SELECT
        k.user_id,
        k.customer_phone
    FROM projector.source_keys AS k TABLESAMPLE SYSTEM (%(percent)s)
    WHERE k.kind <> 'contact'
    UNION
    SELECT
        d.user_id,
        d.customer_phone
    FROM (
        SELECT c.conversation_id
        FROM projector.source_conversations() AS c
        WHERE random() * 100 < %(percent)s
    ) AS chosen
    CROSS JOIN LATERAL (
        SELECT d.*
        FROM projector.current_conversations() AS d
        WHERE d.conversation_id = chosen.conversation_id
        OFFSET 0
    ) AS d
) AS sampled
WHERE %(tenants)s::text[] IS NULL OR sampled.user_id = any(%(tenants)s::text[])
ORDER BY random()
LIMIT %(size)s;
