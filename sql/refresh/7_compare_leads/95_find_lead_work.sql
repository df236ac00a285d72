-- Find out which of the next steps have something to do.
--
-- returns: conditions
-- Returns also leads and messages: how many leads were recomputed, and how many message rows differed.
SELECT
    array_remove(
        ARRAY[
            CASE WHEN c.gone THEN 'conversations_gone' END,
            CASE WHEN c.differ THEN 'conversations_differ' END,
            CASE WHEN l.gone THEN 'leads_gone' END,
            CASE WHEN l.differ THEN 'leads_differ' END,
            CASE WHEN l.come THEN 'leads_come' END,
            CASE WHEN p.gone THEN 'profiles_gone' END,
            CASE WHEN p.differ THEN 'profiles_differ' END,
            CASE WHEN s.moves THEN 'statistics_move' END,
            CASE WHEN s.shrinks THEN 'statistics_shrink' END,
            CASE
                WHEN c.gone OR c.differ OR l.gone OR l.differ OR p.gone OR p.differ OR m.messages > 0
                    THEN 'tenants_change'
            END
        ],
        NULL
    ) AS conditions,
    (SELECT count(*) FROM stale_leads) AS leads,
    m.messages
FROM (
    SELECT
        coalesce(bool_or(n.user_id IS NULL), false) AS gone,
        coalesce(bool_or(n.user_id IS NOT NULL), false) AS differ
    FROM old_conversations AS o
    FULL JOIN new_conversations AS n
        ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone AND n.conversation_id = o.conversation_id
    WHERE (o.*) IS DISTINCT FROM (n.*)
) AS c
CROSS JOIN (
    SELECT
        coalesce(bool_or(n.user_id IS NULL), false) AS gone,
        coalesce(bool_or(n.user_id IS NOT NULL), false) AS differ,
        coalesce(bool_or(o.user_id IS NULL), false) AS come
    FROM old_leads AS o
    FULL JOIN new_leads AS n ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone
    WHERE (o.*) IS DISTINCT FROM (n.*)
) AS l
CROSS JOIN (
    SELECT
        coalesce(bool_or(kept.user_id IS NULL AND o.user_id IS NOT NULL), false) AS gone,
        coalesce(bool_or(kept.user_id IS NOT NULL AND (o.*) IS DISTINCT FROM (n.*)), false) AS differ
    FROM new_profiles AS n
    FULL JOIN old_profiles AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
    LEFT JOIN new_leads AS kept
        ON kept.user_id = coalesce(n.user_id, o.user_id)
        AND kept.customer_phone = coalesce(n.customer_phone, o.customer_phone)
) AS p
CROSS JOIN (
    SELECT
        count(*) > 0 AS moves,
        coalesce(bool_or(d.weight < 0), false) AS shrinks
    FROM lead_moves AS d
) AS s
CROSS JOIN (SELECT count(*) AS messages FROM message_differences) AS m;
