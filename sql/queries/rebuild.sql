-- What a rebuild asks: its plan, its row in the run log, the indexes that a first build creates again.

-- name: begin_plan
-- Writes down that everything is to be rebuilt for a projection version, from the start. Parameter: version.
INSERT INTO projector.rebuild_plan AS p (version)
VALUES (%(version)s)
ON CONFLICT (only_row) DO UPDATE SET
    version = excluded.version,
    requested_at = clock_timestamp(),
    cursor_user_id = '',
    cursor_phone = '';

-- name: read_plan
-- Returns: requested_at, cursor_user_id, cursor_phone of an interrupted rebuild for this projection version; no row
-- if there is none. Parameter: version.
SELECT
    p.requested_at,
    p.cursor_user_id,
    p.cursor_phone
FROM projector.rebuild_plan AS p
WHERE p.version = %(version)s;

-- name: move_cursor
-- Notes how far the rebuild is. Parameters: user_id, customer_phone.
UPDATE projector.rebuild_plan
SET cursor_user_id = %(user_id)s, cursor_phone = %(customer_phone)s;

-- name: delete_plan
DELETE FROM projector.rebuild_plan;

-- name: read_clock
SELECT clock_timestamp() AS now;

-- name: count_keyed_leads
-- Returns: how many leads projector.source_keys knows. Parameter: tenants, null for all.
SELECT count(*) AS leads
FROM (
    SELECT DISTINCT
        k.user_id,
        k.customer_phone
    FROM projector.source_keys AS k
    WHERE k.kind <> 'contact'
        AND (%(tenants)s::text[] IS NULL OR k.user_id = any(%(tenants)s::text[]))
) AS keyed;

-- name: count_read_model_leads
-- Returns: how many leads the read model has.
--
-- Parameter: tenants, null for all.
SELECT count(*) AS leads
FROM read_model.leads AS l
WHERE %(tenants)s::text[] IS NULL OR l.user_id = any(%(tenants)s::text[]);

-- name: set_leads_of_run
-- Parameters: run_id, leads.
UPDATE projector.runs
SET leads = %(leads)s
WHERE run_id = %(run_id)s;

-- name: open_run
-- Returns: run_id. Parameters: tenants, null for all; leads_total.
INSERT INTO projector.runs (kind, started_at, tenants, leads_total)
VALUES ('rebuild', clock_timestamp(), %(tenants)s, %(leads_total)s)
RETURNING run_id;

-- name: add_to_run
-- Parameters: run_id, leads, messages.
UPDATE projector.runs
SET leads = leads + %(leads)s, messages = messages + %(messages)s
WHERE run_id = %(run_id)s;

-- name: close_run
-- Parameters: run_id, outcome, note.
UPDATE projector.runs
SET outcome = %(outcome)s, note = %(note)s, finished_at = clock_timestamp()
WHERE run_id = %(run_id)s;

-- name: note_built
-- Notes that a complete build has ended.
--
-- Parameter: version.
UPDATE read_model.projection
SET version = %(version)s, built_at = now();

-- name: find_start_of_freshness
-- Returns the moment that freshness begins at: since, before which everything is contained. Where logical replication
-- brings the rows of source tables, that moment says nothing: the next look finds what is proved. Parameter: since.
SELECT
    CASE
        WHEN p.until < 'infinity' THEN 'epoch'::timestamptz
        ELSE %(since)s::timestamptz
    END AS began_at
FROM projector.provable AS p;

-- name: begin_freshness
-- Creates the row of freshness, for all shards at once: while one of them had no time, the others would speak for it.
--
-- Parameters: began_at, the moment that freshness begins at; shards, their number.
INSERT INTO read_model.freshness (as_of, shards)
VALUES (%(began_at)s, array_fill(%(began_at)s::timestamptz, ARRAY[%(shards)s]))
ON CONFLICT DO NOTHING;

-- name: find_source_files
-- Returns: files, the files that hold the rows of the source tables, partitions included. Parameter: relations, the
-- names of the tables with their schemas. TRUNCATE and an ALTER TABLE that rewrites a table give it another file, and
-- ignore snapshots: in an older one its rows cannot be seen.
WITH RECURSIVE source_tables AS (
    SELECT to_regclass(t.relation)::oid AS oid
    FROM unnest(%(relations)s::text[]) AS t (relation)
    UNION
    SELECT i.inhrelid
    FROM source_tables AS s
    INNER JOIN pg_catalog.pg_inherits AS i ON i.inhparent = s.oid
)

SELECT array_agg(s.oid || ':' || coalesce(pg_relation_filenode(s.oid), 0) ORDER BY s.oid) AS files
FROM source_tables AS s;

-- name: find_index_commands
-- Returns: name; drop_command and create_command of each key and index of the tables. Parameter: tables, their
-- qualified names. The search index comes last: it takes longest. A key that something else refers to, such as a
-- foreign key or a view, has to stay, and is left out; so is the index that is the table's replica identity.
SELECT
    c.conname::text AS name,
    format('ALTER TABLE %%s DROP CONSTRAINT %%I', c.conrelid::regclass, c.conname) AS drop_command,
    format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
        AS create_command,
    0 AS place
FROM pg_catalog.pg_constraint AS c
WHERE c.conrelid = any(%(tables)s::regclass[])
    AND c.contype = 'p'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS own WHERE own.indexrelid = c.conindid AND own.indisreplident)
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_depend AS d
        WHERE (d.refclassid, d.refobjid) IN (
            ('pg_catalog.pg_constraint'::regclass, c.oid), ('pg_catalog.pg_class'::regclass, c.conindid)
        )
        AND d.deptype = 'n'
    )
UNION ALL
SELECT
    x.relname::text AS name,
    format('DROP INDEX %%s', i.indexrelid::regclass) AS drop_command,
    pg_get_indexdef(i.indexrelid) AS create_command,
    CASE WHEN a.amname = 'gin' THEN 2 ELSE 1 END AS place
FROM pg_catalog.pg_index AS i
INNER JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
INNER JOIN pg_catalog.pg_am AS a ON a.oid = x.relam
WHERE i.indrelid = any(%(tables)s::regclass[])
    AND NOT i.indisreplident
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS c WHERE c.conindid = i.indexrelid)
ORDER BY place, name;

-- name: count_built
-- Returns: leads and messages of the read model.
SELECT
    (SELECT count(*) FROM read_model.leads) AS leads,
    (SELECT count(*) FROM read_model.lead_messages) AS messages;

-- name: is_large_piece
-- Returns whether a piece holds so many of all keys that PostgreSQL had better join the tables as a whole.
-- Parameter: share, one in so many.
SELECT count(*) * %(share)s > (
    SELECT greatest(c.reltuples, 0)
    FROM pg_class AS c
    WHERE c.oid = 'projector.source_keys'::regclass
) AS is_large
FROM piece_keys;

-- name: stage_piece
-- Parameters: user_ids and customer_phones, two arrays of one length.
INSERT INTO piece_leads (user_id, customer_phone)
SELECT
    l.user_id,
    l.customer_phone
FROM unnest(%(user_ids)s::text[], %(customer_phones)s::text[]) AS l (user_id, customer_phone);

-- name: read_differing_leads
-- Returns: user_id, customer_phone of each lead of the piece that differs, in order.
SELECT DISTINCT
    d.user_id,
    d.customer_phone
FROM differing_leads AS d
ORDER BY d.user_id, d.customer_phone;

-- name: stage_tenant
-- Parameter: user_id.
INSERT INTO stale_tenants (user_id)
VALUES (%(user_id)s);
