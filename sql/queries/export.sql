-- The lines of an export, as the API writes them. Parameters of all: user_id; of messages also start and end, the
-- moments from which and before which they were sent; null for any.

-- name: count_leads
-- Returns: total, as_of.
SELECT
    (SELECT count(*) FROM read_model.leads AS l WHERE l.user_id = %(user_id)s) AS total,
    (SELECT f.as_of FROM read_model.freshness AS f) AS as_of;

-- name: count_messages
-- Returns: total, as_of.
SELECT
    (
        SELECT count(*)
        FROM read_model.lead_messages AS m
        WHERE m.user_id = %(user_id)s
            AND (%(start)s::timestamptz IS NULL OR m.sent_at >= %(start)s)
            AND (%(end)s::timestamptz IS NULL OR m.sent_at < %(end)s)
    ) AS total,
    (SELECT f.as_of FROM read_model.freshness AS f) AS as_of;

-- name: leads_as_ndjson
-- Returns: line, a printed lead with a line feed; those that were active last come first.
SELECT l.document || E'\n' AS line
FROM read_model.leads AS l
WHERE l.user_id = %(user_id)s
ORDER BY l.last_message_at DESC NULLS LAST, l.customer_phone DESC;

-- name: leads_as_csv
-- Returns: line, a row of CSV. An apostrophe goes before a text that a spreadsheet could take for a formula, but for
-- the phone.
SELECT
    concat_ws(
        ',',
        '"' || replace(r.customer_phone, '"', '""') || '"',
        coalesce(typed.name, ''),
        coalesce(typed.email, ''),
        coalesce(typed.company, ''),
        coalesce(typed.lead_status, ''),
        coalesce(r.total_score, ''),
        coalesce(r.intent_score, ''),
        coalesce(r.urgency_score, ''),
        coalesce(r.budget_score, ''),
        coalesce(r.fit_score, ''),
        coalesce(r.engagement_score, ''),
        coalesce(typed.platforms, ''),
        coalesce(r.conversation_count, ''),
        coalesce(r.total_messages, ''),
        coalesce(r.template_sends_count, ''),
        coalesce(r.last_message_at, ''),
        coalesce(typed.last_message_text, ''),
        coalesce(typed.last_message_sender, ''),
        coalesce(r.first_contact_at, ''),
        coalesce(r.has_extraction, ''),
        coalesce(r.extraction_id, '')
    ) || E'\r\n' AS line
FROM read_model.leads AS l
CROSS JOIN LATERAL json_to_record(l.document::json) AS r (
    customer_phone text, name text, email text, company text, lead_status text, total_score text, intent_score text,
    urgency_score text, budget_score text, fit_score text, engagement_score text, platforms text[],
    conversation_count text, total_messages text, template_sends_count text, last_message_at text,
    last_message_text text, last_message_sender text, first_contact_at text, has_extraction text, extraction_id text
)
CROSS JOIN LATERAL (
    SELECT
        max(t.quoted) FILTER (WHERE t.place = 1) AS name,
        max(t.quoted) FILTER (WHERE t.place = 2) AS email,
        max(t.quoted) FILTER (WHERE t.place = 3) AS company,
        max(t.quoted) FILTER (WHERE t.place = 4) AS lead_status,
        max(t.quoted) FILTER (WHERE t.place = 5) AS platforms,
        max(t.quoted) FILTER (WHERE t.place = 6) AS last_message_text,
        max(t.quoted) FILTER (WHERE t.place = 7) AS last_message_sender
    FROM (
        SELECT
            given.place,
            '"' || replace(
                CASE WHEN given.value ~ E'^[=+@\t\r-]' THEN '''' || given.value ELSE given.value END, '"', '""'
            ) || '"' AS quoted
        FROM unnest(
            ARRAY[
                r.name, r.email, r.company, r.lead_status, array_to_string(r.platforms, ','), r.last_message_text,
                r.last_message_sender
            ]
        ) WITH ORDINALITY AS given (value, place)
    ) AS t
) AS typed
WHERE l.user_id = %(user_id)s
ORDER BY l.last_message_at DESC NULLS LAST, l.customer_phone DESC;

-- name: messages_as_ndjson
-- Returns: line, a message with the phone of its lead, and a line feed; by lead, and then in their order.
SELECT row_to_json(printed.*)::text || E'\n' AS line
FROM read_model.lead_messages AS m
LEFT JOIN read_model.lead_conversations AS c
    ON c.user_id = m.user_id AND c.customer_phone = m.customer_phone AND c.conversation_id = m.conversation_id
CROSS JOIN LATERAL (
    SELECT
        m.customer_phone,
        m.message_id,
        m.conversation_id,
        c.agent_id,
        c.agent_name,
        c.platform,
        c.phone_number_id,
        m.sender,
        m.text,
        to_char(m.sent_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS timestamp,
        m.status,
        m.sequence_no
) AS printed
WHERE m.user_id = %(user_id)s
    AND (%(start)s::timestamptz IS NULL OR m.sent_at >= %(start)s)
    AND (%(end)s::timestamptz IS NULL OR m.sent_at < %(end)s)
ORDER BY m.customer_phone, m.sent_at, m.conversation_id, m.sequence_no, m.message_id;
