-- Compare the conversations, the leads, the profiles and the changes of status, stage those that differ, and find out
-- which of the next steps have work. Rows are compared before any is written, so that a correct row costs no WAL.
--
-- returns: conditions
-- It also returns leads, messages and keys: how many leads were recomputed, how many message rows differed, and for how
-- many keys.
--
-- A contact or an extraction alone makes no lead, so its profile is not stored. The statistics count by the hour. A
-- lead whose attributes changed is written with a new version, for the change feed, although its row is the same.
WITH rows_differing AS MATERIALIZED (
    SELECT
        'lead_conversations' AS table_name,
        coalesce(n.user_id, o.user_id) AS user_id,
        coalesce(n.customer_phone, o.customer_phone) AS customer_phone,
        coalesce(n.conversation_id, o.conversation_id) AS conversation_id,
        NULL::timestamptz AS changed_at,
        o.user_id IS NULL AS is_new,
        n.user_id IS NULL AS is_gone,
        (o.attributes IS DISTINCT FROM n.attributes) AS moves
    FROM old_lead_conversations AS o
    FULL JOIN new_lead_conversations AS n
        ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone AND n.conversation_id = o.conversation_id
    WHERE (o.*) IS DISTINCT FROM (n.*)
    UNION ALL
    SELECT
        'lead_profiles' AS table_name,
        coalesce(n.user_id, o.user_id) AS user_id,
        coalesce(n.customer_phone, o.customer_phone) AS customer_phone,
        NULL AS conversation_id,
        NULL AS changed_at,
        o.user_id IS NULL AS is_new,
        n.user_id IS NULL AS is_gone,
        (o.attributes IS DISTINCT FROM n.attributes) AS moves
    FROM old_lead_profiles AS o
    FULL JOIN (
        SELECT p.*
        FROM new_lead_profiles AS p
        INNER JOIN new_leads AS l ON l.user_id = p.user_id AND l.customer_phone = p.customer_phone
    ) AS n ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone
    WHERE (o.*) IS DISTINCT FROM (n.*)
    UNION ALL
    SELECT
        'lead_status_changes' AS table_name,
        coalesce(n.user_id, o.user_id) AS user_id,
        coalesce(n.customer_phone, o.customer_phone) AS customer_phone,
        NULL AS conversation_id,
        coalesce(n.changed_at, o.changed_at) AS changed_at,
        o.user_id IS NULL AS is_new,
        n.user_id IS NULL AS is_gone,
        false AS moves
    FROM old_lead_status_changes AS o
    FULL JOIN new_lead_status_changes AS n
        ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone AND n.changed_at = o.changed_at
    WHERE (o.*) IS DISTINCT FROM (n.*)
),

differing AS (
    INSERT INTO lead_differences (
        table_name, user_id, customer_phone, conversation_id, changed_at, is_new, is_gone, moves
    )
    SELECT r.*
    FROM rows_differing AS r
    UNION ALL
    SELECT
        'leads',
        coalesce(n.user_id, o.user_id),
        coalesce(n.customer_phone, o.customer_phone),
        NULL,
        NULL,
        o.user_id IS NULL,
        n.user_id IS NULL,
        (
            o.lead_status, o.total_score, o.on_whatsapp, o.on_instagram, o.on_webchat, o.has_extraction, o.has_email,
            o.last_message_sender, o.has_conversation, o.reply_window_ends_at IS NULL,
            date_trunc('hour', o.last_message_at, 'UTC'), date_trunc('hour', o.first_contact_at, 'UTC')
        ) IS DISTINCT FROM (
            n.lead_status, n.total_score, n.on_whatsapp, n.on_instagram, n.on_webchat, n.has_extraction, n.has_email,
            n.last_message_sender, n.has_conversation, n.reply_window_ends_at IS NULL,
            date_trunc('hour', n.last_message_at, 'UTC'), date_trunc('hour', n.first_contact_at, 'UTC')
        )
    FROM old_leads AS o
    FULL JOIN new_leads AS n ON n.user_id = o.user_id AND n.customer_phone = o.customer_phone
    LEFT JOIN (
        SELECT DISTINCT
            r.user_id,
            r.customer_phone
        FROM rows_differing AS r
        WHERE r.moves
    ) AS m ON m.user_id = n.user_id AND m.customer_phone = n.customer_phone
    WHERE (o.*) IS DISTINCT FROM (n.*) OR m.user_id IS NOT NULL
    RETURNING table_name, is_new, is_gone, moves
)

SELECT
    array_agg(DISTINCT found.condition) AS conditions,
    (SELECT count(*) FROM stale_leads) AS leads,
    (SELECT count(*) FROM message_differences) AS messages,
    (SELECT count(*) FROM stale_keys) AS keys
FROM (
    SELECT d.table_name || CASE WHEN d.is_gone THEN '_gone' ELSE '_differ' END AS condition
    FROM differing AS d
    UNION ALL
    SELECT 'leads_come'
    FROM differing AS d
    WHERE d.table_name = 'leads' AND d.is_new
    UNION ALL
    SELECT CASE d.table_name WHEN 'leads' THEN 'statistics_move' ELSE 'attributes_move' END
    FROM differing AS d
    WHERE d.moves
    UNION ALL
    SELECT 'statistics_shrink'
    FROM differing AS d
    WHERE d.table_name = 'leads' AND d.moves AND NOT d.is_new
    UNION ALL
    SELECT 'tenants_change'
    FROM differing
    UNION ALL
    SELECT 'tenants_change'
    FROM message_differences
) AS found;
