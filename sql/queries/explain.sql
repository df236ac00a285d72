-- What `explain` reads of one lead, all of it in one REPEATABLE READ transaction that writes nothing.
--
-- What counts, and in which order rows compete, comes from sql/definition/. Each query starts from the keys of the
-- lead and reaches its rows by indexes.
--
-- Parameters that most of them take: user_id and customer_phone; kinds and keys, two arrays of one length, the keys
-- of the lead's source rows; bound, how many waiting changes, and keys of them, are looked at.

-- name: limit_transaction
-- Makes the transaction one that writes nothing, whose statements end after a time, and that reads by indexes where
-- it can. Parameter: timeout.
SELECT
    set_config('transaction_read_only', 'on', true),
    set_config('statement_timeout', %(timeout)s, true),
    set_config('enable_seqscan', 'off', true);

-- name: read_state
-- What decides how a difference from the read model is to be read. Citus takes no sub-select without a column.
--
-- Returns version (projection version of the last build), gap (why changes may have been missed), is_rebuilding,
-- truncates (whether a TRUNCATE of the platform waits), is_longer (whether more changes wait than are looked at), and
-- is_tenant, whether the source or the read model knows the tenant.
SELECT
    p.version,
    coalesce(
        p.capture_gap,
        (
            SELECT g.reason
            FROM projector.capture_gaps AS g
            WHERE g.healed_at IS NULL
            ORDER BY g.gap_id
            LIMIT 1
        )
    ) AS gap,
    EXISTS (SELECT 1 FROM projector.rebuild_plan) AS is_rebuilding,
    EXISTS (
        SELECT 1
        FROM (
            SELECT c.kind
            FROM projector.changes AS c
            ORDER BY c.shard, c.bulk, c.change_id
            LIMIT %(bound)s
        ) AS c
        WHERE c.kind = 'truncate'
    ) AS truncates,
    (SELECT count(*) FROM (SELECT 1 FROM projector.changes LIMIT %(bound)s + 1) AS bounded) > %(bound)s AS is_longer,
    EXISTS (SELECT 1 FROM {source.users} AS u WHERE u.user_id = %(user_id)s)
    OR EXISTS (SELECT 1 FROM read_model.tenants AS t WHERE t.user_id = %(user_id)s)
    OR EXISTS (SELECT 1 FROM read_model.leads AS l WHERE l.user_id = %(user_id)s) AS is_tenant
FROM read_model.projection AS p;

-- name: canonical_phone
-- Returns the canonical form of a phone; null for a blank. Parameter: phone.
SELECT projector.canonical_phone(%(phone)s) AS customer_phone;

-- name: find_keys
-- The keys of the source rows that belong to a lead, or that the read model last knew it by.
--
-- Returns kind, key, is_own (whether the source row belongs to the lead now) and is_known (whether
-- projector.source_keys has it under this lead). A row that is not known yet is found by its change that waits or is
-- set aside.
WITH waiting AS MATERIALIZED (
    SELECT
        c.kind,
        k.key COLLATE "C" AS key
    FROM (
        SELECT
            c.kind,
            c.keys
        FROM projector.changes AS c
        ORDER BY c.shard, c.bulk, c.change_id
        LIMIT %(bound)s
    ) AS c
    CROSS JOIN LATERAL unnest(c.keys) AS k (key)
    LIMIT %(bound)s
),

set_aside AS MATERIALIZED (
    SELECT
        d.kind,
        d.key
    FROM projector.dead_letters AS d
    ORDER BY d.kind, d.key
    LIMIT %(bound)s
),

found AS (
    SELECT
        c.kind,
        c.key,
        bool_or(c.is_known) AS is_known
    FROM (
        SELECT
            sk.kind,
            sk.key,
            true AS is_known
        FROM projector.source_keys AS sk
        WHERE sk.user_id = %(user_id)s AND sk.customer_phone = %(customer_phone)s
        UNION ALL
        SELECT
            CASE w.kind
                WHEN 'contacts' THEN 'contact'
                WHEN 'template_sends' THEN 'template_send'
                ELSE 'conversation'
            END,
            w.key,
            false
        FROM (
            SELECT waiting.* FROM waiting
            UNION ALL
            SELECT set_aside.* FROM set_aside
        ) AS w
        WHERE w.kind NOT IN ('agents', 'phone_numbers', 'templates', 'truncate')
    ) AS c
    GROUP BY c.kind, c.key
)

