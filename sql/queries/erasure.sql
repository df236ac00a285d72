-- What `erase` asks and deletes: everything of ours about a tenant, or about one of its leads.
--
-- Where a query takes user_id and customer_phone, the phone is null for the whole tenant. A key is unknown if neither
-- the source nor projector.source_keys has it: to refresh, retry or compare it would do nothing.

-- name: canonical_phone
-- Returns: customer_phone in its canonical form; null for a blank. Parameter: phone.
SELECT projector.canonical_phone(%(phone)s) AS customer_phone;

-- name: find_standing_rows
-- Returns table_name, rows and example (a primary key) of each source table that has rows from which the tenant or the
-- lead would come back. Parameters: user_id, customer_phone.
WITH held AS MATERIALIZED (
    SELECT c.conversation_id
    FROM {source.agents} AS a
    INNER JOIN {source.conversations} AS c ON c.agent_id = a.agent_id
    WHERE a.user_id::text = %(user_id)s
        AND (%(customer_phone)s::text IS NULL OR projector.canonical_phone(c.customer_phone) = %(customer_phone)s)
)

SELECT
    found.table_name,
    found.rows,
    found.example
FROM (
    SELECT
        'users' AS table_name,
        count(*) AS rows,
        min(u.user_id::text) AS example
    FROM {source.users} AS u
    WHERE u.user_id::text = %(user_id)s AND %(customer_phone)s::text IS NULL
    UNION ALL
    SELECT
        'agents' AS table_name,
        count(*) AS rows,
        min(a.agent_id::text) AS example
    FROM {source.agents} AS a
    WHERE a.user_id::text = %(user_id)s AND %(customer_phone)s::text IS NULL
    UNION ALL
    SELECT
        'conversations' AS table_name,
        count(*) AS rows,
        min(held.conversation_id::text) AS example
    FROM held
    UNION ALL
    SELECT
        'messages' AS table_name,
        count(*) AS rows,
        min(m.message_id::text) AS example
    FROM held
    INNER JOIN {source.messages} AS m ON m.conversation_id = held.conversation_id
    UNION ALL
    SELECT
        'extractions' AS table_name,
        count(*) AS rows,
        min(e.extraction_id::text) AS example
    FROM held
    INNER JOIN {source.extractions} AS e ON e.conversation_id = held.conversation_id
    UNION ALL
    SELECT
        'contacts' AS table_name,
        count(*) AS rows,
        min(c.contact_id::text) AS example
    FROM {source.contacts} AS c
    WHERE c.user_id::text = %(user_id)s
        AND (%(customer_phone)s::text IS NULL OR projector.canonical_phone(c.phone) = %(customer_phone)s)
    UNION ALL
    SELECT
        'templates' AS table_name,
        count(*) AS rows,
        min(t.template_id::text) AS example
    FROM {source.templates} AS t
    WHERE t.user_id::text = %(user_id)s AND %(customer_phone)s::text IS NULL
    UNION ALL
    SELECT
        'template_sends' AS table_name,
        count(*) AS rows,
        min(s.send_id::text) AS example
    FROM {source.templates} AS t
    INNER JOIN {source.template_sends} AS s ON s.template_id = t.template_id
    WHERE t.user_id::text = %(user_id)s
        AND (%(customer_phone)s::text IS NULL OR projector.canonical_phone(s.customer_phone) = %(customer_phone)s)
) AS found
WHERE found.rows > 0;

-- name: count_held
-- Returns: leads and messages that the read model has, and api_keys of a whole tenant.
--
-- Parameters: user_id, customer_phone.
SELECT
    count(*) AS leads,
    coalesce(sum(l.total_messages), 0)::bigint AS messages,
    (
        SELECT count(*)
        FROM leads_access.api_keys AS a
        WHERE a.user_id = %(user_id)s AND %(customer_phone)s::text IS NULL
    ) AS api_keys
FROM read_model.leads AS l
WHERE l.user_id = %(user_id)s AND (%(customer_phone)s::text IS NULL OR l.customer_phone = %(customer_phone)s);

