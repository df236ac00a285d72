-- Every lead.
--
-- The newest time of its messages is known from its conversations, so that only one message per lead has to be
-- sorted.
WITH new_lead_profiles AS NOT MATERIALIZED (
    SELECT p.*
    FROM read_model.lead_profiles AS p
),

new_lead_conversations AS NOT MATERIALIZED (
    SELECT c.*
    FROM read_model.lead_conversations AS c
),

newest_messages AS NOT MATERIALIZED (
    SELECT m.*
    FROM read_model.lead_messages AS m
    INNER JOIN (
        SELECT
            c.user_id,
            c.customer_phone,
            max(c.newest_message_at) AS sent_at
        FROM read_model.lead_conversations AS c
        WHERE c.newest_message_at IS NOT NULL
        GROUP BY c.user_id, c.customer_phone
    ) AS newest
        ON newest.user_id = m.user_id AND newest.customer_phone = m.customer_phone AND newest.sent_at = m.sent_at
),

last_messages AS NOT MATERIALIZED ({definition.last_messages}),

waiting_messages AS NOT MATERIALIZED (
    SELECT m.*
    FROM read_model.lead_messages AS m
    INNER JOIN (
        SELECT
            c.user_id,
            c.customer_phone,
            max(c.newest_agent_message_at) AS sent_at,
            max(c.newest_customer_message_at) AS customer_at
        FROM read_model.lead_conversations AS c
        GROUP BY c.user_id, c.customer_phone
    ) AS answered
        ON answered.user_id = m.user_id
        AND answered.customer_phone = m.customer_phone
        AND m.sent_at >= coalesce(answered.sent_at, '-infinity')
        AND m.sent_at <= answered.customer_at
    WHERE m.sender IN ('user', 'agent')
),

waiting AS NOT MATERIALIZED ({definition.waiting})

INSERT INTO read_model.leads ({columns.leads})
SELECT {columns.leads of d}
FROM ({definition.leads}) AS d;