SELECT
    f.kind,
    f.key,
    coalesce(d.is_own, false) AS is_own,
    f.is_known
FROM found AS f
LEFT JOIN LATERAL (
    SELECT k.user_id = %(user_id)s AND k.customer_phone = %(customer_phone)s AS is_own
    FROM ({definition.source_keys}) AS k
    WHERE k.kind = f.kind AND k.key = f.key COLLATE "default"
    OFFSET 0
) AS d ON true
WHERE f.is_known OR d.is_own
ORDER BY f.kind, f.key;

-- name: find_waiting
-- The changes that wait and concern the lead, the oldest first: of its rows, and of their agents, channels and
-- templates.
--
-- Returns kind, key, queued_at, and total, how many there are. Parameter also: size, how many are returned.
WITH own_keys AS MATERIALIZED (
    SELECT
        k.kind,
        k.key
    FROM unnest(%(kinds)s::text[], %(keys)s::text[]) AS k (kind, key)
),

concerned AS MATERIALIZED (
    SELECT
        kinds.kind,
        k.key
    FROM own_keys AS k
    INNER JOIN (
        VALUES
        ('conversation', 'messages'),
        ('conversation', 'conversations'),
        ('conversation', 'extractions'),
        ('conversation', 'reload_conversations'),
        ('contact', 'contacts'),
        ('template_send', 'template_sends')
    ) AS kinds (key_kind, kind) ON kinds.key_kind = k.kind
    UNION
    SELECT
        related.kind,
        related.key
    FROM own_keys AS k
    CROSS JOIN LATERAL (
        SELECT
            c.agent_id,
            c.phone_number_id
        FROM ({definition.conversations}) AS c
        WHERE c.conversation_id = k.key
        OFFSET 0
    ) AS c
    CROSS JOIN LATERAL (
        VALUES ('agents', c.agent_id), ('phone_numbers', c.phone_number_id)
    ) AS related (kind, key)
    WHERE k.kind = 'conversation'
    UNION
    SELECT
        related.kind,
        related.key
    FROM own_keys AS k
    CROSS JOIN LATERAL (
        SELECT
            t.template_id::text AS template_id,
            t.phone_number_id::text AS phone_number_id
        FROM {source.template_sends} AS s
        INNER JOIN {source.templates} AS t ON t.template_id = s.template_id
        WHERE s.send_id = k.key
        OFFSET 0
    ) AS t
    CROSS JOIN LATERAL (
        VALUES ('templates', t.template_id), ('phone_numbers', t.phone_number_id)
    ) AS related (kind, key)
    WHERE k.kind = 'template_send'
)

SELECT
    w.kind,
    w.key,
    w.queued_at::text AS queued_at,
    count(*) OVER () AS total
FROM (
    SELECT
        c.kind,
        k.key,
        c.queued_at
    FROM (
        SELECT
            c.kind,
            c.keys,
            c.queued_at
        FROM projector.changes AS c
        ORDER BY c.shard, c.bulk, c.change_id
        LIMIT %(bound)s
    ) AS c
    CROSS JOIN LATERAL unnest(c.keys) AS k (key)
    LIMIT %(bound)s
) AS w
WHERE (w.kind, w.key) IN (SELECT n.kind, n.key FROM concerned AS n)
ORDER BY w.queued_at, w.kind, w.key
LIMIT %(size)s;

-- name: find_letters
-- The dead letters of the lead: those of its keys, and those that name it.
--
-- Returns kind, key, error, attempts, first_failed_at, retry_at.
SELECT
    d.kind,
    d.key,
    d.error,
    d.attempts,
    d.first_failed_at::text AS first_failed_at,
    d.retry_at::text AS retry_at
FROM (
    SELECT d.*
    FROM projector.dead_letters AS d
    ORDER BY d.kind, d.key
    LIMIT %(bound)s
) AS d
WHERE (d.user_id = %(user_id)s AND d.customer_phone = %(customer_phone)s)
    OR (d.kind, d.key) IN (
        SELECT
            CASE k.kind
                WHEN 'contact' THEN 'contacts'
                WHEN 'template_send' THEN 'template_sends'
                ELSE 'reload_conversations'
            END,
            k.key
        FROM unnest(%(kinds)s::text[], %(keys)s::text[]) AS k (kind, key)
    )
