-- What the pipeline asks about its staging tables.

-- name: find_bloated_tables
-- Returns: name of each staging table that holds more bytes, most of them rows that were deleted.
-- Parameters: staging_tables, their names; truncate_above_bytes.
SELECT staging.name
FROM unnest(%(staging_tables)s::text[]) AS staging (name)
WHERE pg_relation_size(to_regclass(staging.name)) > %(truncate_above_bytes)s;