-- name: delete_some
-- Deletes rows of a table that has tenant and phone. Parameters: user_id, customer_phone, size (how many rows at most).
--
DELETE FROM {table}
WHERE ctid = any(
    ARRAY(
        SELECT t.ctid
        FROM {table} AS t
        WHERE t.user_id = %(user_id)s AND (%(customer_phone)s::text IS NULL OR t.customer_phone = %(customer_phone)s)
        LIMIT %(size)s
    )
);

-- name: delete_of_tenant
-- Deletes all rows that a table has of a tenant. Parameter: user_id.
DELETE FROM {table}
WHERE user_id = %(user_id)s;

-- name: find_unknown_keys
-- Fills the temporary table unknown_keys: the keys in the queue, among the dead letters, in the drift log and in the
-- verify that are unknown, by the kind of change that has them; for the kinds of projector.source_keys, by these.
WITH named AS (
    SELECT DISTINCT
        c.kind,
        k.key
    FROM projector.changes AS c
    CROSS JOIN LATERAL unnest(c.keys) AS k (key)
    WHERE c.kind <> 'truncate' AND c.shard >= 0 AND k.key IS NOT NULL
    UNION
    SELECT
        d.kind,
        d.key
    FROM projector.dead_letters AS d
    UNION
    SELECT
        d.kind,
        d.key
    FROM projector.drift AS d
    WHERE d.key <> ''
    UNION
    SELECT
        o.kind,
        o.key
    FROM projector.verify_left_out AS o
    WHERE o.key <> ''
    UNION
    SELECT
        CASE WHEN r.phase = 'keys' THEN r.after_first ELSE r.phase END AS kind,
        r.after_second AS key
    FROM projector.verify_rounds AS r
    WHERE r.finished_at IS NULL AND r.phase IN ('keys', 'conversation', 'contact', 'template_send')
)

INSERT INTO unknown_keys (kind, key)
SELECT
    named.kind,
    named.key
FROM named
LEFT JOIN (
    VALUES
    ('messages', 'conversation'),
    ('conversations', 'conversation'),
    ('extractions', 'conversation'),
    ('reload_conversations', 'conversation'),
    ('conversation', 'conversation'),
    ('contacts', 'contact'),
    ('contact', 'contact'),
    ('template_sends', 'template_send'),
    ('template_send', 'template_send')
) AS keyed (kind, source_kind) ON keyed.kind = named.kind
WHERE NOT EXISTS (
    SELECT
    FROM projector.source_keys AS k
    WHERE k.kind = keyed.source_kind AND k.key = named.key
)
AND CASE keyed.source_kind
    WHEN 'conversation' THEN NOT EXISTS (
        SELECT FROM {source.conversations} AS c WHERE c.conversation_id::text = named.key
    )
    WHEN 'contact' THEN NOT EXISTS (SELECT FROM {source.contacts} AS c WHERE c.contact_id::text = named.key)
    WHEN 'template_send' THEN NOT EXISTS (SELECT FROM {source.template_sends} AS s WHERE s.send_id::text = named.key)
    ELSE CASE named.kind
        -- What it would be spread to can be there without it where the platform has no foreign keys.
        WHEN 'agents' THEN NOT EXISTS (SELECT FROM {source.agents} AS a WHERE a.agent_id::text = named.key)
        AND NOT EXISTS (SELECT FROM {source.conversations} AS c WHERE c.agent_id::text = named.key)
        WHEN 'phone_numbers' THEN NOT EXISTS (SELECT FROM {source.phone_numbers} AS p WHERE p.id::text = named.key)
        AND NOT EXISTS (SELECT FROM {source.agents} AS a WHERE a.phone_number_id::text = named.key)
        AND NOT EXISTS (SELECT FROM {source.templates} AS t WHERE t.phone_number_id::text = named.key)
        WHEN 'templates' THEN NOT EXISTS (SELECT FROM {source.templates} AS t WHERE t.template_id::text = named.key)
        AND NOT EXISTS (SELECT FROM {source.template_sends} AS s WHERE s.template_id::text = named.key)
        ELSE false
    END
