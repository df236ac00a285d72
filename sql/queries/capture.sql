-- The queries of projector/capture/, about the triggers on the source tables and the gaps of capture.

-- name: mark_intact_triggers
-- Cut the fingerprint of each unchanged trigger to its first five parts, which replacing the function does not change:
-- the table, the trigger with its state, and which function it calls.
UPDATE projector.capture_triggers AS e
SET fingerprint = array_to_string((string_to_array(e.fingerprint, ':'))[:5], ':')
FROM projector.capture_fingerprints AS n
WHERE n.table_name = e.table_name AND n.trigger_name = e.trigger_name AND n.fingerprint = e.fingerprint;

-- name: keep_fingerprints
-- Note the fingerprints of the marked triggers again, after their functions were replaced by `migrate`.
--
-- If another session changed a trigger meanwhile, its noted fingerprint stays, and the change is found as a gap.
UPDATE projector.capture_triggers AS e
SET fingerprint = n.fingerprint
FROM projector.capture_fingerprints AS n
WHERE n.table_name = e.table_name
    AND n.trigger_name = e.trigger_name
    AND starts_with(n.fingerprint, e.fingerprint || ':');

-- name: expect_triggers
-- Note the required triggers before they are installed, so that an incomplete installation counts as a gap.
INSERT INTO projector.capture_triggers (table_name, trigger_name, fingerprint)
SELECT
    t.table_name,
    g.trigger_name,
    '' AS fingerprint
FROM unnest(%(tables)s::text[]) AS t (table_name)
CROSS JOIN unnest(%(trigger_names)s::text[]) AS g (trigger_name)
ON CONFLICT DO NOTHING;

-- name: count_triggers
-- Returns for a table: intact, how many triggers are as they were installed; installed, how many were ever installed;
-- and is_partitioned, whether it is partitioned.
SELECT
    count(*) FILTER (WHERE n.fingerprint = e.fingerprint) AS intact,
    count(*) FILTER (WHERE e.fingerprint <> '') AS installed,
    EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = to_regclass(%(relation)s) AND c.relkind = 'p')
        AS is_partitioned
FROM projector.capture_triggers AS e
LEFT JOIN projector.capture_fingerprints AS n ON n.table_name = e.table_name AND n.trigger_name = e.trigger_name
WHERE e.table_name = %(table_name)s;

-- name: was_installed
SELECT EXISTS (SELECT FROM projector.capture_triggers AS e WHERE e.fingerprint <> '');

-- name: note_fingerprints
INSERT INTO projector.capture_triggers ({columns.capture_triggers})
SELECT {columns.capture_triggers}
FROM projector.capture_fingerprints
WHERE table_name = %(table_name)s
ON CONFLICT ({key.capture_triggers}) DO UPDATE SET {updates.capture_triggers};

-- name: find_captured_tables
-- Returns the name of each table that has triggers of the projector, whatever its schema, except if their function is
-- that of a `kept` table.
SELECT DISTINCT t.tgrelid::regclass::text AS table_name
FROM pg_catalog.pg_trigger AS t
INNER JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
WHERE t.tgname = ANY(%(trigger_names)s)
    AND t.tgparentid = 0
    AND p.pronamespace = to_regnamespace('projector')
    AND p.proname <> ALL(SELECT left('capture_' || k.name, 63) FROM unnest(%(kept)s::text[]) AS k (name))
ORDER BY table_name;

-- name: find_triggers
-- Returns trigger_name and table_name of the projector's triggers on a table and on its partitions. A partition has its
-- own triggers if it was captured as a table before it was attached.
SELECT
    t.tgname::text AS trigger_name,
    t.tgrelid::regclass::text AS table_name
FROM pg_catalog.pg_trigger AS t
WHERE t.tgname = ANY(%(trigger_names)s)
    AND t.tgparentid = 0
    AND (
        t.tgrelid = to_regclass(%(relation)s)
        OR t.tgrelid IN (SELECT p.relid FROM pg_partition_tree(to_regclass(%(relation)s)) AS p)
    );

-- name: find_lock_holders
-- Describes up to three holders of a lock on a table: prepared transactions, and the oldest sessions.
--
-- Parameter: relation, the table with its schema. The session of a prepared transaction is gone, so its locks have no
-- pid. One lock is on its own transaction id, which pg_prepared_xacts has.
SELECT
    CASE
        WHEN l.pid IS NULL
            THEN concat('the prepared transaction ', quote_literal(p.gid), ' has it (see pg_prepared_xacts)')
        ELSE concat(
            'process ', l.pid, ' (', coalesce(nullif(a.application_name, ''), a.usename), ') has held it for ',
            coalesce(date_trunc('second', clock_timestamp() - a.xact_start)::text, 'a time hidden from us')
        )
    END AS holder
