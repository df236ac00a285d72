-- The queries of `assess`. They only read, and need no installation.

-- name: find_publications
-- Returns the publications of all tables, which would publish those of the read model too.
SELECT quote_ident(p.pubname) AS name
FROM pg_catalog.pg_publication AS p
WHERE p.puballtables
ORDER BY name;

-- name: measure_table
-- Returns the size of a table. Parameter: relation. If it was never analyzed, each page counts as 40 rows.
SELECT
    coalesce(sum(
        CASE
            WHEN c.reltuples >= 0 THEN c.reltuples
            ELSE pg_relation_size(c.oid) / current_setting('block_size')::integer * 40
        END
    ), 0)::bigint AS rows,
    coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS bytes
FROM (
    SELECT to_regclass(%(relation)s)::oid AS table_id
    UNION
    SELECT p.relid
    FROM pg_partition_tree(to_regclass(%(relation)s)) AS p
) AS part
INNER JOIN pg_catalog.pg_class AS c ON c.oid = part.table_id AND c.relkind = 'r';

-- name: explain_relation
EXPLAIN (FORMAT JSON)
SELECT r.*
FROM {relation} AS r;

-- name: find_repeated
-- Returns a key that a relation of the mapping has several times; null and 0 if there is none.
-- Placeholders: relation, key.
SELECT
    min(repeated.key) AS key,
    coalesce(min(repeated.rows), 0) AS rows
FROM (
    SELECT
        r.{key}::text AS key,
        count(*) AS rows
    FROM {relation} AS r
    GROUP BY r.{key}
    HAVING count(*) > 1
    LIMIT 1
) AS repeated;

-- name: find_left_out
-- Returns the most frequent keys of the column attributes that are not attributes: key; kind, `object`, `list` if it
-- has other items than scalars, or `name`; rows, how many have it; members, names of scalars in it; names, the keys of
-- all kinds. Placeholder: relation.
WITH looked AS MATERIALIZED (
    SELECT
        row_number() OVER () AS place,
        r.attributes::jsonb AS object
    FROM {relation} AS r
    WHERE r.attributes IS NOT NULL
    LIMIT 10000
)

SELECT
    entry.key,
    entry.kind,
    count(DISTINCT entry.place) AS rows,
    coalesce((array_agg(DISTINCT member.name) FILTER (WHERE member.name IS NOT NULL))[:3], '{}') AS members,
    ARRAY(
        SELECT DISTINCT e.key
        FROM looked
        CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(looked.object) WHEN 'object' THEN looked.object END) AS e
        LIMIT 1000
    ) AS names
FROM (
    SELECT
        looked.place,
        e.key,
        CASE
            WHEN jsonb_typeof(e.value) = 'object' THEN 'object'
            WHEN e.value @? 'strict $[*] ? (@.type() == "object" || @.type() == "array")' THEN 'list'
            WHEN e.key !~ '^[a-z][a-z0-9_]*$' OR length(e.key) > 40 THEN 'name'
        END AS kind,
        CASE WHEN jsonb_typeof(e.value) = 'array' THEN e.value -> 0 ELSE e.value END AS whole
    FROM looked
    CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(looked.object) WHEN 'object' THEN looked.object END) AS e
    WHERE jsonb_typeof(e.value) <> 'null'
) AS entry
LEFT JOIN LATERAL (
    SELECT m.key AS name
    FROM jsonb_each(CASE jsonb_typeof(entry.whole) WHEN 'object' THEN entry.whole END) AS m
    WHERE jsonb_typeof(m.value) IN ('string', 'number', 'boolean')
) AS member ON true
WHERE entry.kind IS NOT NULL
GROUP BY entry.key, entry.kind
ORDER BY count(DISTINCT entry.place) DESC, entry.key
LIMIT 8;

-- Figures of a relation of the mapping, each as a JSON object. Placeholder: rows, the rows to examine.

-- name: count_table
-- Placeholder: sample, the part of the table to examine.
SELECT count(*)
FROM {relation} AS t{sample};

