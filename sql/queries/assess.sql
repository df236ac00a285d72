-- What `assess` asks: it only reads, and needs nothing of ours.

-- name: read_server
-- Returns version; encoding; is_standby; vacuums, whether autovacuum is on; has_extensions, whether those that a search
-- needs are there or can be created; role_name, and whether it may create roles (can_create_roles).
SELECT
    current_setting('server_version') AS version,
    current_setting('server_encoding') AS encoding,
    pg_is_in_recovery() AS is_standby,
    current_setting('autovacuum')::boolean AND current_setting('track_counts')::boolean AS vacuums,
    (
        SELECT count(*) = 2
        FROM pg_catalog.pg_available_extensions AS e
        WHERE e.name IN ('pg_trgm', 'btree_gin')
    ) AS has_extensions,
    quote_ident(current_user) AS role_name,
    (SELECT r.rolcreaterole OR r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user)
    OR to_regrole('leads_api') IS NOT NULL AS can_create_roles;

-- name: find_hidden
-- Returns the tables of which row security may hide rows from this login, and role_name. Parameter: relations.
SELECT
    t.relation,
    quote_ident(current_user) AS role_name
FROM unnest(%(relations)s::text[]) AS t (relation)
WHERE row_security_active(to_regclass(t.relation)::oid);

-- name: find_publications
-- Returns the publications of all tables, which would publish those of the read model too.
SELECT quote_ident(p.pubname) AS name
FROM pg_catalog.pg_publication AS p
WHERE p.puballtables
ORDER BY name;

-- name: find_subscribed
-- Returns those of the tables whose rows a subscription brings. Parameter: relations.
SELECT t.relation
FROM unnest(%(relations)s::text[]) AS t (relation)
WHERE EXISTS (
    SELECT
    FROM pg_catalog.pg_subscription_rel AS r
    WHERE r.srrelid = to_regclass(t.relation)
);

-- name: measure_table
-- Returns about how many rows a table has, with its partitions, and its bytes with indexes. Parameter: relation. Where
-- nobody has analyzed it, a page is taken for 40 rows.
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

-- name: count_values
-- Returns how many of the sampled rows have a value that is none of the known ones (strange), three of these (values),
-- and how many were sampled (rows). Placeholders: relation, column. Parameters: percent of the pages; known.
SELECT
    count(*) AS rows,
    count(*) FILTER (WHERE s.value <> ALL(%(known)s::text[])) AS strange,
    (array_agg(DISTINCT left(s.value, 30)) FILTER (WHERE s.value <> ALL(%(known)s::text[])))[:3] AS values
FROM (
    SELECT t.{column}::text AS value
    FROM {relation} AS t TABLESAMPLE SYSTEM (%(percent)s)
) AS s;

-- name: count_future
-- Returns how many of the sampled rows have a time that is more than a day ahead (strange), and how many were sampled.
SELECT
    count(*) AS rows,
    count(*) FILTER (WHERE s.value > now() + interval '1 day') AS strange
FROM (
    SELECT t.{column}::timestamptz AS value
    FROM {relation} AS t TABLESAMPLE SYSTEM (%(percent)s)
) AS s;

-- name: explain_relation
EXPLAIN (FORMAT JSON)
SELECT r.*
FROM {relation} AS r;

-- name: find_repeated
-- Returns a key that a relation of the mapping has several times, and rows, how many; nulls where it has none.
-- Placeholders: relation, key.
SELECT
    min(repeated.key) AS key,
    min(repeated.rows) AS rows
FROM (
    SELECT
        r.{key}::text AS key,
        count(*) AS rows
    FROM {relation} AS r
    GROUP BY r.{key}
    HAVING count(*) > 1
    LIMIT 1
) AS repeated;

-- name: count_collapsing
-- Returns how many leads have conversations under phones that are written differently, and how many phones these have.
-- Placeholders: conversations, the relation of the mapping; canonical, the canonical form of c.customer_phone.
SELECT
    count(*) AS leads,
    coalesce(sum(g.phones), 0)::bigint AS phones
FROM (
    SELECT count(DISTINCT c.customer_phone) AS phones
    FROM {conversations} AS c
    WHERE c.user_id IS NOT NULL
    GROUP BY c.user_id, {canonical}
    HAVING count(DISTINCT c.customer_phone) > 1
) AS g;