FROM pg_catalog.pg_locks AS l
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
LEFT JOIN pg_catalog.pg_locks AS own
    ON l.pid IS NULL
    AND own.virtualtransaction = l.virtualtransaction AND own.locktype = 'transactionid' AND own.pid IS NULL
LEFT JOIN pg_catalog.pg_prepared_xacts AS p ON p.transaction = own.transactionid
WHERE l.relation = to_regclass(%(relation)s) AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
ORDER BY l.pid IS NOT NULL, a.xact_start
LIMIT 3;

-- name: find_gap
-- Returns what is wrong with the triggers at this moment; null while capture is intact.
SELECT b.reason
FROM projector.broken_capture AS b;

-- name: find_open_gaps
-- Returns each gap that is not healed, the oldest first.
SELECT
    g.gap_id,
    g.reason,
    g.reinstalled_at,
    g.fills
FROM projector.capture_gaps AS g
WHERE g.healed_at IS NULL
ORDER BY g.gap_id;

-- name: open_gap
-- Open a gap, unless one is open for the same reason and the triggers were not installed again since.
INSERT INTO projector.capture_gaps (reason, fills)
SELECT
    %(reason)s::text AS reason,
    %(fills)s::text AS fills
WHERE NOT EXISTS (
    SELECT
    FROM projector.capture_gaps AS g
    WHERE g.healed_at IS NULL AND g.reinstalled_at IS NULL AND g.reason = %(reason)s::text
);

-- name: open_reinstalled_gap
-- Open a gap although capture is intact: this transaction has installed the triggers again, or drops changes for a
-- rebuild. So readiness does not change.
INSERT INTO projector.capture_gaps (reason, reinstalled_at)
VALUES (%(reason)s, clock_timestamp());

-- name: publish_gap
-- Tell readers of the read model that changes may have been missed, or that none were.
UPDATE read_model.projection AS p
SET capture_gap = %(reason)s::text, gap_fills = %(fills)s::text
WHERE (p.capture_gap, p.gap_fills) IS DISTINCT FROM (%(reason)s::text, %(fills)s::text);

-- name: note_gaps
-- Note a moment of these gaps. Placeholder: moment, reinstalled_at or healed_at.
UPDATE projector.capture_gaps AS g
SET {moment} = clock_timestamp()
WHERE g.gap_id = ANY(%(gap_ids)s);

-- name: note_switched_on
DELETE FROM projector.settings AS s
WHERE s.name = 'capture_off';

-- name: forget_columns
-- Forget the columns that the projection does not read any more.
DELETE FROM projector.capture_columns AS e
WHERE NOT EXISTS (
    SELECT
    FROM unnest(%(tables)s::text[], %(columns)s::text[]) AS w (table_name, column_name)
    WHERE w.table_name = e.table_name AND w.column_name = e.column_name
);

-- name: find_noted_tables
SELECT DISTINCT e.table_name
FROM projector.capture_columns AS e;

-- name: note_columns
-- Note these columns as they are now; if `again` is false, only those that are not noted yet.
INSERT INTO projector.capture_columns ({columns.capture_columns})
SELECT {columns.capture_columns of n}
FROM projector.source_columns AS n
INNER JOIN unnest(%(tables)s::text[], %(columns)s::text[]) AS w (table_name, column_name)
    ON w.table_name = n.table_name AND w.column_name = n.column_name
ON CONFLICT ({key.capture_columns}) DO UPDATE SET {updates.capture_columns}
    WHERE %(again)s;

-- name: note_read_model
-- Note which tables the read model has: those of a new installation, or, if `again` is true, the present ones.
INSERT INTO projector.settings AS s (name, value)
SELECT
    'read_model_tables' AS name,
    r.ids AS value
FROM projector.read_model_tables AS r
ON CONFLICT (name) DO UPDATE SET value = excluded.value
    WHERE %(again)s AND s.value <> excluded.value;

-- name: note_touched_columns
-- Note the catalog's version of columns that were altered in tables that were not rewritten, and the file of tables
-- that were rewritten without being altered.
UPDATE projector.capture_columns AS e
SET row_version = n.row_version, file_node = n.file_node
FROM projector.source_columns AS n
WHERE n.table_name = e.table_name
    AND n.column_name = e.column_name
    AND n.table_id = e.table_id
    AND n.attribute_number = e.attribute_number
    AND n.definition = e.definition
    AND (n.row_version = e.row_version) <> (n.file_node = e.file_node)
    AND (n.row_version = e.row_version OR n.file_node <> 0);

-- name: forget_partitions
DELETE FROM projector.capture_partitions;