-- name: count_relation
-- Counts a relation in one pass. Returns: the name of each number or column; filled, how many rows have a value;
-- different, how many distinct values; oldest and newest, for times; frequent, the most frequent values, each with its
-- number of rows and whether the projection knows it.
--
-- Placeholders: rows, the rows to examine, named r; user_id and phone, of r; meets, the value of r that is looked for
-- in the relation `other`, and met, the value there; counted, rows of VALUES: name, value, is_known, moment.
WITH looked AS MATERIALIZED (
    SELECT
        r.*,
        {user_id} AS of_user_id,
        {phone} AS given_phone,
        projector.canonical_phone({phone}) AS of_phone
    FROM {rows} AS r
),

met AS MATERIALIZED (
    SELECT DISTINCT {met} AS key
    FROM projector.source_{other}() AS o
    CROSS JOIN LATERAL (SELECT projector.canonical_phone({phone_of_other}) AS phone {fence}) AS q
    WHERE o.user_id IS NOT NULL AND q.phone IS NOT NULL
),

counted AS (
    SELECT
        v.name,
        v.value COLLATE "C" AS value,
        count(*) AS rows,
        bool_and(v.value IS NULL OR v.is_known) AS is_known,
        min(v.moment) AS oldest,
        max(v.moment) AS newest,
        row_number() OVER (PARTITION BY v.name ORDER BY count(*) DESC, v.value COLLATE "C") AS place
    FROM looked AS r
    CROSS JOIN LATERAL (SELECT r.of_user_id AS user_id, r.of_phone AS phone, r.given_phone AS given) AS p
    LEFT JOIN (
        SELECT DISTINCT s.user_id::text AS user_id
        FROM projector.source_tenants() AS s
    ) AS t ON t.user_id = p.user_id
    LEFT JOIN met AS m ON m.key = {meets}
    CROSS JOIN LATERAL (
        VALUES
        ('rows', '', true, NULL::timestamptz),
        ('customer_phones', p.phone, true, NULL),
{counted}
    ) AS v (name, value, is_known, moment)
    -- For columns, nulls are counted too.
    WHERE v.value IS NOT NULL OR left(v.name, 2) = 'r.'
    GROUP BY v.name, v.value COLLATE "C"
)

SELECT
    c.name,
    coalesce(sum(c.rows) FILTER (WHERE c.value IS NOT NULL), 0)::bigint AS filled,
    count(c.value) AS different,
    left((projector.clamp_time(min(c.oldest)) AT TIME ZONE 'UTC')::text, 16) AS oldest,
    left((projector.clamp_time(max(c.newest)) AT TIME ZONE 'UTC')::text, 16) AS newest,
    jsonb_agg(jsonb_build_array(left(coalesce(c.value, 'null'), 30), c.rows, c.is_known) ORDER BY c.place)
        FILTER (WHERE c.place <= 12) AS frequent
FROM counted AS c
GROUP BY c.name;

-- name: create_lead_tables
-- Creates the table that the steps for a lead read besides the staging tables. Extraction ids may be any text.
CREATE TEMPORARY TABLE lead_messages ({types.lead_messages});
ALTER TABLE new_lead_profiles ALTER COLUMN extraction_id TYPE text COLLATE "C";

-- name: find_lead
-- Returns user_id, customer_phone, and the kinds and keys of the rows of a lead: among the first conversations, that
-- whose extraction has the most values, or else one with a message.
WITH chosen AS MATERIALIZED (
    SELECT
        c.user_id,
        c.customer_phone
    FROM (SELECT d.* FROM projector.current_conversations() AS d LIMIT 100) AS c
    LEFT JOIN projector.source_extractions() AS e ON e.conversation_id = c.conversation_id
    ORDER BY
        (
            SELECT count(*)
            FROM jsonb_each_text(to_jsonb(e.*) || coalesce(e.declared_attributes, '{}')) AS f
            WHERE f.value <> ''
        ) DESC,
        EXISTS (
            SELECT FROM projector.source_messages() AS m WHERE m.conversation_id = c.conversation_id
        ) DESC
    LIMIT 1
)

SELECT
    k.user_id,
    k.customer_phone,
    array_agg(k.kind) AS kinds,
    array_agg(k.key) AS keys
FROM projector.current_keys() AS k
INNER JOIN chosen AS c ON c.user_id = k.user_id AND c.customer_phone = k.customer_phone
GROUP BY k.user_id, k.customer_phone;

-- The queries of `migrate --check`, in the platform's database and in the scratch database.

