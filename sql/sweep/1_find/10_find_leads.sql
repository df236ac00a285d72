-- The next leads in the order of tenant and phone: those of projector.source_keys, and those that the read model holds,
-- rightly or not.
--
-- Parameters: after_user and after_phone, the last lead that is done; last_user, the last tenant, or null; size, the
-- number of leads. Each table is read in the order of an index that begins with the lead.
-- Returns: user_id, customer_phone.
SELECT
    found.user_id,
    found.customer_phone
FROM (
    (
        SELECT DISTINCT
            k.user_id,
            k.customer_phone
        FROM projector.source_keys AS k
        WHERE (k.user_id, k.customer_phone) > (%(after_user)s, %(after_phone)s)
            AND (%(last_user)s::text IS NULL OR k.user_id <= %(last_user)s)
            AND k.kind <> 'contact'
        ORDER BY k.user_id, k.customer_phone
        LIMIT %(size)s
    )
    UNION
    (
        SELECT DISTINCT
            l.user_id,
            l.customer_phone
        FROM read_model.leads AS l
        WHERE (l.user_id, l.customer_phone) > (%(after_user)s, %(after_phone)s)
            AND (%(last_user)s::text IS NULL OR l.user_id <= %(last_user)s)
        ORDER BY l.user_id, l.customer_phone
        LIMIT %(size)s
    )
    UNION
    (
        SELECT DISTINCT
            p.user_id,
            p.customer_phone
        FROM read_model.lead_profiles AS p
        WHERE (p.user_id, p.customer_phone) > (%(after_user)s, %(after_phone)s)
            AND (%(last_user)s::text IS NULL OR p.user_id <= %(last_user)s)
        ORDER BY p.user_id, p.customer_phone
        LIMIT %(size)s
    )
    UNION
    (
        SELECT DISTINCT
            c.user_id,
            c.customer_phone
        FROM read_model.lead_conversations AS c
        WHERE (c.user_id, c.customer_phone) > (%(after_user)s, %(after_phone)s)
            AND (%(last_user)s::text IS NULL OR c.user_id <= %(last_user)s)
        ORDER BY c.user_id, c.customer_phone
        LIMIT %(size)s
    )
    UNION
    (
        SELECT DISTINCT
            m.user_id,
            m.customer_phone
        FROM read_model.lead_messages AS m
        WHERE (m.user_id, m.customer_phone) > (%(after_user)s, %(after_phone)s)
            AND (%(last_user)s::text IS NULL OR m.user_id <= %(last_user)s)
        ORDER BY m.user_id, m.customer_phone
        LIMIT %(size)s
    )
) AS found
ORDER BY found.user_id, found.customer_phone
LIMIT %(size)s;
