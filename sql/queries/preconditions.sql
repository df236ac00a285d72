-- What a run asks before it begins: whether the read model is installed, and whether the tenants exist.

-- name: is_installed
-- Returns: installed, whether the projector's state is there; current, whether the tables are of this version.
SELECT
    to_regclass('projector.changes') IS NOT NULL AS installed,
    to_regclass('projector.broken_capture') IS NOT NULL
    AND to_regclass('projector.source_keys') IS NOT NULL
    AND to_regclass('projector.source_tables') IS NOT NULL AS current;

-- name: read_migrated_version
-- Returns: version, the projection version of the program that migrated last; null before any did.
SELECT (SELECT s.value FROM projector.settings AS s WHERE s.name = 'projection_version') AS version;

-- name: is_noted_apart
-- Returns whether an older version installed the read model in a database of its own.
SELECT EXISTS (SELECT FROM projector.settings AS s WHERE s.name = 'read_model_apart') AS is_noted_apart;

-- name: is_built
-- Returns one row once a complete build has ended.
SELECT
FROM read_model.projection AS p
WHERE p.built_at IS NOT NULL;

-- name: find_source_tenants
-- Returns: those of the tenants that the source knows. Parameter: tenants.
SELECT wanted.user_id
FROM unnest(%(tenants)s::text[]) AS wanted (user_id)
WHERE EXISTS (SELECT FROM {source.users} AS u WHERE u.user_id = wanted.user_id);

-- name: find_stored_tenants
-- Returns: those of the tenants that the read model knows.
--
-- Parameter: tenants.
SELECT t.user_id
FROM read_model.tenants AS t
WHERE t.user_id = any(%(tenants)s::text[])
UNION
SELECT l.user_id
FROM read_model.leads AS l
WHERE l.user_id = any(%(tenants)s::text[]);