END;

-- name: create_unknown_keys
CREATE TEMPORARY TABLE IF NOT EXISTS unknown_keys (
    kind text COLLATE "C",
    key text COLLATE "C"
);

-- name: find_doubtful_messages
-- Returns: user_ids and message_ids, two arrays of one length: the messages of changes with an unknown key that the
-- source does not have, each under the tenants that its other conversations are known under.
SELECT
    coalesce(array_agg(doubtful.user_id), '{}') AS user_ids,
    coalesce(array_agg(doubtful.message_id), '{}') AS message_ids
FROM (
    SELECT DISTINCT
        sk.user_id,
        m.message_id
    FROM projector.changes AS c
    CROSS JOIN LATERAL unnest(c.message_ids) AS m (message_id)
    CROSS JOIN LATERAL unnest(c.keys) AS k (key)
    INNER JOIN projector.source_keys AS sk ON sk.kind = 'conversation' AND sk.key = k.key
    WHERE c.kind <> 'truncate'
        AND c.shard >= 0
        AND EXISTS (
            SELECT
            FROM unknown_keys AS u
            WHERE u.kind = c.kind AND u.key = any(c.keys)
        )
        AND NOT EXISTS (SELECT FROM {source.messages} AS s WHERE s.message_id::text = m.message_id)
) AS doubtful;

-- name: find_stored_messages
-- Returns: user_ids and message_ids, those of the messages that the read model has.
--
-- Parameters: user_ids and message_ids, two arrays of one length.
SELECT
    coalesce(array_agg(l.user_id), '{}') AS user_ids,
    coalesce(array_agg(l.message_id), '{}') AS message_ids
FROM unnest(%(user_ids)s::text[], %(message_ids)s::text[]) AS d (user_id, message_id)
INNER JOIN read_model.lead_messages AS l ON l.user_id = d.user_id AND l.message_id = d.message_id;

-- name: clean_queue
-- Takes the unknown keys out of the queue, with the messages that nothing knows in a change of theirs. This transaction
-- owns all shards. Returns: changes, how many were deleted or rewritten. Parameters: user_ids and message_ids, the
-- messages that the read model has, and the source has not.
WITH named AS MATERIALIZED (
    SELECT
        c.ctid AS row_id,
        array_agg(k.key ORDER BY k.place) FILTER (WHERE u.key IS NULL) AS kept
    FROM projector.changes AS c
    CROSS JOIN LATERAL unnest(c.keys) WITH ORDINALITY AS k (key, place)
    LEFT JOIN unknown_keys AS u ON u.kind = c.kind AND u.key = k.key
    WHERE c.kind <> 'truncate' AND c.shard >= 0
    GROUP BY c.ctid
    HAVING bool_or(u.key IS NOT NULL)
),

deleted AS (
    DELETE FROM projector.changes
    WHERE ctid = any(ARRAY(SELECT named.row_id FROM named WHERE named.kept IS NULL))
    RETURNING 1
),

rewritten AS (
    UPDATE projector.changes AS c
    SET keys = named.kept,
        message_ids = CASE
            WHEN c.message_ids IS NOT NULL THEN ARRAY(
                SELECT m.message_id
                FROM unnest(c.message_ids) AS m (message_id)
                WHERE EXISTS (SELECT FROM {source.messages} AS s WHERE s.message_id::text = m.message_id)
                    OR EXISTS (
                        SELECT
                        FROM projector.source_keys AS k
                        INNER JOIN unnest(%(user_ids)s::text[], %(message_ids)s::text[]) AS l (user_id, message_id)
                            ON l.user_id = k.user_id AND l.message_id = m.message_id
                        WHERE k.kind = 'conversation' AND k.key = any(named.kept)
                    )
            )
        END
    FROM named
    WHERE c.ctid = named.row_id AND named.kept IS NOT NULL
    RETURNING 1
)