-- name: describe_columns
-- Returns these columns of a table, and those of its primary key, in their order.
-- Parameters: relation, columns.
SELECT
    a.attname::text AS name,
    quote_ident(a.attname) AS quoted,
    format_type(a.atttypid, NULL) AS type,
    t.typcategory::text AS category,
    format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL) AS base,
    coalesce(a.attnum = ANY(i.indkey), false) AS is_key
FROM pg_catalog.pg_attribute AS a
INNER JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = to_regclass(%(relation)s)
    AND a.attnum > 0
    AND NOT a.attisdropped
    AND (a.attname = ANY(%(columns)s) OR a.attnum = ANY(i.indkey))
ORDER BY a.attnum;

-- name: copy_schema
-- Returns the statements that create these tables and columns, their types, and whatever else the texts of the mapping
-- use, in an empty database. Defaults, checks and foreign keys are left out, because rows are changed one at a time. A
-- primary key is checked at commit, and nothing is committed. Parameters: relations and columns, the table and the name
-- of each column; functions and types, the ids of those that are used.
WITH RECURSIVE wanted AS (
    SELECT a.*, c.relname, c.relnamespace::regnamespace AS home
    FROM unnest(%(relations)s::text[], %(columns)s::text[]) AS w (relation, name)
    INNER JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass(w.relation)
    INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = w.name
),

functions AS (
    SELECT
        p.*,
        x.extname,
        coalesce(x.extnamespace, p.pronamespace)::regnamespace AS home
    FROM pg_catalog.pg_proc AS p
    LEFT JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    LEFT JOIN pg_catalog.pg_extension AS x ON x.oid = d.refobjid
    WHERE p.oid = ANY(%(functions)s::oid[]) AND p.pronamespace <> 'pg_catalog'::regnamespace
),

used (type_id, depth) AS (
    SELECT w.atttypid, 0 FROM wanted AS w
    UNION
    SELECT t.type_id, 0 FROM unnest(%(types)s::oid[]) AS t (type_id)
    UNION
    SELECT t.type_id, 0
    FROM functions AS f
    CROSS JOIN LATERAL unnest(f.prorettype || f.proargtypes::oid[]) AS t (type_id)
    UNION
    SELECT below.type_id, u.depth + 1
    FROM used AS u
    INNER JOIN pg_catalog.pg_type AS t ON t.oid = u.type_id
    CROSS JOIN LATERAL (VALUES (t.typelem), (t.typbasetype)) AS below (type_id)
    WHERE below.type_id <> 0
),

types AS (
    SELECT t.*, u.depth, x.extname, t.typnamespace::regnamespace AS home
    FROM (SELECT used.type_id, max(used.depth) AS depth FROM used GROUP BY used.type_id) AS u
    INNER JOIN pg_catalog.pg_type AS t
        ON t.oid = u.type_id AND t.typnamespace <> 'pg_catalog'::regnamespace AND t.typtype IN ('e', 'd', 'b')
    LEFT JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
    LEFT JOIN pg_catalog.pg_extension AS x ON x.oid = d.refobjid
),

