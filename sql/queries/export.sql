-- The lines of an export, as the API writes them: see sql/install/functions/30_export.sql. Parameters of all: user_id;
-- of messages also start and end, the moments from which and before which they were sent; null for any.

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
        FROM read_model.message_lines AS m
        WHERE m.user_id = %(user_id)s
            AND (%(start)s::timestamptz IS NULL OR m.sent_at >= %(start)s)
            AND (%(end)s::timestamptz IS NULL OR m.sent_at < %(end)s)
    ) AS total,
    (SELECT f.as_of FROM read_model.freshness AS f) AS as_of;

-- name: read_header
-- Returns: header, of the CSV.
SELECT read_model.csv_header() || E'\r\n' AS header;

-- name: leads_as_ndjson
-- Returns: line, a printed lead with a line feed; those that were active last come first.
SELECT l.document || E'\n' AS line
FROM read_model.leads AS l
WHERE l.user_id = %(user_id)s
ORDER BY l.last_message_at DESC NULLS LAST, l.customer_phone DESC;

-- name: leads_as_csv
-- Returns: line, a row of CSV, in the same order.
SELECT c.line
FROM read_model.leads AS l
CROSS JOIN LATERAL read_model.csv_line(l.document) AS c
WHERE l.user_id = %(user_id)s
ORDER BY l.last_message_at DESC NULLS LAST, l.customer_phone DESC;

-- name: messages_as_ndjson
-- Returns: line, a message with the phone of its lead, and a line feed; by lead, and then in their order.
SELECT m.line
FROM read_model.message_lines AS m
WHERE m.user_id = %(user_id)s
    AND (%(start)s::timestamptz IS NULL OR m.sent_at >= %(start)s)
    AND (%(end)s::timestamptz IS NULL OR m.sent_at < %(end)s)
ORDER BY m.customer_phone, m.sent_at, m.conversation_id, m.sequence_no, m.message_id;