SELECT (SELECT count(*) FROM deleted) + (SELECT count(*) FROM rewritten) AS changes;

-- name: delete_letters
-- Deletes the dead letters of unknown keys: a retry would find nothing of them to project.
DELETE FROM projector.dead_letters AS d
USING unknown_keys AS u
WHERE u.kind = d.kind AND u.key = d.key;

-- name: delete_drift
-- Deletes what the drift log has of unknown keys of a tenant. Parameter: user_id.
DELETE FROM projector.drift AS d
USING unknown_keys AS u
WHERE u.kind = d.kind AND u.key = d.key AND d.user_id = %(user_id)s;

-- name: delete_left_out
-- Deletes the unknown keys that the present round of the verify has left out.
DELETE FROM projector.verify_left_out AS o
USING unknown_keys AS u
WHERE u.kind = o.kind AND u.key = o.key;

-- name: find_lead_before
-- Returns: user_id, customer_phone of the lead before another in their order; no row if there is none.
--
-- Parameters: user_id, customer_phone.
SELECT
    l.user_id,
    l.customer_phone
FROM read_model.leads AS l
WHERE (l.user_id, l.customer_phone) < (%(user_id)s, %(customer_phone)s)
ORDER BY l.user_id DESC, l.customer_phone DESC
LIMIT 1;

-- name: read_plan_position
-- Returns: the position of a rebuild that was interrupted, if it is at what is erased. Parameters: user_id,
-- customer_phone.
SELECT
    p.cursor_user_id,
    p.cursor_phone
FROM projector.rebuild_plan AS p
WHERE p.cursor_user_id = %(user_id)s
    AND (%(customer_phone)s::text IS NULL OR p.cursor_phone = %(customer_phone)s);

-- name: move_plan
-- Moves the position of a rebuild that was interrupted. Parameters: user_id, customer_phone.
UPDATE projector.rebuild_plan
SET cursor_user_id = %(user_id)s, cursor_phone = %(customer_phone)s;

-- name: read_round_position
-- Returns: phase, and the position of the present round of the verify, if it is at what is erased. Parameters: user_id,
-- customer_phone.
SELECT
    r.phase,
    r.after_first,
    r.after_second
FROM projector.verify_rounds AS r
WHERE r.finished_at IS NULL
    AND CASE r.phase
        WHEN 'leads' THEN r.after_first = %(user_id)s
        AND (%(customer_phone)s::text IS NULL OR r.after_second = %(customer_phone)s)
        WHEN 'statistics' THEN r.after_first = %(user_id)s AND %(customer_phone)s::text IS NULL
        ELSE EXISTS (SELECT FROM unknown_keys AS u WHERE u.key = r.after_second)
    END;

-- name: move_round
-- Moves the position of the present round of the verify. Parameters: after_first, after_second.
UPDATE projector.verify_rounds
SET after_first = %(after_first)s, after_second = %(after_second)s
WHERE finished_at IS NULL;

-- name: forget_runs
-- Takes a tenant out of the runs that were asked for it; a run that was for nobody else goes. Parameter: user_id.
WITH deleted AS (
    DELETE FROM projector.runs
    WHERE tenants = ARRAY[%(user_id)s::text]
)

UPDATE projector.runs
SET tenants = array_remove(tenants, %(user_id)s)
WHERE %(user_id)s = any(tenants) AND tenants <> ARRAY[%(user_id)s::text];

-- name: forget_notes
-- Replaces the messages and reasons that name the tenant or the lead, since more of it can be in them. Parameters: mention, a regular expression; instead.
WITH runs_forgotten AS (
    UPDATE projector.runs
    SET note = %(instead)s
    WHERE note ~ %(mention)s
),

rounds_forgotten AS (
    UPDATE projector.verify_rounds
    SET failure = %(instead)s
    WHERE failure ~ %(mention)s
),

