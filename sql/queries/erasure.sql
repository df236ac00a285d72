-- What `erase` asks and deletes: everything of ours about a tenant, or about one of its leads.
--
-- Where a query takes user_id and customer_phone, the phone is null for the whole tenant. A key is unknown if neither
-- the definition nor projector.source_keys has it: to refresh, retry or compare it would do nothing.

-- name: canonical_phone
-- Returns: customer_phone in its canonical form; null for a blank. Parameter: phone.
SELECT projector.canonical_phone(%(phone)s) AS customer_phone;

-- name: find_standing_rows
-- Returns table_name, rows and example (a primary key) of each source table that has rows from which the tenant or the
-- lead would come back. Parameters: user_id, customer_phone.
SELECT
    found.table_name,
    count(*) AS rows,
    min(found.key) AS example
FROM (
    SELECT
        k.kind || 's' AS table_name,
        k.key
    FROM ({definition.source_keys}) AS k
    WHERE k.user_id = %(user_id)s COLLATE "default"
        AND (%(customer_phone)s::text IS NULL OR k.customer_phone = %(customer_phone)s)
    UNION ALL
    SELECT
        'users' AS table_name,
        u.user_id::text AS key
    FROM {source.users} AS u
    WHERE u.user_id::text = %(user_id)s AND %(customer_phone)s::text IS NULL
    UNION ALL
    SELECT
        'agents' AS table_name,
        a.agent_id::text AS key
    FROM {source.agents} AS a
    WHERE a.user_id::text = %(user_id)s AND %(customer_phone)s::text IS NULL
    UNION ALL
    SELECT
        'templates' AS table_name,
        t.template_id::text AS key
    FROM {source.templates} AS t
    WHERE t.user_id::text = %(user_id)s AND %(customer_phone)s::text IS NULL
) AS found
GROUP BY found.table_name
ORDER BY found.table_name;

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
-- The tenant is named twice: so Citus sends the statement as a whole to the one place that has these rows.
DELETE FROM {table}
WHERE user_id = %(user_id)s
    AND ctid = any(
        ARRAY(
            SELECT t.ctid
            FROM {table} AS t
            WHERE t.user_id = %(user_id)s
                AND (%(customer_phone)s::text IS NULL OR t.customer_phone = %(customer_phone)s)
            LIMIT %(size)s
        )
    );

-- name: delete_of_tenant
-- Deletes all rows that a table has of a tenant. Parameter: user_id.
DELETE FROM {table}
WHERE user_id = %(user_id)s;

-- name: create_unknown_keys
-- Creates the temporary table unknown_keys, for this transaction: the keys in the queue, among the dead letters, in the
-- drift log and in the verify that are unknown, by the kind of change that has them; for the kinds of
-- projector.source_keys, by these.
CREATE TEMPORARY TABLE unknown_keys ON COMMIT DROP AS
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
WHERE CASE
    WHEN keyed.source_kind IS NOT NULL THEN NOT EXISTS (
        SELECT
        FROM projector.source_keys AS k
        WHERE k.kind = keyed.source_kind AND k.key = named.key
    )
    AND NOT EXISTS (
        SELECT
        FROM ({definition.source_keys}) AS k
        WHERE k.kind = keyed.source_kind AND k.key = named.key COLLATE "default"
    )
    -- What these are spread to can be there without them where the platform has no foreign keys.
    WHEN named.kind = 'agents' THEN NOT EXISTS (
        SELECT FROM {source.agents} AS a WHERE a.agent_id::text = named.key
    )
    AND NOT EXISTS (SELECT FROM {source.conversations} AS c WHERE c.agent_id::text = named.key)
    WHEN named.kind = 'phone_numbers' THEN NOT EXISTS (
        SELECT FROM {source.phone_numbers} AS p WHERE p.id::text = named.key
    )
    AND NOT EXISTS (SELECT FROM {source.agents} AS a WHERE a.phone_number_id::text = named.key)
    AND NOT EXISTS (SELECT FROM {source.templates} AS t WHERE t.phone_number_id::text = named.key)
    WHEN named.kind = 'templates' THEN NOT EXISTS (
        SELECT FROM {source.templates} AS t WHERE t.template_id::text = named.key
    )
    AND NOT EXISTS (SELECT FROM {source.template_sends} AS s WHERE s.template_id::text = named.key)
    ELSE false
