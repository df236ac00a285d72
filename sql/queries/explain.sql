-- What `explain` reads of one lead, all of it in one REPEATABLE READ transaction that writes nothing.
--
-- What the lead is comes from sql/definition/. The other queries rank the source rows that compete for a field; tests
-- hold that the row that they put first is the one that the definition takes. Each starts from the keys of the lead
-- and reaches its rows by indexes.
--
-- Parameters that most of them take: user_id and customer_phone; kinds and keys, two arrays of one length, the keys
-- of the lead's source rows; size, how many rows of a ranking are returned; characters, at how many a text is cut.

-- name: limit_transaction
-- Makes the transaction one that writes nothing, whose statements end after a time, and that reads by indexes where
-- there are any. Parameter: timeout.
SELECT
    set_config('transaction_read_only', 'on', true),
    set_config('statement_timeout', %(timeout)s, true),
    set_config('enable_seqscan', 'off', true);

-- name: read_projection
-- Returns version (projection version of the last build), gap (as readiness reports it), and is_tenant, whether the
-- read model knows the tenant.
--
-- Parameter: user_id.
SELECT
    p.version,
    p.capture_gap AS gap,
    EXISTS (SELECT FROM read_model.tenants AS t WHERE t.user_id = %(user_id)s)
    OR EXISTS (SELECT FROM read_model.leads AS l WHERE l.user_id = %(user_id)s) AS is_tenant
FROM read_model.projection AS p;

-- name: read_state
-- What decides how a difference from the read model is to be read.
--
-- Returns gap (why changes may have been missed), is_rebuilding, truncates (whether a TRUNCATE of the platform waits),
-- is_longer (whether more changes wait than are looked at), and is_tenant, whether the source knows the tenant.
-- Parameters: user_id; bound, how many changes are looked at.
SELECT
    (
        SELECT g.reason
        FROM projector.capture_gaps AS g
        WHERE g.healed_at IS NULL
        ORDER BY g.gap_id
        LIMIT 1
    ) AS gap,
    EXISTS (SELECT FROM projector.rebuild_plan) AS is_rebuilding,
    EXISTS (
        SELECT
        FROM (
            SELECT c.kind
            FROM projector.changes AS c
            ORDER BY c.shard, c.bulk, c.change_id
            LIMIT %(bound)s
        ) AS c
        WHERE c.kind = 'truncate'
    ) AS truncates,
    (SELECT count(*) FROM (SELECT 1 FROM projector.changes LIMIT %(bound)s + 1) AS bounded) > %(bound)s AS is_longer,
    EXISTS (SELECT FROM {source.users} AS u WHERE u.user_id = %(user_id)s) AS is_tenant;

-- name: canonical_phone
-- Returns the canonical form of a phone; null for a blank. Parameter: phone.
SELECT projector.canonical_phone(%(phone)s) AS customer_phone;

-- name: find_keys
-- The keys of the source rows that belong to a lead, or that the read model last knew it by.
--
-- Returns kind, key, is_own (whether the source row belongs to the lead now) and is_known (whether
-- projector.source_keys has it under this lead). A row that is not known yet is found by the change that waits, and a
-- conversation whose agent moved to the tenant by its agent's change and the spellings of the phone. Parameters also:
-- bound, how many keys of waiting changes are looked at; spellings, an array.
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

candidates AS (
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
    WHERE w.kind IN ('messages', 'conversations', 'extractions', 'reload_conversations', 'contacts', 'template_sends')
    UNION ALL
    SELECT
        'conversation',
        c.conversation_id::text COLLATE "C",
        false
    FROM waiting AS w
    CROSS JOIN LATERAL (
        SELECT source.conversation_id
        FROM {source.conversations} AS source
        WHERE source.agent_id = w.key COLLATE "default" AND source.customer_phone = any(%(spellings)s::text[])
        OFFSET 0
    ) AS c
    WHERE w.kind = 'agents'
),