letters_forgotten AS (
    UPDATE projector.dead_letters
    SET error = %(instead)s
    WHERE error ~ %(mention)s
),

gaps_forgotten AS (
    UPDATE projector.capture_gaps
    SET reason = %(instead)s
    WHERE reason ~ %(mention)s
)

UPDATE projector.settings
SET value = %(instead)s
WHERE name = 'capture_off' AND value ~ %(mention)s;

-- name: forget_gap
-- Replaces the reason that readers of the read model see, if it names the tenant or the lead.
--
-- Parameters: as above.
UPDATE read_model.projection
SET capture_gap = %(instead)s
WHERE capture_gap ~ %(mention)s;

-- name: note
-- Writes a line into the ledger, and returns its erasure_id. One of the same tenant or lead that did not end goes on.
-- Until it has ended, the line names whom it is for.
-- Parameters: user_id, customer_phone, asked_by.
WITH salted AS (
    SELECT
        coalesce(
            (SELECT e.salt FROM projector.erasures AS e ORDER BY e.asked_at DESC LIMIT 1),
            replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')
        ) AS salt
),

line AS (
    SELECT
        s.salt,
        encode(sha256(convert_to(json_build_array(s.salt, %(user_id)s::text)::text, 'UTF8')), 'hex') AS tenant_hash,
        CASE
            WHEN %(customer_phone)s::text IS NOT NULL THEN encode(
                sha256(
                    convert_to(json_build_array(s.salt, %(user_id)s::text, %(customer_phone)s::text)::text, 'UTF8')
                ),
                'hex'
            )
        END AS lead_hash
    FROM salted AS s
),

unfinished AS (
    SELECT e.erasure_id
    FROM projector.erasures AS e
    INNER JOIN line AS l ON l.tenant_hash = e.tenant_hash AND l.lead_hash IS NOT DISTINCT FROM e.lead_hash
    WHERE e.finished_at IS NULL
    ORDER BY e.asked_at
    LIMIT 1
),

noted AS (
    INSERT INTO projector.erasures (salt, tenant_hash, lead_hash, asked_by, user_id, customer_phone)
    SELECT
        l.salt,
        l.tenant_hash,
        l.lead_hash,
        %(asked_by)s || ', as ' || session_user,
        %(user_id)s,
        %(customer_phone)s
    FROM line AS l
    WHERE NOT EXISTS (SELECT FROM unfinished)
    RETURNING erasure_id
),

named AS (
    UPDATE projector.erasures AS e
    SET user_id = %(user_id)s, customer_phone = %(customer_phone)s
    FROM unfinished AS u
    WHERE e.erasure_id = u.erasure_id
    RETURNING e.erasure_id
)

SELECT n.erasure_id
FROM noted AS n
UNION ALL
SELECT n.erasure_id
FROM named AS n;

-- name: finish
-- Notes that an erasure has ended: from now on its line names nobody. Parameter: erasure_id.
UPDATE projector.erasures
SET finished_at = clock_timestamp(), user_id = NULL, customer_phone = NULL
WHERE erasure_id = %(erasure_id)s;

-- name: read_lines
-- Returns: the lines of the ledger as JSON, in order, as a ledger file has them.
SELECT
    json_build_object(
        'erasure_id', e.erasure_id,
        'salt', e.salt,
        'tenant_hash', e.tenant_hash,
        'lead_hash', e.lead_hash,
        'asked_at', e.asked_at,
        'asked_by', e.asked_by
    ) AS line
FROM projector.erasures AS e
ORDER BY e.asked_at, e.erasure_id;

-- name: add_line
-- Takes a line of a ledger file into the ledger, where it is not there yet. Parameters: erasure_id, salt, tenant_hash,
-- lead_hash, asked_at, asked_by.
INSERT INTO projector.erasures (erasure_id, salt, tenant_hash, lead_hash, asked_at, asked_by)
VALUES (%(erasure_id)s, %(salt)s, %(tenant_hash)s, %(lead_hash)s, %(asked_at)s, %(asked_by)s)
ON CONFLICT DO NOTHING;

