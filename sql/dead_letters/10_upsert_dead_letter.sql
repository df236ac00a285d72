-- Set a key aside with its error, to be retried after a pause that doubles from ten seconds up to an hour.
--
-- Parameters: kind, key, error.
WITH lead AS (
    SELECT
        a.user_id::text AS user_id,
        c.customer_phone::text AS phone
    FROM conversations AS c
    INNER JOIN agents AS a ON a.agent_id = c.agent_id
    WHERE %(kind)s::text = 'resync' AND c.conversation_id = %(key)s
    UNION ALL
    SELECT
        c.user_id::text AS user_id,
        c.phone::text AS phone
    FROM contacts AS c
    WHERE %(kind)s::text = 'contacts' AND c.contact_id = %(key)s
    UNION ALL
    SELECT
        t.user_id::text AS user_id,
        s.customer_phone::text AS phone
    FROM template_sends AS s
    INNER JOIN templates AS t ON t.template_id = s.template_id
    WHERE %(kind)s::text = 'template_sends' AND s.send_id = %(key)s
)

INSERT INTO projector.dead_letters AS d (
    kind, key, user_id, customer_phone, error, attempts, first_failed_at, retry_at
)
SELECT
    %(kind)s::text,
    %(key)s::text,
    lead.user_id,
    projector.canonical_phone(lead.phone),
    %(error)s::text,
    1,
    clock_timestamp(),
    clock_timestamp() + interval '10 seconds'
FROM (SELECT 1) AS one
LEFT JOIN lead ON true
ON CONFLICT (kind, key) DO UPDATE SET
    error = excluded.error,
    attempts = d.attempts + 1,
    retry_at = clock_timestamp() + least(interval '10 seconds' * 2 ^ least(d.attempts, 20), interval '1 hour');
