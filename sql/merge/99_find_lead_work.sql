-- The names of the steps of merge_leads that have something to do, and how many leads and messages the batch is about.
SELECT
    array_remove(
        ARRAY[
            CASE WHEN c.gone THEN 'delete_conversations' END,
            CASE WHEN c.differ THEN 'upsert_conversations' END,
            CASE WHEN l.gone THEN 'delete_gone_leads' END,
            CASE WHEN l.differ THEN 'upsert_leads' END,
            CASE WHEN p.gone THEN 'delete_gone_profiles' END,
            CASE WHEN p.differ THEN 'upsert_profiles' END,
            CASE WHEN s.moves THEN 'merge_stats' END,
            CASE WHEN s.moves THEN 'merge_day_stats' END,
            CASE WHEN s.moves THEN 'merge_span_stats' END,
            CASE WHEN s.shrinks THEN 'delete_empty_stats' END,
            CASE WHEN s.shrinks THEN 'delete_empty_day_stats' END,
            CASE WHEN s.shrinks THEN 'delete_empty_span_stats' END,
            CASE WHEN l.gone OR l.differ OR p.gone OR p.differ OR m.messages > 0 THEN 'touch_tenants' END
        ],
        NULL
    ) AS steps,
    (SELECT count(*) FROM stale_leads) AS leads,
    m.messages
FROM (
    SELECT
        coalesce(bool_or(n.user_id IS NULL), false) AS gone,
        coalesce(bool_or(n.user_id IS NOT NULL), false) AS differ
    FROM old_conversations AS o
    FULL JOIN stage_lead_conversations AS n
        ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone AND n.conversation_id = o.conversation_id
    WHERE (o.*) IS DISTINCT FROM (n.*)
) AS c
CROSS JOIN (
    SELECT
        coalesce(bool_or(n.user_id IS NULL), false) AS gone,
        coalesce(bool_or(n.user_id IS NOT NULL), false) AS differ
    FROM old_leads AS o
    FULL JOIN stage_leads AS n ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone
    WHERE (o.*) IS DISTINCT FROM (n.*)
) AS l
CROSS JOIN (
    SELECT
        coalesce(bool_or(kept.user_id IS NULL AND o.user_id IS NOT NULL), false) AS gone,
        coalesce(bool_or(kept.user_id IS NOT NULL AND (o.*) IS DISTINCT FROM (n.*)), false) AS differ
    FROM stage_profiles AS n
    FULL JOIN old_profiles AS o ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone
    LEFT JOIN stage_leads AS kept
        ON kept.user_id = coalesce(n.user_id, o.user_id)
        AND kept.customer_phone = coalesce(n.customer_phone, o.customer_phone)
) AS p
CROSS JOIN (
    SELECT
        count(*) > 0 AS moves,
        coalesce(bool_or(d.leads < 0), false) AS shrinks
    FROM stage_stats AS d
) AS s
CROSS JOIN (SELECT count(*) AS messages FROM stage_message_changes) AS m;