-- name: find_stored_tenants
-- Returns: user_id of each tenant that the read model has, but for its messages.
SELECT t.user_id
FROM read_model.tenants AS t
UNION
SELECT l.user_id
FROM read_model.leads AS l
UNION
SELECT s.user_id
FROM read_model.lead_tombstones AS s
UNION
SELECT p.user_id
FROM read_model.lead_profiles AS p
UNION
SELECT c.user_id
FROM read_model.lead_conversations AS c
UNION
SELECT t.user_id
FROM read_model.lead_totals AS t;

-- name: find_tenants_of_messages
-- Returns: user_id of each tenant of which the read model has messages. From tenant to tenant by the index: a tenant can
-- have very many.
WITH RECURSIVE seen AS (
    (
        SELECT m.user_id
        FROM read_model.lead_messages AS m
        ORDER BY m.user_id
        LIMIT 1
    )
    UNION ALL
    SELECT next.user_id
    FROM seen
    CROSS JOIN LATERAL (
        SELECT m.user_id
        FROM read_model.lead_messages AS m
        WHERE m.user_id > seen.user_id
        ORDER BY m.user_id
        LIMIT 1
    ) AS next
)

SELECT s.user_id
FROM seen AS s;

-- name: find_tenants_with_keys
-- Returns: user_id of each tenant that a key of the API is for.
SELECT a.user_id
FROM leads_access.api_keys AS a
WHERE a.user_id IS NOT NULL;

-- name: find_matching_tenants
-- Returns salt, user_id and tenant_hash of each tenant that is there, here or in the source, and that a line of the
-- ledger is about. Parameter: stored, the tenants that the read model has.
WITH tenants AS MATERIALIZED (
    SELECT u.user_id::text COLLATE "C" AS user_id
    FROM {source.users} AS u
    UNION
    SELECT a.user_id::text COLLATE "C"
    FROM {source.agents} AS a
    UNION
    SELECT s.user_id COLLATE "C"
    FROM unnest(%(stored)s::text[]) AS s (user_id)
    UNION
    SELECT k.user_id
    FROM projector.source_keys AS k
    UNION
    SELECT d.user_id
    FROM projector.dead_letters AS d
    UNION
    SELECT d.user_id
    FROM projector.drift AS d
    UNION
    SELECT o.user_id
    FROM projector.verify_left_out AS o
    UNION
    SELECT t.user_id COLLATE "C"
    FROM projector.runs AS r
    CROSS JOIN LATERAL unnest(r.tenants) AS t (user_id)
),

salts AS (
    SELECT DISTINCT e.salt
    FROM projector.erasures AS e
)

SELECT
    hashed.salt,
    hashed.user_id,
    hashed.tenant_hash
FROM (
    SELECT
        s.salt,
        t.user_id,
        encode(sha256(convert_to(json_build_array(s.salt, t.user_id)::text, 'UTF8')), 'hex') AS tenant_hash
    FROM salts AS s
    CROSS JOIN tenants AS t
    WHERE t.user_id IS NOT NULL
) AS hashed
WHERE EXISTS (SELECT FROM projector.erasures AS e WHERE e.tenant_hash = hashed.tenant_hash);

-- name: read_lead_hashes
-- Returns: hashes, of the leads that the ledger names.
SELECT coalesce(array_agg(e.lead_hash), '{}') AS hashes
FROM projector.erasures AS e
WHERE e.lead_hash IS NOT NULL;

-- name: find_stored_leads
-- Returns user_id, customer_phone and lead_hash of each lead that the read model has and that the ledger names.
--
-- Parameters: salts and user_ids of the tenants, two arrays of one length; hashes, of the leads that the ledger names.
SELECT
    hashed.user_id,
    hashed.customer_phone,
    hashed.lead_hash