ORDER BY d.first_failed_at, d.kind, d.key;

-- name: read_document
-- Returns document, the lead as the read model has it.
SELECT l.document
FROM read_model.leads AS l
WHERE l.user_id = %(user_id)s AND l.customer_phone = %(customer_phone)s;

-- name: read_rows
-- Returns rows of one kind as JSON: `rows` is a definition that reads what stands here of the lead. What it does not
-- read is not computed. Parameter also: size, how many are returned.
--
-- The last message is taken from those of the newest time: only these texts are sorted.
WITH own_keys AS MATERIALIZED (
    SELECT
        k.kind COLLATE "C" AS kind,
        k.key COLLATE "C" AS key,
        %(user_id)s::text COLLATE "C" AS user_id,
        %(customer_phone)s::text COLLATE "C" AS customer_phone
    FROM unnest(%(kinds)s::text[], %(keys)s::text[]) AS k (kind, key)
),

own_lead AS ( -- noqa: ST03
    SELECT
        %(user_id)s::text COLLATE "C" AS user_id,
        %(customer_phone)s::text COLLATE "C" AS customer_phone
),

own_messages AS NOT MATERIALIZED (
    SELECT
        k.user_id,
        k.customer_phone,
        m.message_id COLLATE "C" AS message_id,
        k.key AS conversation_id,
        m.sent_at,
        m.sequence_no,
        m.sender,
        m.text
    FROM own_keys AS k
    CROSS JOIN LATERAL (
        SELECT d.*
        FROM ({definition.lead_messages}) AS d
        WHERE d.conversation_id = k.key COLLATE "default"
        OFFSET 0
    ) AS m
    WHERE k.kind = 'conversation'
),

own_totals AS MATERIALIZED ({definition.message_totals}),

newest_messages AS ( -- noqa: ST03
    SELECT m.*
    FROM own_messages AS m
    WHERE m.sent_at = (SELECT max(t.newest_message_at) FROM own_totals AS t)
),

own_conversations AS MATERIALIZED ( -- noqa: ST03
    SELECT
        k.user_id,
        k.customer_phone,
        k.key AS conversation_id,
        c.agent_id,
        c.agent_name,
        c.platform,
        c.phone_number_id,
        c.is_active,
        c.created_at,
        c.source_last_message_at,
        coalesce(t.message_count, 0)::integer AS message_count,
        t.first_message_at,
        t.newest_message_at
    FROM own_keys AS k
    CROSS JOIN LATERAL (
        SELECT d.*
        FROM ({definition.conversations}) AS d
        WHERE d.conversation_id = k.key COLLATE "default"
        OFFSET 0
    ) AS c
    LEFT JOIN own_totals AS t ON t.conversation_id = k.key
    WHERE k.kind = 'conversation'
),

own_profile AS MATERIALIZED ({definition.lead_profiles})

SELECT row_to_json(r.*)
FROM ({rows}) AS r
LIMIT %(size)s;

-- name: rank_conversations
-- The conversations in the order in which they are printed.
SELECT c.*
FROM own_conversations AS c
ORDER BY coalesce(c.newest_message_at, c.source_last_message_at) DESC NULLS LAST, c.conversation_id;

-- name: rank_template_sends
-- The template sends: those that count first, then the newest.
SELECT s.*
FROM ({definition.template_sends}) AS s
ORDER BY s.is_counted DESC, s.sent_at DESC, s.send_id DESC;

-- name: find_nearest
-- The leads of the tenant that have one of these phones, in the order of the array. Parameters: user_id, phones,
-- size.
SELECT l.customer_phone
FROM unnest(%(phones)s::text[]) WITH ORDINALITY AS p (phone, place)
CROSS JOIN LATERAL (
    SELECT leads.customer_phone
    FROM read_model.leads AS leads
    WHERE leads.user_id = %(user_id)s AND leads.customer_phone = p.phone
    OFFSET 0
) AS l
ORDER BY p.place
LIMIT %(size)s;
