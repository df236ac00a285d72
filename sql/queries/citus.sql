-- What is asked only where the read model is on Citus, or may be.

-- name: has_citus
-- Returns whether the database has the extension.
--
-- on: read_model
SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL AS has_citus;

-- name: is_distributed
-- Returns whether the tables of the read model are distributed.
--
-- on: read_model
SELECT EXISTS (
    SELECT
    FROM pg_catalog.pg_dist_partition AS p
    WHERE p.logicalrelid = to_regclass('read_model.leads')
) AS is_distributed;

-- name: recover_prepared_transactions
-- Ends what servers have prepared, and were not told to commit or to roll back. Citus does so each minute by itself.
--
-- on: read_model
SELECT pg_catalog.recover_prepared_transactions() AS recovered;

-- name: find_undistributed
-- Returns the name of each table of the read model that is not distributed yet, and whether its rows belong to tenants;
-- first the table of the tenants, by which the others are placed.
--
-- on: read_model
SELECT
    format('read_model.%I', c.relname) AS name,
    a.attname IS NOT NULL AS is_by_tenant
FROM pg_class AS c
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'user_id' AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_dist_partition AS p ON p.logicalrelid = c.oid
WHERE c.relnamespace = 'read_model'::regnamespace AND c.relkind = 'r' AND p.logicalrelid IS NULL
ORDER BY c.relname <> 'tenants', c.relname;

-- name: distribute
-- Places the rows of a table by their tenant. Parameters: name; beside, the table whose rows of a tenant are on the
-- same server, or none.
--
-- on: read_model
SELECT pg_catalog.create_distributed_table(%(name)s::regclass, 'user_id', colocate_with => %(beside)s);

-- name: drop_local_rows
-- Deletes the rows that a table had before it was distributed: they stay where they were. Parameter: name.
--
-- on: read_model
SELECT pg_catalog.truncate_local_data_after_distributing_table(%(name)s::regclass);

-- name: copy_everywhere
-- Has each server hold all rows of a table. Parameter: name.
--
-- on: read_model
SELECT pg_catalog.create_reference_table(%(name)s::regclass);

-- name: lock_tenant
-- Lets the merges of one tenant follow each other, also after a session whose process was killed while it committed.
-- Parameters: lock_class, user_id.
--
-- on: read_model
SELECT pg_advisory_xact_lock(%(lock_class)s, hashtext(%(user_id)s));

-- name: begin_merge
-- Locks the row of a tenant where it is: what a server has prepared of a merge before, it then ends first. That can be
-- the row itself, which no lock of a row would wait for. Parameter: user_id.
--
-- on: read_model
INSERT INTO read_model.tenants AS t (user_id)
VALUES (%(user_id)s)
ON CONFLICT (user_id) DO UPDATE SET dead_letters = t.dead_letters;

-- name: end_merge
-- Deletes the row of a tenant that has none yet but for the lock. Parameter: user_id.
--
-- on: read_model
DELETE FROM read_model.tenants AS t
WHERE t.user_id = %(user_id)s AND t.version = 0 AND t.dead_letters = 0;

-- name: find_staged_tenants
-- Returns the staging tables that have rows, and of which tenant. The projector puts these together, one for each
-- table.
SELECT DISTINCT
    s.user_id,
    '{staging_table}' AS staging_table
FROM pg_temp.{staging_table} AS s;

-- name: read_freshness
-- Returns the row of freshness as it is, and as 9_finish/20_advance_freshness.sql would make it; no row where it stays
-- as it is. Parameters: as there, and never without clock.
--
-- on: read_model
SELECT
    f.shards AS old_shards,
    moved.as_of,
    moved.shards
FROM read_model.freshness AS f
CROSS JOIN LATERAL (
    SELECT
        min(s.as_of) AS as_of,
        array_agg(s.as_of ORDER BY s.place) AS shards
    FROM (
        SELECT
            each.place,
            CASE
                WHEN each.place - 1 = any(%(shards)s::smallint[])
                    THEN greatest(%(fresh_until)s, CASE WHEN each.as_of <= %(clock)s THEN each.as_of END)
                ELSE each.as_of
            END AS as_of
        FROM unnest(f.shards) WITH ORDINALITY AS each (as_of, place)
    ) AS s
) AS moved
WHERE EXISTS (
    SELECT 1
    FROM unnest(f.shards) WITH ORDINALITY AS s (as_of, place)
    WHERE s.place - 1 = any(%(shards)s::smallint[])
        AND (s.as_of + %(at_least)s::interval <= %(fresh_until)s OR s.as_of > %(clock)s)
);