END;

-- name: clean_queue
-- Takes the unknown keys out of the queue. What a change with one says of messages may be of it: the other
-- conversations of the change are read again. This transaction owns all shards.
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
)

UPDATE projector.changes AS c
SET keys = named.kept,
    kind = CASE c.kind WHEN 'messages' THEN 'reload_conversations' ELSE c.kind END,
    message_ids = NULL
FROM named
WHERE c.ctid = named.row_id AND named.kept IS NOT NULL;

-- name: delete_unknown
-- Deletes the rows of unknown keys from a table that has kind, key and user_id, which can be blank. Parameter: user_id.
DELETE FROM {table} AS t
USING unknown_keys AS u
WHERE u.kind = t.kind AND u.key = t.key AND coalesce(t.user_id, '') IN ('', %(user_id)s);

-- name: restart_rebuild
-- Has a rebuild that was interrupted begin again if it is at what is erased. Parameters: user_id, customer_phone.
UPDATE projector.rebuild_plan
SET cursor_user_id = '', cursor_phone = ''
WHERE cursor_user_id = %(user_id)s AND (%(customer_phone)s::text IS NULL OR cursor_phone = %(customer_phone)s);

-- name: restart_phase
-- Has the present phase of the verify begin again if it is at what is erased. Parameters: user_id, customer_phone.
UPDATE projector.verify_rounds AS r
SET after_first = '', after_second = ''
WHERE r.finished_at IS NULL
    AND (
        (r.after_first = %(user_id)s AND (%(customer_phone)s::text IS NULL OR r.after_second = %(customer_phone)s))
        OR EXISTS (SELECT FROM unknown_keys AS u WHERE u.key = r.after_second)
    );

-- name: forget_runs
-- Takes a tenant out of the runs that were asked for it; a run that was for nobody else goes. Parameter: user_id.
WITH deleted AS (
    DELETE FROM projector.runs
    WHERE tenants = ARRAY[%(user_id)s::text]
)

UPDATE projector.runs
SET tenants = array_remove(tenants, %(user_id)s)
WHERE %(user_id)s = any(tenants) AND tenants <> ARRAY[%(user_id)s::text];

-- name: forget_note
-- Replaces a text that names the tenant or the lead, since more of it can be in it. Parameters: mention, a regular
-- expression; instead.
UPDATE {table}
SET {column} = %(instead)s
WHERE {column} ~ %(mention)s;

-- name: forget_reason
-- The same for the reason for which an operator switched capture off.
UPDATE projector.settings
SET value = %(instead)s
WHERE name = 'capture_off' AND value ~ %(mention)s;

-- name: find_unfinished
-- Returns erasure_id of the erasure of the same tenant or lead that did not end. Parameters: user_id, customer_phone.
SELECT e.erasure_id
FROM projector.erasures AS e
WHERE e.finished_at IS NULL
    AND e.user_id = %(user_id)s
    AND e.customer_phone IS NOT DISTINCT FROM %(customer_phone)s::text;

-- name: note
-- Writes a line into the ledger, and returns its erasure_id. Until it has ended, the line names whom it is for.
-- Parameters: user_id, customer_phone, asked_by.
INSERT INTO projector.erasures (salt, tenant_hash, lead_hash, asked_by, user_id, customer_phone)
SELECT
    s.salt,
    encode(sha256(convert_to(json_build_array(s.salt, %(user_id)s::text)::text, 'UTF8')), 'hex'),
    CASE
        WHEN %(customer_phone)s::text IS NOT NULL THEN encode(
            sha256(convert_to(json_build_array(s.salt, %(user_id)s::text, %(customer_phone)s::text)::text, 'UTF8')),
            'hex'
        )
    END,
    %(asked_by)s || ', as ' || session_user,
    %(user_id)s,
    %(customer_phone)s