FROM (
    SELECT
        known.user_id,
        known.customer_phone,
        encode(
            sha256(convert_to(json_build_array(m.salt, known.user_id, known.customer_phone)::text, 'UTF8')), 'hex'
        ) AS lead_hash
    FROM unnest(%(salts)s::text[], %(user_ids)s::text[]) AS m (salt, user_id)
    INNER JOIN (
        SELECT
            l.user_id,
            l.customer_phone
        FROM read_model.leads AS l
        UNION
        SELECT
            s.user_id,
            s.customer_phone
        FROM read_model.lead_tombstones AS s
        UNION
        SELECT
            p.user_id,
            p.customer_phone
        FROM read_model.lead_profiles AS p
        UNION
        SELECT
            c.user_id,
            c.customer_phone
        FROM read_model.lead_conversations AS c
        UNION
        SELECT
            l.user_id,
            l.customer_phone
        FROM read_model.lead_messages AS l
    ) AS known ON known.user_id = m.user_id
) AS hashed
WHERE hashed.lead_hash = any(%(hashes)s::text[]);

-- name: find_matches
-- Returns erasure_id, user_id and customer_phone (null for a whole tenant) of what the ledger names and what is there
-- again, in our tables or in the source, and of the erasures that did not end; each tenant or lead once, tenants first.
--
-- Parameters: salts, user_ids and tenant_hashes of the tenants, as find_matching_tenants returns them; lead_users,
-- lead_phones and lead_hashes, as find_stored_leads does.
WITH matching_tenants AS MATERIALIZED (
    SELECT
        m.salt,
        m.user_id COLLATE "C" AS user_id,
        m.tenant_hash
    FROM unnest(%(salts)s::text[], %(user_ids)s::text[], %(tenant_hashes)s::text[])
        AS m (salt, user_id, tenant_hash)
),

leads AS (
    SELECT
        known.user_id,
        known.customer_phone,
        encode(
            sha256(convert_to(json_build_array(m.salt, known.user_id, known.customer_phone)::text, 'UTF8')), 'hex'
        ) AS lead_hash
    FROM matching_tenants AS m
    INNER JOIN (
        SELECT
            d.user_id,
            d.customer_phone
        FROM ({definition.source_keys}) AS d
        UNION
        SELECT
            k.user_id,
            k.customer_phone
        FROM projector.source_keys AS k
        UNION
        SELECT
            d.user_id,
            d.customer_phone
        FROM projector.dead_letters AS d
        UNION
        SELECT
            d.user_id,
            d.customer_phone
        FROM projector.drift AS d
        UNION
        SELECT
            o.user_id,
            o.customer_phone
        FROM projector.verify_left_out AS o
    ) AS known ON known.user_id = m.user_id
    WHERE known.customer_phone <> ''
    UNION
    SELECT
        s.user_id COLLATE "C",
        s.customer_phone COLLATE "C",
        s.lead_hash
    FROM unnest(%(lead_users)s::text[], %(lead_phones)s::text[], %(lead_hashes)s::text[])
        AS s (user_id, customer_phone, lead_hash)
),

matches AS (
    SELECT
        e.erasure_id,
        m.user_id,
        NULL::text AS customer_phone,
        e.asked_at
    FROM matching_tenants AS m
    INNER JOIN projector.erasures AS e ON e.tenant_hash = m.tenant_hash AND e.lead_hash IS NULL
    UNION ALL
    SELECT
        e.erasure_id,
        l.user_id,
        l.customer_phone,
        e.asked_at
    FROM leads AS l
    INNER JOIN projector.erasures AS e ON e.lead_hash = l.lead_hash
    UNION ALL
    SELECT
        e.erasure_id,
        e.user_id,
        e.customer_phone,
        e.asked_at
    FROM projector.erasures AS e
    WHERE e.finished_at IS NULL AND e.user_id IS NOT NULL
)

SELECT DISTINCT ON (m.user_id, m.customer_phone)
    m.erasure_id,
    m.user_id,
    m.customer_phone
