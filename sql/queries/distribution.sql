-- The queries that only a read model on Citus needs.

-- name: has_citus
SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL AS has_citus;

-- name: is_distributed
SELECT EXISTS (
    SELECT
    FROM pg_catalog.pg_dist_partition AS p
    WHERE p.logicalrelid = to_regclass('read_model.leads')
) AS is_distributed;

-- name: recover_prepared_transactions
-- Ends transactions that servers have prepared and were not told to commit or roll back, as Citus does every minute.
SELECT pg_catalog.recover_prepared_transactions() AS recovered;

-- name: prepare_to_change
-- Makes this transaction change tables on one server after the other, and not treat a new schema as that of a tenant.
SELECT
    set_config('citus.multi_shard_modify_mode', 'sequential', true) AS how,
    set_config('citus.enable_schema_based_sharding', 'off', true) AS by_schema;

-- name: distribute_tables
-- Distributes the rows of each table of the read model by tenant, all rows of a tenant to one server, and copies a
-- table without a tenant to every server. A table that is already distributed stays as it is. The rows of a table are
-- copied, and deleted here.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT
            c.oid::regclass AS name,
            c.relname = 'tenants' AS is_first,
            a.attname IS NOT NULL AS is_by_tenant
        FROM pg_catalog.pg_class AS c
        LEFT JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = c.oid AND a.attname = 'user_id' AND NOT a.attisdropped
        LEFT JOIN pg_catalog.pg_dist_partition AS p ON p.logicalrelid = c.oid
        WHERE c.relnamespace = 'read_model'::regnamespace AND c.relkind = 'r' AND p.logicalrelid IS NULL
        ORDER BY c.relname <> 'tenants', c.relname
    LOOP
        IF found.is_by_tenant THEN
            PERFORM pg_catalog.create_distributed_table(
                found.name,
                'user_id',
                colocate_with => CASE WHEN found.is_first THEN 'none' ELSE 'read_model.tenants' END
            );
        ELSE
            PERFORM pg_catalog.create_reference_table(found.name);
        END IF;
        PERFORM pg_catalog.truncate_local_data_after_distributing_table(found.name);
        -- Citus copies this option of the table to its servers, but not that of the TOAST table.
        EXECUTE format('ALTER TABLE %s SET (toast.vacuum_truncate = off)', found.name);
    END LOOP;
END
$$;

-- name: grant_tables
-- Lets readers' roles read the tables below their views, and use the functions in them. Citus sends the text of a view
-- to its servers, where it does not run with the rights of its owner. The policies apply there too.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'leads_api') THEN
        GRANT USAGE ON SCHEMA projector TO leads_api;
        GRANT SELECT ON read_model.lead_profiles TO leads_api;
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'leads_reader') THEN
        GRANT USAGE ON SCHEMA projector, read_model TO leads_reader;
        GRANT SELECT ON
            read_model.leads, read_model.lead_profiles, read_model.lead_conversations, read_model.lead_messages,
            read_model.lead_totals, read_model.lead_status_changes
        TO leads_reader;
    END IF;
END
$$;

-- name: find_unfinished
-- Returns transactions that were committed here: the server that prepared each, and its name there.
SELECT
    t.groupid,
    t.gid
FROM pg_catalog.pg_dist_transaction AS t;

-- name: show_shards
-- Lets this session see the shards on this server, which Citus hides.
SELECT set_config('citus.override_table_visibility', 'off', false);

-- name: find_shards
SELECT pg_catalog.shard_name(s.logicalrelid, s.shardid)::text AS name
FROM pg_catalog.pg_dist_shard AS s
INNER JOIN pg_catalog.pg_class AS c ON c.oid = s.logicalrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'read_model';

-- name: measure_tables
-- Returns each table of the read model that is distributed by tenant, about how many rows it has on all servers, and
-- its bytes there, with indexes and TOAST.
WITH asked AS MATERIALIZED (
    SELECT w.result
    FROM pg_catalog.run_command_on_workers($command$
        SELECT coalesce(json_object_agg(t.name, t.tuples), '{}')
        FROM (
            SELECT regexp_replace(c.relname, '_\d+$', '') AS name, sum(greatest(c.reltuples, 0)) AS tuples
            FROM pg_catalog.pg_class AS c
            INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'read_model'
            WHERE c.relkind = 'r' AND c.relname ~ '_\d+$'
            GROUP BY 1
        ) AS t
    $command$) AS w
    WHERE w.success
)

SELECT
    'read_model.' || c.relname AS table_name,
    (SELECT coalesce(sum((a.result::json ->> c.relname)::float8), 0)::bigint FROM asked AS a) AS about_rows,
    pg_catalog.citus_total_relation_size(p.logicalrelid) AS bytes
FROM pg_catalog.pg_dist_partition AS p
INNER JOIN pg_catalog.pg_class AS c ON c.oid = p.logicalrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'read_model'
WHERE p.partmethod = 'h';

-- name: find_unprotected_shard
-- Returns a shard whose policies differ from those of its table, or null: only the servers can enforce row security.
SELECT min(asked.result) AS name
FROM pg_catalog.run_command_on_all_nodes($command$
    SELECT coalesce(min('read_model.' || c.relname), '')
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'read_model'
    INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'user_id' AND a.attnum > 0
    WHERE c.relkind = 'r'
        AND to_regrole('leads_api') IS NOT NULL
        AND (
            NOT c.relrowsecurity
            OR (
                SELECT bool_and(p.polname = 'one_tenant' AND p.polpermissive) IS NOT TRUE
                FROM pg_catalog.pg_policy AS p
                WHERE p.polrelid = c.oid
                    AND (p.polpermissive OR p.polname = 'one_tenant')
                    AND p.polroles && ARRAY[0::oid, to_regrole('leads_api')::oid]
            )
        )
$command$) AS asked
WHERE asked.success AND asked.result <> '';

-- name: read_staged_tenants
SELECT t.user_id
FROM stale_tenants AS t
UNION
SELECT i.user_id
FROM lead_invalidations AS i;