FROM (
    SELECT
        coalesce(
            (SELECT e.salt FROM projector.erasures AS e ORDER BY e.asked_at DESC LIMIT 1),
            replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')
        ) AS salt
) AS s
RETURNING erasure_id;

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

-- name: read_unfinished
-- Returns erasure_id, user_id and customer_phone of the erasures that did not end, and whom they are for.
SELECT
    e.erasure_id,
    e.user_id,
    e.customer_phone
FROM projector.erasures AS e
WHERE e.finished_at IS NULL AND e.user_id IS NOT NULL;

-- name: find_matches
-- Returns erasure_id, user_id and customer_phone (null for a whole tenant) of what the ledger names and a table has.
-- Only the leads of tenants that the ledger knows are hashed.
WITH tenants AS MATERIALIZED (
    SELECT
        hashed.salt,
        hashed.user_id,
        hashed.tenant_hash
    FROM (
        SELECT
            s.salt,
            t.user_id,
            encode(sha256(convert_to(json_build_array(s.salt, t.user_id)::text, 'UTF8')), 'hex') AS tenant_hash
        FROM (SELECT DISTINCT e.salt FROM projector.erasures AS e) AS s
        CROSS JOIN (SELECT DISTINCT found.user_id FROM {table} AS found WHERE found.user_id IS NOT NULL) AS t
    ) AS hashed
    WHERE EXISTS (SELECT FROM projector.erasures AS e WHERE e.tenant_hash = hashed.tenant_hash)
)

SELECT
    e.erasure_id,
    t.user_id,
    NULL AS customer_phone
FROM tenants AS t
INNER JOIN projector.erasures AS e ON e.tenant_hash = t.tenant_hash AND e.lead_hash IS NULL
UNION ALL
SELECT
    e.erasure_id,
    l.user_id,
    l.customer_phone
FROM tenants AS t
INNER JOIN (SELECT DISTINCT found.user_id, found.customer_phone FROM {table} AS found) AS l ON l.user_id = t.user_id
INNER JOIN projector.erasures AS e ON e.lead_hash = encode(
    sha256(convert_to(json_build_array(t.salt, l.user_id, l.customer_phone)::text, 'UTF8')), 'hex'
);

-- name: tenants_of_table
SELECT
    t.user_id,
    NULL AS customer_phone
FROM {table} AS t;

-- name: tenants_of_runs
SELECT
    t.user_id,
    NULL AS customer_phone
FROM projector.runs AS r
CROSS JOIN LATERAL unnest(r.tenants) AS t (user_id);

-- name: leads_of_source
SELECT
    k.user_id,
    k.customer_phone
FROM ({definition.source_keys}) AS k
UNION ALL
SELECT
    u.user_id::text COLLATE "C",
    NULL
FROM {source.users} AS u
UNION ALL
SELECT
    a.user_id::text COLLATE "C",
    NULL
FROM {source.agents} AS a;

-- name: find_tables
-- Returns name, quoted for SQL, of each table that `erase --vacuum` rewrites, whether it is ours (is_ours) and the
-- planner has statistics of it (has_statistics), which hold values of rows, and whether this login may rewrite it
-- (is_allowed).
SELECT
    quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name,
    n.nspname <> 'pg_catalog' AS is_ours,
    EXISTS (SELECT FROM pg_catalog.pg_stats AS s WHERE s.schemaname = n.nspname AND s.tablename = c.relname)
        AS has_statistics,
    pg_has_role(c.relowner, 'USAGE') OR pg_has_role(d.datdba, 'USAGE') AS is_allowed
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_catalog.pg_database AS d ON d.datname = current_database()
WHERE (n.nspname IN ('read_model', 'projector', 'leads_access') AND c.relkind = 'r')
    OR c.oid = 'pg_catalog.pg_statistic'::regclass
ORDER BY n.nspname = 'pg_catalog', n.nspname, c.relname;

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