found AS (
    SELECT
        c.kind,
        c.key,
        bool_or(c.is_known) AS is_known
    FROM candidates AS c
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
-- The changes that wait and concern the lead, the oldest first.
--
-- Returns kind, key, queued_at, and total, how many there are. Parameters: kinds, keys, bound, size.
WITH own_keys AS MATERIALIZED (
    SELECT
        k.kind,
        k.key
    FROM unnest(%(kinds)s::text[], %(keys)s::text[]) AS k (kind, key)
),

agents_of_lead AS MATERIALIZED (
    SELECT DISTINCT
        a.agent_id::text AS agent_id,
        a.phone_number_id::text AS phone_number_id
    FROM own_keys AS k
    CROSS JOIN LATERAL (
        SELECT
            c.agent_id,
            agents.phone_number_id
        FROM {source.conversations} AS c
        INNER JOIN {source.agents} ON agents.agent_id = c.agent_id
        WHERE c.conversation_id = k.key
        OFFSET 0
    ) AS a
    WHERE k.kind = 'conversation'
),

templates_of_lead AS MATERIALIZED (
    SELECT DISTINCT
        t.template_id::text AS template_id,
        t.phone_number_id::text AS phone_number_id
    FROM own_keys AS k
    CROSS JOIN LATERAL (
        SELECT
            s.template_id,
            templates.phone_number_id
        FROM {source.template_sends} AS s
        INNER JOIN {source.templates} ON templates.template_id = s.template_id
        WHERE s.send_id = k.key
        OFFSET 0
    ) AS t
    WHERE k.kind = 'template_send'
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
        'agents',
        a.agent_id
    FROM agents_of_lead AS a
    UNION
    SELECT
        'phone_numbers',
        a.phone_number_id
    FROM agents_of_lead AS a
    UNION
    SELECT
        'templates',
        t.template_id
    FROM templates_of_lead AS t
    UNION
    SELECT
        'phone_numbers',
        t.phone_number_id
    FROM templates_of_lead AS t
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
-- Returns kind, key, error, attempts, first_failed_at, retry_at. Parameters: user_id, customer_phone, kinds, keys,
-- bound.
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
-- Returns document, the lead as the read model has it. Parameters: user_id, customer_phone.
SELECT l.document
FROM read_model.leads AS l
WHERE l.user_id = %(user_id)s AND l.customer_phone = %(customer_phone)s;

-- name: compute_document
-- Returns document, the lead as the definition makes it of the source rows at this moment; no row where it makes none.
-- Parameters: user_id, customer_phone, kinds, keys.
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

SELECT l.document
FROM ({definition.leads}) AS l;

-- name: rank_extractions
-- The extractions of the lead's conversations, the winner first. Parameters: kinds, keys, size.
--
-- Returns key, conversation_id, is_latest, time (uncut), the columns that are printed, and total.
SELECT
    x.extraction_id::text AS key,
    x.conversation_id::text AS conversation_id,
    x.is_latest,
    x.extracted_at::timestamptz::text AS time,
    left(x.name, 65536) AS name,
    left(x.email, 65536) AS email,
    left(x.company, 65536) AS company,
    x.intent_score,
    x.urgency_score,
    x.budget_score,
    x.fit_score,
    x.engagement_score,
    x.total_score,
    x.lead_status_tag,
    count(*) OVER () AS total
FROM unnest(%(kinds)s::text[], %(keys)s::text[]) AS k (kind, key)
CROSS JOIN LATERAL (
    SELECT
        source.extraction_id,
        source.conversation_id,
        source.is_latest,
        source.extracted_at,
        source.name,
        source.email,
        source.company,
        source.intent_score,
        source.urgency_score,
        source.budget_score,
        source.fit_score,
        source.engagement_score,
        source.total_score,
        source.lead_status_tag
    FROM {source.extractions} AS source
    WHERE source.conversation_id = k.key
    OFFSET 0
) AS x
WHERE k.kind = 'conversation'
ORDER BY x.is_latest IS TRUE DESC, x.extracted_at DESC NULLS LAST, x.extraction_id DESC
LIMIT %(size)s;

-- name: rank_contacts
-- The contacts of the lead, the winner first. Parameters: kinds, keys, size.
--
-- Returns key, phone as stored, time (uncut), name, email, company and total.
SELECT
    c.contact_id::text AS key,
    c.phone::text AS phone,
    c.updated_at::timestamptz::text AS time,
    left(c.name, 65536) AS name,
    left(c.email, 65536) AS email,
    left(c.company, 65536) AS company,
    count(*) OVER () AS total
FROM unnest(%(kinds)s::text[], %(keys)s::text[]) AS k (kind, key)
CROSS JOIN LATERAL (
    SELECT
        source.contact_id,
        source.phone,
        source.updated_at,
        source.name,
        source.email,
        source.company
    FROM {source.contacts} AS source
    WHERE source.contact_id = k.key
    OFFSET 0
) AS c
WHERE k.kind = 'contact'
ORDER BY c.updated_at DESC NULLS LAST, c.contact_id COLLATE "C" DESC
LIMIT %(size)s;

-- name: rank_conversations
-- The conversations of the lead in the order in which they are printed. Parameters: kinds, keys.
--
-- Returns key, phone as stored, agent_id, phone_number_id, platform, created_at and noted_at as the API prints times,
-- messages, and of the newest message newest_id and newest_at, null without messages.
SELECT
    d.conversation_id AS key,
    raw.customer_phone::text AS phone,
    d.agent_id,
    d.phone_number_id,
    d.platform,
    projector.format_time(d.created_at) AS created_at,
    projector.format_time(d.source_last_message_at) AS noted_at,
    counted.messages,
    newest.message_id AS newest_id,
    projector.format_time(newest.sent_at) AS newest_at
FROM unnest(%(kinds)s::text[], %(keys)s::text[]) AS k (kind, key)
CROSS JOIN LATERAL (
    SELECT c.*
    FROM ({definition.conversations}) AS c
    WHERE c.conversation_id = k.key
    OFFSET 0
) AS d
INNER JOIN {source.conversations} AS raw ON raw.conversation_id = k.key
CROSS JOIN LATERAL (
    SELECT count(*) AS messages
    FROM {source.messages} AS m
    WHERE m.conversation_id = k.key
) AS counted
LEFT JOIN LATERAL (
    SELECT
        m.message_id,
        m.sent_at
    FROM ({definition.lead_messages}) AS m
    WHERE m.conversation_id = k.key
    ORDER BY m.sent_at DESC, m.sequence_no DESC NULLS FIRST, m.message_id COLLATE "C" DESC
    LIMIT 1
) AS newest ON true
WHERE k.kind = 'conversation'
ORDER BY coalesce(newest.sent_at, d.source_last_message_at) DESC NULLS LAST, d.conversation_id COLLATE "C";

-- name: rank_last_messages
-- The messages of the lead from the last one on. Parameters: kinds, keys, size, characters.
--
-- Returns key, conversation_id, time as the API prints it, sender and text.
SELECT
    m.message_id AS key,
    m.conversation_id,
    projector.format_time(m.sent_at) AS time,
    m.sender,
    left(m.text, %(characters)s) AS text
FROM unnest(%(kinds)s::text[], %(keys)s::text[]) AS k (kind, key)
CROSS JOIN LATERAL (
    SELECT d.*
    FROM ({definition.lead_messages}) AS d
    WHERE d.conversation_id = k.key
    ORDER BY d.sent_at DESC, d.sequence_no DESC NULLS FIRST, d.message_id COLLATE "C" DESC
    LIMIT %(size)s
) AS m
WHERE k.kind = 'conversation'
ORDER BY
    m.sent_at DESC,
    m.conversation_id COLLATE "C" DESC,
    m.sequence_no DESC NULLS FIRST,
    m.message_id COLLATE "C" DESC
LIMIT %(size)s;

-- name: rank_first_messages
-- The messages of the lead from the earliest on. Parameters: kinds, keys, size.
--
-- Returns key, and time as the API prints it.
SELECT
    m.message_id AS key,
    projector.format_time(m.sent_at) AS time
FROM unnest(%(kinds)s::text[], %(keys)s::text[]) AS k (kind, key)
CROSS JOIN LATERAL (
    SELECT
        d.message_id,
        d.sent_at
    FROM ({definition.lead_messages}) AS d
    WHERE d.conversation_id = k.key
    ORDER BY d.sent_at, d.message_id COLLATE "C"
    LIMIT %(size)s
) AS m
WHERE k.kind = 'conversation'
ORDER BY m.sent_at, m.message_id COLLATE "C"
LIMIT %(size)s;

-- name: rank_sends
-- The template sends of the lead: the first ones by each order that a field goes by.
--
-- Returns key, phone and status as stored, template_id, phone_number_id, platform, time as the API prints it,
-- is_counted, newest and earliest (its places among those counted, or among those not), of_platform (its place among
-- those of its platform, by key) and on_platform (how many these are), total (how many are
-- counted, or not). Parameters: kinds, keys, size.
SELECT ranked.*
FROM (
    SELECT
        s.*,
        projector.format_time(s.sent_at) AS time,
        row_number() OVER (PARTITION BY s.is_counted ORDER BY s.sent_at DESC, s.key COLLATE "C" DESC) AS newest,
        row_number() OVER (PARTITION BY s.is_counted ORDER BY s.sent_at, s.key COLLATE "C") AS earliest,
        row_number() OVER (PARTITION BY s.is_counted, s.platform ORDER BY s.key COLLATE "C") AS of_platform,
        count(*) OVER (PARTITION BY s.is_counted, s.platform) AS on_platform,
        count(*) OVER (PARTITION BY s.is_counted) AS total
    FROM (
        SELECT
            k.key,
            x.*
        FROM unnest(%(kinds)s::text[], %(keys)s::text[]) AS k (kind, key)
        CROSS JOIN LATERAL (
            SELECT
                source.customer_phone::text AS phone,
                source.status::text AS status,
                source.template_id::text AS template_id,
                t.phone_number_id::text AS phone_number_id,
                p.platform::text AS platform,
                projector.clamp_time(coalesce(source.sent_at, source.created_at, 'epoch')::timestamptz) AS sent_at,
                coalesce(source.status, 'SENT') NOT IN ('PENDING', 'FAILED') AS is_counted
            FROM {source.template_sends} AS source
            INNER JOIN {source.templates} AS t ON t.template_id = source.template_id
            LEFT JOIN {source.phone_numbers} AS p ON p.id = t.phone_number_id
            WHERE source.send_id = k.key
            OFFSET 0
        ) AS x
        WHERE k.kind = 'template_send'
    ) AS s
) AS ranked
WHERE ranked.newest <= %(size)s OR ranked.earliest <= %(size)s OR ranked.of_platform <= %(size)s
ORDER BY ranked.is_counted DESC, ranked.newest ASC;

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

-- name: find_neighbours
-- The leads of the tenant next to a phone in the order of phones, before and after it. Parameters: user_id,
-- customer_phone.
(
    SELECT l.customer_phone
    FROM read_model.leads AS l
    WHERE l.user_id = %(user_id)s AND l.customer_phone < %(customer_phone)s
    ORDER BY l.customer_phone DESC
    LIMIT 1
)
UNION ALL
(
    SELECT l.customer_phone
    FROM read_model.leads AS l
    WHERE l.user_id = %(user_id)s AND l.customer_phone > %(customer_phone)s
    ORDER BY l.customer_phone ASC
    LIMIT 1
);

-- name: count_leads
-- Returns how many leads the tenant has. Parameter: user_id.
SELECT coalesce(sum(t.leads), 0) AS leads
FROM read_model.lead_totals AS t
WHERE t.user_id = %(user_id)s AND t.granularity = 'all';