-- name: write_freshness
-- Writes the row of freshness, unless another session has written it meanwhile. Parameters: as read_freshness returns
-- them.
--
-- on: read_model
UPDATE read_model.freshness
SET as_of = %(as_of)s, shards = %(shards)s
WHERE shards = %(old_shards)s;

-- name: delete_of_target
-- Deletes what a table has of a tenant or of a lead. Parameters: user_id, customer_phone.
--
-- on: read_model
DELETE FROM {table} AS t
WHERE t.user_id = %(user_id)s
    AND (%(customer_phone)s::text IS NULL OR t.customer_phone = %(customer_phone)s);

-- name: find_next_tenant
-- Returns the first tenant after another that has rows in a table of the read model, or null. Parameter: after, null
-- for the first of all.
--
-- on: read_model
SELECT min(t.user_id) AS user_id
FROM read_model.{table} AS t
WHERE %(after)s::text IS NULL OR t.user_id > %(after)s;

-- name: find_next_keyed_tenant
-- Returns the first tenant after another that has keys, or null. Parameter: as above.
SELECT min(k.user_id) AS user_id
FROM projector.source_keys AS k
WHERE %(after)s::text IS NULL OR k.user_id > %(after)s;

-- name: count_leads_of_tenant
-- Returns how many leads the statistics count. Parameter: user_id.
--
-- on: read_model
SELECT coalesce(sum(t.leads), 0) AS leads
FROM read_model.lead_totals AS t
WHERE t.user_id = %(user_id)s AND t.granularity = 'all' AND t.bucket_start = '-infinity';

-- name: set_dead_letters
-- Writes the number of dead letters into the row of a tenant. Parameters: user_id, number.
--
-- on: read_model
INSERT INTO read_model.tenants AS t (user_id, dead_letters)
VALUES (%(user_id)s, %(number)s)
ON CONFLICT (user_id) DO UPDATE SET dead_letters = excluded.dead_letters
WHERE t.dead_letters <> excluded.dead_letters;

-- name: find_tenants_with_dead_letters
-- Returns the tenants whose rows say that they have dead letters.
--
-- on: read_model
SELECT t.user_id
FROM read_model.tenants AS t
WHERE t.dead_letters <> 0;

-- name: find_tenants_of_messages
-- Returns: user_id of each tenant of which the read model has messages.
--
-- on: read_model
SELECT DISTINCT m.user_id
FROM read_model.lead_messages AS m;

-- name: grant_tables
-- Lets the roles of readers read the tables under their views. Citus sends the text of a view to its servers, where
-- nobody reads with the rights of its owner. The policies hold there too.
--
-- on: read_model
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'leads_api') THEN
        GRANT SELECT ON read_model.lead_profiles TO leads_api;
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'leads_reader') THEN
        GRANT USAGE ON SCHEMA read_model TO leads_reader;
        GRANT SELECT ON
            read_model.leads, read_model.lead_profiles, read_model.lead_conversations, read_model.lead_messages,
            read_model.lead_totals
        TO leads_reader;
    END IF;
END
$$;

-- name: place_versions
-- Creates the view of sql/install/after_tables/85_place_of_versions.sql without a table that is on one server alone.
-- The server of a tenant answers, so that tokens of the change feed end when Citus moves the tenant to another one.
--
-- on: read_model
CREATE OR REPLACE VIEW read_model.place_of_versions AS
SELECT
    concat_ws(
        '-',
        p.installation_id,
        (SELECT s.system_identifier FROM pg_catalog.pg_control_system() AS s),
        current_database()::text COLLATE "default",
        CASE
            WHEN pg_catalog.pg_is_in_recovery()
                THEN (SELECT upper(to_hex(c.timeline_id)) FROM pg_catalog.pg_control_checkpoint() AS c)
            ELSE ltrim(left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8), '0')
        END
    ) AS place
FROM read_model.projection AS p;

-- name: read_staged_rows
-- Returns the rows of a staging table that are of a tenant.
SELECT s.*
FROM pg_temp.{staging_table} AS s
WHERE s.user_id = {tenant};
