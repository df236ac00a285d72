-- The partitions of source tables, at any level, that are not noted in capture_partitions.
--
-- A partition that is being detached concurrently does not count, because new snapshots do not see its rows.
CREATE OR REPLACE VIEW projector.new_partitions AS
SELECT
    parent.table_name,
    i.inhrelid AS partition_id,
    i.inhparent AS parent_id,
    i.xmin::text COLLATE "C" AS row_version
FROM (
    SELECT DISTINCT
        e.table_id AS parent_id,
        e.table_name
    FROM projector.capture_columns AS e
    UNION
    SELECT
        p.partition_id,
        p.table_name
    FROM projector.capture_partitions AS p
) AS parent
INNER JOIN pg_catalog.pg_inherits AS i ON i.inhparent = parent.parent_id
INNER JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid AND c.relispartition
WHERE NOT i.inhdetachpending
    AND NOT EXISTS (
        SELECT
        FROM projector.capture_partitions AS p
        WHERE p.partition_id = i.inhrelid AND p.parent_id = i.inhparent
    );
COMMENT ON VIEW projector.new_partitions IS 'The partitions of source tables that are not noted yet.';