-- name: note_partitions
-- Note the partitions of these tables, and these partitions, unless they are noted already. The next call notes the
-- partitions of partitions.
INSERT INTO projector.capture_partitions ({columns.capture_partitions})
SELECT {columns.capture_partitions}
FROM projector.new_partitions
WHERE table_name = ANY(%(tables)s::text[]) OR partition_id = ANY(%(partitions)s::oid[])
ON CONFLICT ({key.capture_partitions}) DO UPDATE SET {updates.capture_partitions};

-- name: find_new_partitions
-- Returns the partitions that no table had before: one that moved from another table may have lost rows meanwhile.
SELECT
    n.partition_id,
    n.partition_id::regclass::text AS relation
FROM projector.new_partitions AS n
WHERE n.partition_id NOT IN (SELECT p.partition_id FROM projector.capture_partitions AS p);

-- name: is_empty
SELECT NOT EXISTS (SELECT FROM {relation}) AS is_empty;

-- name: delete_unreadable_changes
-- Delete the changes whose key a trigger could not read: the rebuild that follows covers them.
DELETE FROM projector.changes AS c
WHERE c.shard = -1;

-- name: prepare_to_read
-- Prepares the transaction in which a text is read: names have to be qualified, and row security, which is reported
-- elsewhere, does not make it fail.
SELECT
    set_config('search_path', 'pg_catalog, pg_temp', true),
    set_config('row_security', 'on', true);

-- name: select_text
-- What a text of the mapping selects. Placeholder: text, a line of which may end in a comment.
SELECT *
FROM (
{text}
) AS selected;

-- name: read_view
-- Returns for the view leads_reading: text, what it selects; columns, an array of objects with name, declared, the
-- type, category and base of it without length and domain, a base of text for every type of text, and the base of the
-- items of an array; reads, one with table_id, number, schema, table and column for each column that it reads; others,
-- its other dependencies in words: relations that are not tables, and user-defined functions that may read tables;
-- unsteady, the functions whose value changes although no row does; functions and types, the ids of those that are used
-- and are not PostgreSQL's own.
--
-- PostgreSQL records no dependency on a built-in function, but the stored tree of a view has the oid of each, and a
-- node for CURRENT_DATE and the like. Most stable functions depend on settings, which are the same in all our sessions;
-- those without arguments, such as now(), and age() of one time depend on the clock.
--
-- A function may be declared IMMUTABLE for the sake of an index and read a table. `used` follows each function and
-- operator into what it calls: by noted dependencies, and by the names in a body that is a string, for which PostgreSQL
-- records none. A name after FROM, JOIN or a comma may be a table, and EXECUTE may read any.
WITH RECURSIVE read AS (
    SELECT
        d.refclassid,
        d.refobjid,
        d.refobjsubid
    FROM pg_catalog.pg_rewrite AS w
    INNER JOIN pg_catalog.pg_depend AS d
        ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refobjid <> w.ev_class
    WHERE w.ev_class = to_regclass('pg_temp.leads_reading')
),

used (root_class, root, class_id, object_id) AS (
    SELECT r.refclassid, r.refobjid, r.refclassid, r.refobjid
    FROM read AS r
    WHERE r.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
    UNION
    SELECT u.root_class, u.root, below.class_id, below.object_id
    FROM used AS u
    CROSS JOIN LATERAL (
        SELECT d.refclassid, d.refobjid
        FROM pg_catalog.pg_depend AS d
        WHERE d.classid = u.class_id
            AND d.objid = u.object_id
            AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_class'::regclass)
        UNION ALL
        SELECT
            named.class_id,
            named.object_id
        FROM pg_catalog.pg_proc AS p
        CROSS JOIN LATERAL regexp_replace(lower(p.prosrc), '--[^\n]*|/\*.*?\*/', ' ', 'g') AS body
        CROSS JOIN LATERAL (
            SELECT 'pg_proc'::regclass, f.oid
            FROM regexp_matches(body, '(\w+)"?\s*\(', 'g') AS word (parts)
            INNER JOIN pg_catalog.pg_proc AS f ON f.proname = word.parts[1]
            WHERE f.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
            UNION ALL
            SELECT 'pg_class'::regclass, c.oid
            FROM regexp_matches(
                body, '(?:\m(?:from|join|only|update|into|table|using)\M|,)\s*(?:"?\w+"?\s*\.\s*)?"?(\w+)"?', 'g'
            ) AS word (parts)
            INNER JOIN pg_catalog.pg_class AS c ON lower(c.relname) = word.parts[1]
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
                AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
                AND word.parts[1] <> ALL(coalesce(p.proargnames, '{}'))
        ) AS named (class_id, object_id)
        WHERE u.class_id = 'pg_proc'::regclass AND p.oid = u.object_id
    ) AS below (class_id, object_id)
    WHERE u.class_id <> 'pg_class'::regclass
)

