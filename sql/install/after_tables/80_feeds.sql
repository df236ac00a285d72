-- If logical replication brings the source tables: the state of replication, and how fresh the read model can be.

-- Each subscription that feeds a source table, or a partition of one. unready_tables are not copied yet, position is
-- the position in the origin's WAL up to which its worker has applied it, and errors counts its failures. The main
-- worker of a subscription has no table, unlike one that copies a table, and no leader, unlike a parallel one that
-- applies a large transaction. PostgreSQL 15 has no leaders.
CREATE OR REPLACE VIEW projector.feeds AS
SELECT
    s.subname::text AS name,
    s.subslotname::text AS slot_name,
    s.subenabled AS is_enabled,
    fed.unready_tables,
    worker.pid IS NOT NULL AS has_worker,
    worker.latest_end_lsn AS position,
    coalesce(e.apply_error_count + e.sync_error_count, 0) AS errors
FROM (
    SELECT
        r.srsubid,
        count(*) FILTER (WHERE r.srsubstate <> 'r') AS unready_tables
    FROM pg_catalog.pg_subscription_rel AS r
    INNER JOIN pg_catalog.pg_class AS c
        ON c.oid = coalesce(pg_catalog.pg_partition_root(r.srrelid)::oid, r.srrelid)
    INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    INNER JOIN projector.source_tables AS t ON t.schema_name = n.nspname AND t.table_name = c.relname
    GROUP BY r.srsubid
) AS fed
INNER JOIN pg_catalog.pg_subscription AS s ON s.oid = fed.srsubid
LEFT JOIN LATERAL (
    SELECT
        w.pid,
        w.latest_end_lsn
    FROM pg_catalog.pg_stat_subscription AS w
    WHERE w.subid = s.oid
        AND w.relid IS NULL
        AND to_jsonb(w) ->> 'leader_pid' IS NULL
    LIMIT 1
) AS worker ON true
LEFT JOIN pg_catalog.pg_stat_subscription_stats AS e ON e.subid = s.oid;
COMMENT ON VIEW projector.feeds IS 'The subscriptions that bring rows of source tables, and how far each is.';

-- Each source table that no subscription brings, although one brings others: it was published later without a REFRESH
-- PUBLICATION, or it was left out. A partition counts by itself if partitions are published, and with its root if the
-- root is.
CREATE OR REPLACE VIEW projector.unfed_tables AS
SELECT format('%I.%I', n.nspname, c.relname) AS name
FROM (
    SELECT
        leaf.table_id,
        leaf.is_fed,
        bool_or(leaf.is_fed) OVER () AS is_any_fed
    FROM (
        SELECT
            part.table_id,
            EXISTS (
                SELECT
                FROM pg_catalog.pg_subscription_rel AS r
                WHERE r.srrelid = part.table_id
                    OR r.srrelid IN (SELECT a.relid FROM pg_catalog.pg_partition_ancestors(part.table_id) AS a)
            ) AS is_fed
        FROM projector.source_tables AS t
        INNER JOIN pg_catalog.pg_namespace AS n ON n.nspname = t.schema_name
        INNER JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.table_name
        CROSS JOIN LATERAL (
            SELECT c.oid::regclass AS table_id
            WHERE c.relkind <> 'p'
            UNION ALL
            SELECT p.relid
            FROM pg_catalog.pg_partition_tree(c.oid) AS p
            WHERE p.isleaf
        ) AS part
    ) AS leaf
) AS found
INNER JOIN pg_catalog.pg_class AS c ON c.oid = found.table_id
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE found.is_any_fed AND NOT found.is_fed;
COMMENT ON VIEW projector.unfed_tables IS 'The source tables whose rows no subscription brings, while one brings those of others.';

-- One row: the moment up to which all commits can have been captured here. It is infinity if the source tables are the
-- platform's own. If a subscription feeds them, or fed them and was dropped, it is the moment that projector.origin has
-- proved.
CREATE OR REPLACE VIEW projector.provable AS
SELECT
    CASE
        WHEN NOT EXISTS (SELECT FROM projector.feeds) AND NOT EXISTS (SELECT FROM projector.origin)
            THEN 'infinity'::timestamptz
        ELSE coalesce((SELECT o.proved_at FROM projector.origin AS o), 'epoch'::timestamptz)
    END AS until;
COMMENT ON VIEW projector.provable IS 'One row: the moment up to which freshness may advance.';