statements (place, statement) AS (
    SELECT 0, format('CREATE SCHEMA IF NOT EXISTS %%s', h.home)
    FROM (
        SELECT w.home FROM wanted AS w
        UNION
        SELECT t.home FROM types AS t
        UNION
        SELECT f.home FROM functions AS f
    ) AS h
    UNION
    -- A function was created after those that it calls.
    SELECT
        CASE WHEN f.extname IS NOT NULL THEN 1 ELSE 1002 + row_number() OVER (ORDER BY f.oid) END,
        CASE
            WHEN f.extname IS NOT NULL
                THEN format('CREATE EXTENSION IF NOT EXISTS %%I SCHEMA %%s', f.extname, f.home)
            ELSE pg_get_functiondef(f.oid)
        END
    FROM functions AS f
    WHERE f.extname IS NOT NULL OR f.prokind = 'f'
    UNION
    SELECT
        CASE WHEN t.extname IS NOT NULL THEN 1 WHEN t.typtype = 'e' THEN 2 ELSE 1000 - t.depth END,
        CASE
            WHEN t.extname IS NOT NULL
                THEN format('CREATE EXTENSION IF NOT EXISTS %%I SCHEMA %%s', t.extname, t.home)
            WHEN t.typtype = 'e'
                THEN format(
                    'CREATE TYPE %%s.%%I AS ENUM (%%s)', t.home, t.typname, (
                        SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                        FROM pg_catalog.pg_enum AS e
                        WHERE e.enumtypid = t.oid
                    )
                )
            ELSE
                format('CREATE DOMAIN %%s.%%I AS %%s', t.home, t.typname, format_type(t.typbasetype, t.typtypmod))
        END
    FROM types AS t
    WHERE t.extname IS NOT NULL OR t.typtype IN ('e', 'd')
    UNION
    SELECT
        1001,
        format(
            'CREATE TABLE %%s.%%I (%%s%%s)', w.home, w.relname,
            string_agg(concat(
                quote_ident(w.attname), ' ', format_type(w.atttypid, w.atttypmod),
                CASE WHEN w.attnotnull THEN ' NOT NULL' END
            ), ', ' ORDER BY w.attnum),
            ', ' || pg_get_constraintdef(k.oid) || ' DEFERRABLE INITIALLY DEFERRED'
        )
    FROM wanted AS w
    LEFT JOIN pg_catalog.pg_constraint AS k ON k.conrelid = w.attrelid AND k.contype = 'p'
    GROUP BY w.home, w.relname, k.oid
)

SELECT s.statement
FROM statements AS s
ORDER BY s.place;

-- name: move_ids
UPDATE {relation} AS t
SET {moves};

-- name: count_present
-- Placeholders: rows, of a relation; columns, what to count.
SELECT ARRAY[count(*), {columns}] AS counts
FROM {rows} AS r;

-- name: find_where
-- Returns some rows of a table for which a condition is true, and some for which it is not. Placeholders: tables, those
-- in the condition; alias, of the table.
(
    SELECT {alias}.ctid::text AS row_id
    FROM {tables}
    WHERE ({condition}) AND {alias}.ctid IS NOT NULL
    LIMIT 3
)
UNION
(
    SELECT {alias}.ctid::text
    FROM {tables}
    WHERE ({condition}) IS NOT TRUE AND {alias}.ctid IS NOT NULL
    LIMIT 3
);

-- name: sample_table
-- Parameters: percent, of the pages; most, how many rows, null for all.
SELECT t.ctid::text AS row_id
FROM {relation} AS t TABLESAMPLE SYSTEM (%(percent)s)
ORDER BY md5(t.ctid::text)
LIMIT %(most)s;

-- name: find_joined
-- Returns, for each of these rows of a table, a row of another table that it joins. Parameter: rows.
SELECT joined.row_id
FROM {relation} AS {alias}
CROSS JOIN LATERAL (
    SELECT {other_alias}.ctid::text AS row_id
    FROM {other} AS {other_alias}
    WHERE {condition}
    LIMIT 1
) AS joined
WHERE {alias}.ctid = ANY(%(rows)s::tid[]);

-- name: copy_rows
COPY (SELECT {columns} FROM {relation} AS t WHERE t.ctid = ANY({rows})) TO STDOUT;

-- name: load_rows
COPY {relation} ({columns}) FROM STDIN;

-- name: delete_rows
DELETE FROM {relation} AS t
WHERE t.ctid = ANY({rows});

-- name: take_rows
-- Removes rows, and notes the relations as they are without them.
CREATE TEMPORARY TABLE taken ON COMMIT DROP AS
SELECT {columns}
FROM {relation} AS t
WHERE t.ctid = ANY({rows});
DELETE FROM {relation} AS t
WHERE t.ctid = ANY({rows});
DELETE FROM rows_before;
INSERT INTO rows_before TABLE rows_now;
DELETE FROM projector.changes;

-- name: insert_taken
INSERT INTO {relation} ({columns})
SELECT {columns}
FROM taken;

-- name: set_column
UPDATE {relation} AS t
SET {column} = {value}
WHERE t.ctid = ANY({rows});

