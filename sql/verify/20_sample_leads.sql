-- Some leads at random, from the source, the key tables and the read model alike, so that one which stands in only some
-- of them is found too.
--
-- Parameters: percent of the pages of each table to look at; size, how many leads.
SELECT
    sampled.user_id,
    sampled.customer_phone
FROM (
    SELECT
        l.user_id,
        l.customer_phone
    FROM read_model.leads AS l TABLESAMPLE SYSTEM (%(percent)s)
    UNION
    SELECT
        k.user_id,
        k.customer_phone
    FROM projector.conversation_keys AS k TABLESAMPLE SYSTEM (%(percent)s)
    UNION
    SELECT
        k.user_id,
        k.customer_phone
    FROM projector.send_keys AS k TABLESAMPLE SYSTEM (%(percent)s)
    UNION
    SELECT
        a.user_id::text COLLATE "C",
        projector.canonical_phone(c.customer_phone) COLLATE "C"
    FROM conversations AS c TABLESAMPLE SYSTEM (%(percent)s)
    INNER JOIN agents AS a ON a.agent_id = c.agent_id
    WHERE projector.canonical_phone(c.customer_phone) IS NOT NULL
) AS sampled
ORDER BY random()
LIMIT %(size)s;