SELECT
    btrim(rtrim(pg_get_viewdef(to_regclass('pg_temp.leads_reading')), ';')) AS text,
    (
        SELECT
            jsonb_agg(
                jsonb_build_object(
                    'name', a.attname, 'declared', format_type(a.atttypid, a.atttypmod), 'category', y.typcategory,
                    'base', CASE y.typcategory
                        WHEN 'S' THEN 'text' ELSE format_type(coalesce(nullif(y.typbasetype, 0), y.oid), NULL)
                    END,
                    'item', (
                        SELECT
                            CASE
                                WHEN i.typcategory IN ('S', 'E') THEN 'text'
                                ELSE format_type(coalesce(nullif(i.typbasetype, 0), i.oid), NULL)
                            END
                        FROM pg_catalog.pg_type AS i
                        WHERE i.oid = y.typelem AND y.typcategory = 'A'
                    )
                ) ORDER BY a.attnum
            )
        FROM pg_catalog.pg_attribute AS a
        INNER JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
        WHERE a.attrelid = to_regclass('pg_temp.leads_reading') AND a.attnum > 0
    ) AS columns,
    (
        SELECT
            coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'table_id', c.oid::bigint, 'number', a.attnum, 'schema', n.nspname, 'table', c.relname,
                        'column', a.attname
                    )
                ),
                '[]'
            )
        FROM read
        INNER JOIN pg_catalog.pg_class AS c ON c.oid = read.refobjid
        INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = read.refobjsubid
        WHERE read.refclassid = 'pg_class'::regclass AND c.relkind IN ('r', 'p')
    ) AS reads,
    ARRAY(
        SELECT DISTINCT i.type || ' ' || i.identity
        FROM (
            SELECT r.refclassid, r.refobjid
            FROM read AS r
            LEFT JOIN pg_catalog.pg_class AS c ON r.refclassid = 'pg_class'::regclass AND c.oid = r.refobjid
            LEFT JOIN pg_catalog.pg_proc AS p ON r.refclassid = 'pg_proc'::regclass AND p.oid = r.refobjid
            WHERE c.relkind NOT IN ('r', 'p') OR p.provolatile <> 'i'
            UNION
            SELECT u.root_class, u.root
            FROM used AS u
            LEFT JOIN pg_catalog.pg_proc AS p ON u.class_id = 'pg_proc'::regclass AND p.oid = u.object_id
            WHERE u.class_id = 'pg_class'::regclass OR lower(p.prosrc) ~ '\mexecute\M'
        ) AS other (class_id, object_id)
        CROSS JOIN LATERAL pg_identify_object(other.class_id, other.object_id, 0) AS i
    ) AS others,
    ARRAY(
        SELECT DISTINCT u.object_id::bigint
        FROM used AS u
        WHERE u.class_id = 'pg_proc'::regclass
    ) AS functions,
    ARRAY(
        SELECT r.refobjid::bigint
        FROM read AS r
        WHERE r.refclassid = 'pg_type'::regclass
    ) AS types,
    ARRAY(
        SELECT DISTINCT coalesce(p.proname || '()', 'CURRENT_DATE or the like')
        FROM pg_catalog.pg_rewrite AS w
        CROSS JOIN LATERAL regexp_matches(
            w.ev_action::text, '(SQLVALUEFUNCTION)|:(?:op)?funcid ([0-9]+)', 'g'
        ) AS used (parts)
        LEFT JOIN pg_catalog.pg_proc AS p ON p.oid = used.parts[2]::oid
        WHERE w.ev_class = to_regclass('pg_temp.leads_reading')
            AND (
                used.parts[1] IS NOT NULL
                OR p.provolatile = 'v'
                OR (p.provolatile = 's' AND (p.pronargs = 0 OR p.proname = 'current_setting'))
                OR (p.proname = 'age' AND p.pronargs = 1)
            )
    ) AS unsteady;

-- name: find_schema_of
-- Returns the schema of a type or a function that is not PostgreSQL's own. Parameter: name.
SELECT n.nspname::text AS schema_name
FROM (
    SELECT p.pronamespace AS namespace FROM pg_catalog.pg_proc AS p WHERE p.proname = %(name)s
    UNION
    SELECT t.typnamespace FROM pg_catalog.pg_type AS t WHERE t.typname = %(name)s
) AS named
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = named.namespace
ORDER BY n.nspname
LIMIT 1;

-- name: find_virtual_columns
-- Returns the virtual generated columns among these columns of a table.
SELECT a.attname::text AS column_name
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = to_regclass(%(relation)s)
    AND a.attname = ANY(%(columns)s)
    AND a.attgenerated = 'v';
