-- What has changed without a trigger: tables of the read model that were dropped and created again, columns of the
-- source tables that were renamed, dropped or rewritten, partitions that came or went, and rows whose key a trigger
-- could not read.
--
-- A schema read_model that was restored alone lacks the changes since its backup, and its freshness only says so until
-- the next batch.
--
-- A table that is gone, or was dropped and created again, is reported by its lost triggers. A column whose row in the
-- catalog has changed has the same values unless the rows of the table were rewritten: SET NOT NULL and SET STATISTICS
-- change no value, and VACUUM FULL changes no column. projector/capture/source_changes.py notes such changes, so that
-- two of them in a row are not taken for a rewrite. For a partitioned table the catalog does not say whether its rows
-- were rewritten, so every ALTER TABLE of a column counts.
--
-- place orders the reasons, the most specific first.
--
-- Every batch reads this view: if nothing has changed, it looks up each column and each partition by its key. OFFSET 0
-- keeps the planner to that for columns. With a few thousand columns in the catalog it would otherwise read all, which
-- takes twice as long as the rest of the batch's first statement.
CREATE OR REPLACE VIEW projector.changed_source AS
SELECT
    0 AS place,
    s.name AS table_name,
    'tables of the schema read_model were dropped and created again' AS reason
FROM projector.settings AS s
WHERE s.name = 'read_model_tables' AND s.value <> (SELECT r.ids FROM projector.read_model_tables AS r)
UNION ALL
SELECT
    1 AS place,
    e.table_name,
    CASE
        WHEN
            EXISTS (
                SELECT
                FROM pg_catalog.pg_attribute AS a
                WHERE a.attrelid = e.table_id AND a.attname = e.column_name AND NOT a.attisdropped
            )
            THEN format('the column %s of %s was altered', e.column_name, e.table_name)
        ELSE format(
            '%s has no column %s%s', e.table_name, e.column_name, (
                SELECT format(' (its name is %s now)', a.attname)
                FROM pg_catalog.pg_attribute AS a
                WHERE a.attrelid = e.table_id AND a.attnum = e.attribute_number AND NOT a.attisdropped
            )
        )
    END AS reason
FROM projector.capture_columns AS e
WHERE NOT EXISTS (
    SELECT
    FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = e.table_id
        AND a.attname = e.column_name
        AND a.attnum = e.attribute_number
        AND concat_ws(':', a.atttypid, a.atttypmod, a.attcollation, nullif(a.attgenerated, '')) = e.definition
        AND (
            a.xmin::text = e.row_version
            OR e.file_node = (
                SELECT c.relfilenode
                FROM pg_catalog.pg_class AS c
                WHERE c.oid = e.table_id AND c.relfilenode <> 0
            )
        )
    OFFSET 0
)
AND EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = e.table_id)
UNION ALL
SELECT
    2 AS place,
    n.table_name,
    format('%s has a new partition', n.table_name) AS reason
FROM projector.new_partitions AS n
UNION ALL
SELECT
    2 AS place,
    p.table_name,
    format('%s has lost a partition', p.table_name) AS reason
FROM projector.capture_partitions AS p
WHERE NOT EXISTS (
    SELECT
    FROM pg_catalog.pg_inherits AS i
    WHERE i.inhrelid = p.partition_id
        AND i.inhparent = p.parent_id
        AND i.xmin::text = p.row_version
        AND NOT i.inhdetachpending
)
UNION ALL
SELECT
    3 AS place,
    theirs.table_name,
    format('rows of %s were written while a column of their key was missing', theirs.table_name) AS reason
FROM projector.changes AS c
CROSS JOIN LATERAL (
    SELECT coalesce(min(s.table_name), c.kind) AS table_name
    FROM projector.source_tables AS s
    WHERE s.kind = c.kind
) AS theirs
WHERE c.shard = -1;
COMMENT ON VIEW projector.changed_source IS 'The changes of the source tables that no trigger reports; no row while there are none.';
