-- Compute the conversations of the stale leads.
--
-- Attributes come from the source if the conversation is stale, else from the read model. If all messages were read,
-- they are counted. Else the count changes by the differences found, and the first and the newest time are read only if
-- a row with one of them is gone. So a message costs no more in a long conversation than in a short one.
WITH counted_messages AS NOT MATERIALIZED (
    SELECT n.*
    FROM new_messages AS n
    WHERE n.reload_messages
),

moves AS MATERIALIZED (
    SELECT
        m.user_id,
        m.customer_phone,
        m.conversation_id,
        sum(m.added) - sum(m.removed) AS difference,
        min(m.sent_at) FILTER (WHERE m.added = 1) AS first_added,
        max(m.sent_at) FILTER (WHERE m.added = 1) AS newest_added,
        min(m.sent_at) FILTER (WHERE m.removed = 1) AS first_removed,
        max(m.sent_at) FILTER (WHERE m.removed = 1) AS newest_removed,
        max(m.sent_at) FILTER (WHERE m.added = 1 AND m.sender = 'user') AS customer_added,
        max(m.sent_at) FILTER (WHERE m.removed = 1 AND m.sender = 'user') AS customer_removed,
        max(m.sent_at) FILTER (WHERE m.added = 1 AND m.sender = 'agent') AS agent_added,
        max(m.sent_at) FILTER (WHERE m.removed = 1 AND m.sender = 'agent') AS agent_removed
    FROM (
        SELECT
            d.user_id,
            side.customer_phone,
            side.conversation_id,
            side.sent_at,
            side.sender,
            side.added,
            side.removed
        FROM message_differences AS d
        CROSS JOIN LATERAL (
            VALUES
            (d.customer_phone, d.conversation_id, d.sent_at, d.sender, 1, 0),
            (d.old_customer_phone, d.old_conversation_id, d.old_sent_at, d.old_sender, 0, 1)
        ) AS side (customer_phone, conversation_id, sent_at, sender, added, removed)
        WHERE side.conversation_id IS NOT NULL
            AND (d.customer_phone, d.conversation_id, d.sent_at, d.sender)
            IS DISTINCT FROM
            (d.old_customer_phone, d.old_conversation_id, d.old_sent_at, d.old_sender)
    ) AS m
    GROUP BY m.user_id, m.customer_phone, m.conversation_id
),

counted AS MATERIALIZED ({definition.message_totals}),

target AS (
    SELECT
        n.user_id,
        n.customer_phone,
        n.conversation_id,
        n.agent_id,
        n.agent_name,
        n.platform,
        n.phone_number_id,
        n.is_active,
        n.created_at,
        n.source_last_message_at,
        n.reply_window,
        n.attributes,
        n.attributes_left_out,
        n.reload_messages,
        o.message_count AS old_count,
        o.first_message_at AS old_first,
        o.newest_message_at AS old_newest,
        o.newest_customer_message_at AS old_customer,
        o.newest_agent_message_at AS old_agent
    FROM source_conversations AS n
    LEFT JOIN old_lead_conversations AS o
        ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone AND o.conversation_id = n.conversation_id
    UNION ALL
    SELECT
        o.user_id,
        o.customer_phone,
        o.conversation_id,
        o.agent_id,
        o.agent_name,
        o.platform,
        o.phone_number_id,
        o.is_active,
        o.created_at,
        o.source_last_message_at,
        o.reply_window,
        o.attributes,
        o.attributes_left_out,
        false AS reload_messages,
        o.message_count AS old_count,
        o.first_message_at AS old_first,
        o.newest_message_at AS old_newest,
        o.newest_customer_message_at AS old_customer,
        o.newest_agent_message_at AS old_agent
    FROM old_lead_conversations AS o
    INNER JOIN stale_leads AS l ON l.user_id = o.user_id AND l.customer_phone = o.customer_phone
    LEFT JOIN stale_keys AS s ON s.kind = 'conversation' AND s.key = o.conversation_id
    WHERE s.key IS NULL AND NOT l.compare_fully
)

INSERT INTO new_lead_conversations ({columns.lead_conversations})
SELECT {columns.lead_conversations of computed}
FROM (
    SELECT
        t.*,
        CASE
            WHEN t.reload_messages THEN coalesce(c.message_count, 0)
            WHEN t.old_count IS NULL
                THEN projector.count_messages(t.user_id, t.customer_phone, t.conversation_id)
            ELSE t.old_count + coalesce(m.difference, 0)
        END AS message_count,
        CASE
            WHEN t.reload_messages THEN c.first_message_at
            WHEN t.old_count IS NULL OR m.first_removed <= t.old_first
                THEN projector.first_message_at(t.user_id, t.customer_phone, t.conversation_id)
            ELSE least(t.old_first, m.first_added)
        END AS first_message_at,
        CASE
            WHEN t.reload_messages THEN c.newest_message_at
            WHEN t.old_count IS NULL OR m.newest_removed >= t.old_newest
                THEN projector.newest_message_at(t.user_id, t.customer_phone, t.conversation_id)
            ELSE greatest(t.old_newest, m.newest_added)
        END AS newest_message_at,
        CASE
            WHEN t.reload_messages THEN c.newest_customer_message_at
            WHEN t.old_count IS NULL OR m.customer_removed >= t.old_customer
                THEN projector.newest_message_of(t.user_id, t.customer_phone, t.conversation_id, 'user')
            ELSE greatest(t.old_customer, m.customer_added)
        END AS newest_customer_message_at,
        CASE
            WHEN t.reload_messages THEN c.newest_agent_message_at
            WHEN t.old_count IS NULL OR m.agent_removed >= t.old_agent
                THEN projector.newest_message_of(t.user_id, t.customer_phone, t.conversation_id, 'agent')
            ELSE greatest(t.old_agent, m.agent_added)
        END AS newest_agent_message_at
    FROM target AS t
    LEFT JOIN moves AS m
        ON m.user_id = t.user_id AND m.customer_phone = t.customer_phone AND m.conversation_id = t.conversation_id
    LEFT JOIN counted AS c ON c.user_id = t.user_id AND c.conversation_id = t.conversation_id
) AS computed;