-- name: rows_of_relation
-- Returns the rows of a relation as rows_now has them: those that belong to a lead, or all if they are parts of rows of
-- another relation. Placeholders: relation; id, its key; of_id, the key of the rows to which they belong, else the
-- same; kind, the kind of this key; is_message, whether a change may name it; is_part.
SELECT
    '{relation}' AS relation,
    '{kind}' AS kind,
    r.{id}::text AS key,
    r.{of_id}::text AS of_key,
    {is_part} AS is_part,
    {is_message} AS is_message,
    ARRAY[k.user_id, k.customer_phone] AS lead,
    r::text AS image
FROM projector.source_{relation}() AS r
LEFT JOIN projector.current_keys() AS k ON k.kind = '{kind}' AND k.key = r.{id}::text AND NOT {is_part}
WHERE {is_part} OR k.key IS NOT NULL

-- name: watch_relations
-- Creates rows_now, the rows of the relations, and rows_before, the same as they are noted. `kind` and `of_key` are the
-- key that a change has to touch if it moves the row. Placeholder: rows, those of each relation except tenant names.
CREATE TEMPORARY VIEW rows_now AS
{rows}
UNION ALL
SELECT 'tenants', 'tenant', n.user_id::text, n.user_id::text, false, false, NULL, n::text
FROM projector.current_names() AS n;
CREATE TEMPORARY TABLE rows_before ON COMMIT DROP AS TABLE rows_now;
DELETE FROM projector.changes;
-- The tables have indexes, and grow after plans are made.
SET LOCAL enable_seqscan = off;

-- name: compare_relations
-- Prepares the query of compare_again, because it takes much longer to plan than to run.
--
-- It returns the relations whose rows moved since rows_before was noted, and those of which a rule missed some. A batch
-- reads a touched conversation with all its messages and extractions if its lead changed, else with those that the kind
-- of change requires.
PREPARE compare_relations AS
WITH moved AS MATERIALIZED (
    (TABLE rows_before EXCEPT ALL TABLE rows_now)
    UNION ALL
    (TABLE rows_now EXCEPT ALL TABLE rows_before)
),

of_leads AS MATERIALIZED (
    SELECT b.kind, b.key FROM rows_before AS b WHERE NOT b.is_part
    UNION
    SELECT m.kind, m.key FROM moved AS m WHERE NOT m.is_part
),

of_other_leads AS MATERIALIZED (
    SELECT m.kind, m.key
    FROM moved AS m
    WHERE NOT m.is_part
    GROUP BY m.kind, m.key
    HAVING count(*) = 1 OR count(DISTINCT m.lead) > 1
),

queued AS MATERIALIZED (
    SELECT c.kind, k.key, c.message_ids
    FROM projector.changes AS c
    CROSS JOIN LATERAL unnest(c.keys) AS k (key)
    WHERE k.key IS NOT NULL
),

touched AS MATERIALIZED (
    SELECT k.kind, k.key, kinds.profile, kinds.messages
    FROM (SELECT DISTINCT queued.kind, queued.key FROM queued) AS q
    CROSS JOIN LATERAL projector.keys_of_change(q.kind, q.key) AS k
    INNER JOIN projector.change_kinds AS kinds
        ON kinds.change_kind = CASE WHEN projector.names_keys(q.kind) THEN q.kind ELSE k.queued_kind END
    UNION
    SELECT 'tenant', q.key, NULL, NULL
    FROM queued AS q
    WHERE q.kind = 'tenants'
),

missed AS (
    SELECT m.relation
    FROM moved AS m
    WHERE (NOT m.is_part OR (m.kind, m.of_key) IN (SELECT o.kind, o.key FROM of_leads AS o))
        AND NOT EXISTS (
            SELECT
            FROM touched AS t
            WHERE t.kind = m.kind
                AND t.key = m.of_key
                AND CASE
                    WHEN NOT m.is_part THEN true
                    WHEN (m.kind, m.of_key) IN (SELECT o.kind, o.key FROM of_other_leads AS o) THEN true
                    WHEN m.is_message
                        THEN t.messages = 'all' OR m.key IN (SELECT unnest(q.message_ids) FROM queued AS q)
                    ELSE t.profile
                END
        )
)

SELECT
    (SELECT count(*) FROM queued) AS queued,
    ARRAY(SELECT DISTINCT m.relation FROM moved AS m) AS moved,
    ARRAY(SELECT DISTINCT m.relation FROM missed AS m) AS missed;

-- name: compare_again
EXECUTE compare_relations;
