-- Choose leads at random from the read model, so that one which is only there is found too.
SELECT
    l.user_id,
    l.customer_phone
FROM read_model.leads AS l TABLESAMPLE SYSTEM (%(percent)s)
WHERE %(tenants)s::text[] IS NULL OR l.user_id = any(%(tenants)s::text[])
ORDER BY random()
LIMIT %(size)s;
