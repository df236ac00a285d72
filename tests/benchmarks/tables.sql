-- The SELECT of each table of the read model over whole tables, each of which reads those before it: the baseline of a
-- first build.

-- name: source_keys
SELECT {columns.source_keys of d}
FROM projector.current_keys() AS d;

-- name: lead_messages
SELECT {columns.lead_messages of m}
FROM (
    SELECT
        k.user_id,
        k.customer_phone,
        d.*
    FROM projector.current_messages() AS d
    INNER JOIN source_keys AS k ON k.kind = 'conversation' AND k.key = d.conversation_id::text COLLATE "C"
) AS m;

-- name: lead_conversations
WITH counted_messages AS NOT MATERIALIZED (
    SELECT m.*
    FROM lead_messages AS m
)

SELECT {columns.lead_conversations of c}
FROM (
    SELECT
        d.*,
        coalesce(t.message_count, 0) AS message_count,
        t.first_message_at,
        t.newest_message_at,
        t.newest_customer_message_at,
        t.newest_agent_message_at
    FROM projector.current_conversations() AS d
    LEFT JOIN ({definition.message_totals}) AS t ON t.conversation_id = d.conversation_id::text COLLATE "C"
) AS c;

-- name: lead_status_changes
WITH profile_keys AS NOT MATERIALIZED (
    SELECT k.*
    FROM source_keys AS k
)

SELECT {columns.lead_status_changes of s}
FROM ({definition.status_changes}) AS s;

-- name: lead_profiles
WITH profile_keys AS NOT MATERIALIZED (
    SELECT k.*
    FROM source_keys AS k
),

profile_leads AS NOT MATERIALIZED (
    SELECT DISTINCT
        k.user_id,
        k.customer_phone
    FROM source_keys AS k
    WHERE k.kind IN ({kinds.of_lead_makers})
),

status_changes AS NOT MATERIALIZED ({definition.status_changes})

SELECT {columns.lead_profiles of d}
FROM ({definition.lead_profiles}) AS d
LEFT JOIN (
    SELECT DISTINCT
        k.user_id,
        k.customer_phone
    FROM source_keys AS k
    WHERE k.kind = 'conversation'
) AS c ON c.user_id = d.user_id AND c.customer_phone = d.customer_phone
WHERE c.user_id IS NOT NULL OR d.template_sends_count > 0;

-- name: leads
WITH new_lead_profiles AS NOT MATERIALIZED (
    SELECT p.*
    FROM lead_profiles AS p
),

new_lead_conversations AS NOT MATERIALIZED (
    SELECT c.*
    FROM lead_conversations AS c
),

newest_messages AS NOT MATERIALIZED (
    SELECT m.*
    FROM lead_messages AS m
    INNER JOIN (
        SELECT
            c.user_id,
            c.customer_phone,
            max(c.newest_message_at) AS sent_at
        FROM lead_conversations AS c
        WHERE c.newest_message_at IS NOT NULL
        GROUP BY c.user_id, c.customer_phone
    ) AS newest
        ON newest.user_id = m.user_id AND newest.customer_phone = m.customer_phone AND newest.sent_at = m.sent_at
),

last_messages AS NOT MATERIALIZED ({definition.last_messages}),

waiting_messages AS NOT MATERIALIZED (
    SELECT m.*
    FROM lead_messages AS m
    INNER JOIN (
        SELECT
            c.user_id,
            c.customer_phone,
            max(c.newest_agent_message_at) AS sent_at,
            max(c.newest_customer_message_at) AS customer_at
        FROM lead_conversations AS c
        GROUP BY c.user_id, c.customer_phone
    ) AS answered
        ON answered.user_id = m.user_id
        AND answered.customer_phone = m.customer_phone
        AND m.sent_at >= coalesce(answered.sent_at, '-infinity')
        AND m.sent_at <= answered.customer_at
    WHERE m.sender IN ('user', 'agent')
),

waiting AS NOT MATERIALIZED ({definition.waiting})

SELECT {columns.leads of d}
FROM ({definition.leads}) AS d;

-- name: statistics
WITH lead_moves AS NOT MATERIALIZED (
    SELECT
        l.*,
        1 AS weight
    FROM leads AS l
),

message_moves AS NOT MATERIALIZED (
    SELECT
        m.user_id,
        m.sent_at,
        1 AS weight
    FROM lead_messages AS m
),

profile_moves AS NOT MATERIALIZED (
    SELECT
        p.*,
        1 AS weight
    FROM lead_profiles AS p
),

conversation_moves AS NOT MATERIALIZED (
    SELECT
        c.*,
        1 AS weight
    FROM lead_conversations AS c
)

SELECT {columns.table of d}
FROM ({definition.table}) AS d
ORDER BY {key.table of d};