FROM matches AS m
LEFT JOIN projector.erasures AS e ON e.erasure_id = m.erasure_id
-- One that did not end is the one to go on with, and to end.
ORDER BY m.user_id, m.customer_phone NULLS FIRST, e.finished_at IS NOT NULL, m.asked_at DESC;

-- name: find_tables
-- Returns name, quoted for SQL, of each table of ours, and whether the planner has statistics of it (has_statistics),
-- which hold values of rows.
SELECT
    c.oid::regclass::text AS name,
    EXISTS (SELECT FROM pg_catalog.pg_stats AS s WHERE s.schemaname = n.nspname AND s.tablename = c.relname)
        AS has_statistics
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname IN ('read_model', 'projector', 'leads_access') AND c.relkind = 'r'
ORDER BY n.nspname, c.relname;

-- name: has_rows
-- Returns whether a table has rows.
SELECT EXISTS (SELECT FROM {table}) AS has_rows;

-- name: describe_blank_row
-- Returns: row, a row of a table as JSON, with nothing in it that is not required. Parameter: table, its name.
SELECT
    jsonb_object_agg(
        a.attname,
        CASE
            WHEN a.attname = 'kind' THEN CASE WHEN c.relname = 'runs' THEN '"verify"' ELSE '"contact"' END
            WHEN a.attname = 'outcome' THEN '"done"'
            WHEN a.attname = 'granularity' THEN '"all"'
            WHEN a.attname = 'phase' THEN '"leads"'
            WHEN a.attname = 'key_hash' THEN to_json('\x' || repeat('00', 32))::text
            WHEN t.typcategory = 'S' THEN '""'
            WHEN t.typcategory = 'N' THEN '0'
            WHEN t.typcategory = 'B' THEN 'true'
            WHEN t.typcategory = 'D' THEN '"epoch"'
            WHEN t.typcategory = 'A' THEN '[]'
            ELSE 'null'
        END::jsonb
    ) AS row
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
INNER JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
WHERE c.oid = %(table)s::regclass;

-- name: insert_blank_row
-- Parameter: row, as JSON.
INSERT INTO {table} OVERRIDING SYSTEM VALUE
SELECT r.*
FROM jsonb_populate_record(NULL::{table}, %(row)s::jsonb) AS r;

-- name: delete_blank_row
-- Deletes what this transaction has inserted: another one may have filled the table meanwhile.
DELETE FROM {table}
WHERE xmin = pg_current_xact_id()::xid;

-- name: find_holder
-- Returns: holder, in words, of a snapshot or a transaction that is older than a transaction, so that VACUUM has to
-- keep rows that were deleted before that; no row if there is none. Parameter: transaction.
SELECT held.holder
FROM (
    SELECT
        format(
            'the session with the process id %%s (%%s)',
            a.pid,
            coalesce(nullif(a.application_name, ''), a.backend_type)
        ) AS holder,
        greatest(age(a.backend_xmin), age(a.backend_xid)) AS held_for
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.pid <> pg_backend_pid()
        AND (a.datname = current_database() OR a.backend_type = 'walsender')
        -- A VACUUM keeps no rows from another one.
        AND (a.query NOT LIKE 'autovacuum: VACUUM %%' OR a.query LIKE 'autovacuum: VACUUM ANALYZE %%')
    UNION ALL
    SELECT
        format('the replication slot %%s', r.slot_name) AS holder,
        greatest(age(r.xmin), age(r.catalog_xmin)) AS held_for
    FROM pg_catalog.pg_replication_slots AS r
    UNION ALL
    SELECT
        format('the prepared transaction %%s', p.gid) AS holder,
        age(p.transaction) AS held_for
    FROM pg_catalog.pg_prepared_xacts AS p
    WHERE p.database = current_database()
) AS held
WHERE held.held_for > age(%(transaction)s::xid)
LIMIT 1;

-- name: read_transaction
-- Returns: transaction, the id of a transaction of this moment: what was deleted before was deleted by older ones.
SELECT pg_current_xact_id()::xid::text AS transaction;
