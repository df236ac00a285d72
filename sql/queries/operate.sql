-- The queries of projector/operate/: migrate and uninstall, rights, dependents, erase, explain and export.

-- The queries of migrate and uninstall.

-- name: forget_source
-- Forgets the platform's tables, and the triggers of those that it does not have. Parameter: tables, those that it has.
WITH forgotten AS (
    DELETE FROM projector.source_tables
)

DELETE FROM projector.capture_triggers AS e
WHERE e.table_name <> ALL(%(tables)s);

-- name: note_source
-- Notes each of the platform's tables and its schema, where all our sessions find it, whatever their search_path.
-- Parameter: tables, an array of objects with name, schema, kind and details.
INSERT INTO projector.source_tables (table_name, schema_name, kind, details)
SELECT
    t.noted ->> 'name' AS table_name,
    t.noted ->> 'schema' AS schema_name,
    t.noted ->> 'kind' AS kind,
    t.noted - '{name,schema,kind}'::text[] AS details
FROM jsonb_array_elements(%(tables)s) AS t (noted);

-- name: read_type_of_extraction_ids
SELECT format_type(a.atttypid, NULL) AS stored_type
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = 'read_model.lead_profiles'::regclass AND a.attname = 'extraction_id';

-- name: widen_extraction_ids
-- Lets the read model hold extraction ids that are not uuids. The view that shows them is created again later.
DROP VIEW IF EXISTS leads_sql.leads;
ALTER TABLE read_model.lead_profiles ALTER COLUMN extraction_id TYPE text COLLATE "C";

-- name: hold_looks
-- Blocks the checks of schedulers (`look`) before the views that they read are replaced one by one. A check that began
-- in between would lock later views and wait for a replaced one, which is a deadlock. A check names
-- projector.queue_state first, so it holds no lock while it waits. The command changes nothing in this view.
ALTER VIEW IF EXISTS projector.queue_state RESET (security_barrier);

-- name: note_version
-- Notes the projection version of the migrating program, the version of all that it installs, and the functions and
-- views that it has created. Parameters: version, installed_version.
INSERT INTO projector.settings (name, value)
VALUES
('projection_version', %(version)s),
('installed_version', %(installed_version)s),
('definitions', (SELECT jsonb_object_agg(d.name, d.digest)::text FROM projector.definitions AS d))
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: begin_projection
-- Creates the row of read_model.projection.
INSERT INTO read_model.projection (version)
VALUES (%(version)s)
ON CONFLICT DO NOTHING;

-- name: read_parts_before
-- Returns the state of the read model before `migrate` changes anything: columns, its tables and their columns; and
-- is_trusted, whether a complete build of the installed version has filled all of it, and no rebuild is due.
SELECT
    coalesce(
        (
            SELECT array_agg(c.relname || coalesce('.' || a.attname, ''))
            FROM pg_catalog.pg_class AS c
            LEFT JOIN LATERAL (
                SELECT named.attname
                FROM pg_catalog.pg_attribute AS named
                WHERE named.attrelid = c.oid AND named.attnum > 0 AND NOT named.attisdropped
                UNION ALL
                SELECT NULL
            ) AS a ON true
            WHERE c.relnamespace = to_regnamespace('read_model')
        ), '{}'
    ) AS columns,
    EXISTS (
        SELECT
        FROM read_model.projection AS p
        INNER JOIN projector.settings AS s ON s.name = 'projection_version' AND s.value = p.version
        WHERE p.built_at IS NOT NULL
    )
    AND NOT EXISTS (SELECT FROM projector.sweep_positions AS w WHERE w.purpose = 'rebuild')
    AND NOT EXISTS (SELECT FROM projector.capture_gaps AS g WHERE g.healed_at IS NULL) AS is_trusted;

-- name: note_parts
-- Notes the attributes for the API, and the parts of the read model: columns and tables that a version added, and the
-- attributes of the mapping. Returns a row if any of that has changed.
--
-- A filled part stays so if only its definition has changed: until the rebuild ends, the API answers its old values,
-- and freshness stands still. A part that this migrate has created is not filled. When parts are noted for the first
-- time, an existing part counts as filled if the installation was trusted.
--
-- Parameters: attributes, the catalog; version and mapping, the digests of what makes the parts; before and is_trusted,
-- from read_parts_before. The API compares what a part `reads` with what it reads itself: a table, a column, or an
-- attribute as attributes.LEVEL.NAME, `*` for each name that is not declared.
WITH present AS (
    SELECT
        v.name,
        v.what,
        string_to_array(v.reads, ' ') AS reads,
        %(version)s::text AS digest
    FROM (
        VALUES
        (
            'history', 'the history of statuses',
            'lead_status_changes status_change_tombstones leads.status_since leads.first_warm_at leads.first_hot_at'
            ' leads.was_cold lead_profiles.status_since lead_profiles.first_warm_at lead_profiles.first_hot_at'
            ' lead_profiles.was_cold'
        ),
        (
            'waiting', 'who waits for an answer, and the reply windows',
            'leads.waiting_since leads.reply_window_ends_at leads.last_customer_message_at'
            ' lead_totals.with_reply_window lead_conversations.reply_window'
            ' lead_conversations.newest_customer_message_at lead_conversations.newest_agent_message_at'
        ),
        (
            'platforms', 'the platforms of other names than whatsapp, instagram and webchat',
            'leads.other_platforms lead_profiles.sent_on_others'
        )
    ) AS v (name, what, reads)
    UNION ALL
    SELECT
        format('attributes: %%s of %%ss', a.declared ->> 'name', a.declared ->> 'of'),
        format('the attribute %%s of %%ss', a.declared ->> 'name', a.declared ->> 'of'),
        ARRAY[format('attributes.%%s.%%s', a.declared ->> 'of', a.declared ->> 'name')],
        %(mapping)s
    FROM jsonb_array_elements(%(attributes)s::jsonb -> 'declared') AS a (declared)
    UNION ALL
    SELECT
        format('attributes: JSON of %%s', relation.name),
        format('the attributes of %%ss that %%s give by JSON', spread.level, relation.name),
        ARRAY[format('attributes.%%s.*', spread.level)],
        %(mapping)s
    FROM jsonb_each(%(attributes)s::jsonb -> 'spreads') AS spread (level, relations)
    CROSS JOIN LATERAL jsonb_array_elements_text(spread.relations) AS relation (name)
),

noted AS (
    SELECT
        coalesce(jsonb_object_agg(n.key, n.part), '{}') AS parts,
        coalesce(array_agg(n.key ORDER BY n.key COLLATE "C") FILTER (WHERE n.is_filled), '{}') AS filled
    FROM (
        SELECT
            present.name || ' ' || present.digest AS key,
            jsonb_build_object('name', present.name, 'what', present.what, 'reads', present.reads) AS part,
            NOT EXISTS (
                SELECT
                FROM unnest(present.reads) AS r (name)
                WHERE r.name NOT LIKE 'attributes.%%' AND NOT r.name = any(%(before)s::text[])
            )
            AND CASE
                WHEN p.filled IS NOT NULL THEN EXISTS (
                    SELECT
                    FROM unnest(p.filled) AS f (key)
                    WHERE p.parts -> f.key ->> 'name' = present.name
                )
                ELSE
                    %(is_trusted)s
                    AND (present.name <> 'history' OR p.is_history_built)
                    AND NOT EXISTS (
                        SELECT
                        FROM unnest(present.reads) AS r (name)
                        WHERE r.name LIKE 'attributes.%%' AND NOT r.name = any(known.attributes)
                    )
            END AS is_filled
        FROM present
        CROSS JOIN read_model.projection AS p
        -- The attributes in the previous catalog.
        CROSS JOIN LATERAL (
            SELECT
                ARRAY(
                    SELECT format('attributes.%%s.%%s', a.declared ->> 'of', a.declared ->> 'name')
                    FROM jsonb_array_elements(p.attributes -> 'declared') AS a (declared)
                    UNION ALL
                    SELECT format('attributes.%%s.*', spread.level)
                    FROM jsonb_each(p.attributes -> 'spreads') AS spread (level, relations)
                    WHERE spread.relations @> (%(attributes)s::jsonb -> 'spreads' -> spread.level)
                ) AS attributes
        ) AS known
    ) AS n
)

UPDATE read_model.projection AS p
SET attributes = %(attributes)s, parts = noted.parts, filled = noted.filled
FROM noted
WHERE (p.attributes, p.parts, p.filled) IS DISTINCT FROM (%(attributes)s::jsonb, noted.parts, noted.filled)
RETURNING true AS is_changed;

-- name: change_versions
-- Raises the version of every tenant, because earlier answers have other attributes. Parameter: random, a text, because
-- Citus takes no volatile function in an UPDATE.
UPDATE read_model.tenants SET version = version + 1, version_id = md5(user_id || %(random)s)::uuid;

-- name: attribute_indexes
-- Returns: commands, which create the indexes for ranges of declared numbers, dates and times, and drop those of
-- attributes that are no longer declared.
--
-- A name has at most 63 bytes, that of an attribute 40. A date and a time have at most 24 characters; a row that is not
-- rebuilt yet may have a long text instead, which no index takes. The API writes the same expressions, in
-- api/plan/attributes.py.
WITH declared AS (
    SELECT
        CASE attribute.value ->> 'of' WHEN 'lead' THEN 'lead_profiles' ELSE 'lead_conversations' END AS table_name,
        concat_ws(
            '_',
            attribute.value ->> 'of',
            CASE attribute.value ->> 'type' WHEN 'number' THEN 'number' ELSE 'text' END,
            attribute.value ->> 'name'
        ) AS index_name,
        format(
            CASE attribute.value ->> 'type'
                WHEN 'number' THEN
                    '(CASE WHEN jsonb_typeof(attributes -> %1$L) = ''number'' THEN (attributes -> %1$L)::numeric END)'
                ELSE '(left(attributes ->> %1$L, 24) COLLATE "C")'
            END,
            attribute.value ->> 'name'
        ) AS expression
    FROM read_model.projection AS p
    CROSS JOIN LATERAL jsonb_array_elements(p.attributes -> 'declared') AS attribute
    WHERE attribute.value ->> 'type' IN ('number', 'date', 'time')
)

SELECT
    coalesce(
        string_agg(
            CASE
                WHEN d.index_name IS NULL THEN format('DROP INDEX IF EXISTS read_model.%I;', i.relname)
                ELSE format(
                    'CREATE INDEX IF NOT EXISTS %I ON read_model.%I (user_id, %s, customer_phone)'
                    ' WHERE %3$s IS NOT NULL;',
                    d.index_name, d.table_name, d.expression
                )
            END, E'\n'
        ), ''
    ) AS commands
FROM declared AS d
FULL JOIN (
    SELECT c.relname
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = 'read_model'::regnamespace
        AND c.relkind = 'i'
        AND c.relname ~ '^(lead|conversation)_(number|text)_'
) AS i ON i.relname = d.index_name;

-- name: find_source
-- Returns of each source table, in the order in which they are given: name; kind, "table" or what else has its name,
-- null for nothing; its full name and its owner as SQL writes them; is_owned, whether this login has the rights of the
-- owner; is_readable; is_hidden, whether row security may hide rows from this login; is_subscribed, whether a
-- subscription brings the rows; columns, their names; indexes, the columns of each index without a condition, null for
-- an expression; unique_keys, those of the unique ones; primary_key, its first column.
--
-- Parameters: tables, their names, and relations, the same with their schemas.
SELECT
    t.name,
    CASE
        WHEN c.relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits AS h WHERE h.inhparent = c.oid)
            THEN 'parent'
        WHEN c.relkind IN ('r', 'p') THEN 'table'
        WHEN c.relkind = 'v' THEN 'view'
        WHEN c.relkind = 'm' THEN 'materialized view'
        WHEN c.relkind = 'f' THEN 'foreign table'
        WHEN c.oid IS NOT NULL THEN 'relation'
    END AS kind,
    (pg_identify_object('pg_class'::regclass, c.oid, 0)).identity AS full_name,
    c.relowner::regrole::text AS owner,
    coalesce(pg_has_role(c.relowner, 'USAGE'), false) AS is_owned,
    coalesce(has_table_privilege(c.oid, 'SELECT'), false) AS is_readable,
    coalesce(row_security_active(c.oid), false) AS is_hidden,
    EXISTS (SELECT FROM pg_catalog.pg_subscription_rel AS r WHERE r.srrelid = c.oid) AS is_subscribed,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
    ) AS columns,
    coalesce(n.indexes, '[]') AS indexes,
    coalesce(n.unique_keys, '[]') AS unique_keys,
    (
        SELECT a.attname::text
        FROM pg_catalog.pg_index AS i
        INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = c.oid AND i.indisprimary
    ) AS primary_key
FROM unnest(%(tables)s::text[], %(relations)s::text[]) WITH ORDINALITY AS t (name, relation, place)
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass(t.relation)
CROSS JOIN LATERAL (
    SELECT
        jsonb_agg(k.names) AS indexes,
        jsonb_agg(k.names) FILTER (WHERE i.indisunique) AS unique_keys
    FROM pg_catalog.pg_index AS i
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(a.attname ORDER BY k.place) AS names
        FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
        LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
        WHERE k.place <= i.indnkeyatts
    ) AS k
    WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL
) AS n
ORDER BY t.place;

-- name: read_server
-- Returns the columns of Server in projector/operate/rights.py.
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
    d.datcollate::text AS collation,
    d.datctype::text AS ctype,
    quote_ident(current_user) AS role_name,
    quote_ident(current_database()) AS database_name,
    current_setting('server_version_num')::integer >= 160000 AS grants_inherit,
    has_database_privilege(current_database(), 'CREATE') AS can_create,
    has_database_privilege(current_database(), 'TEMPORARY') AS can_create_temporary,
    r.rolcreatedb OR r.rolsuper AS can_create_databases,
    r.rolcreaterole OR r.rolsuper OR to_regrole('leads_api') IS NOT NULL AS can_create_roles
FROM pg_catalog.pg_roles AS r
CROSS JOIN pg_catalog.pg_database AS d
WHERE r.rolname = current_user AND d.datname = current_database();

-- name: find_further_rights
-- Returns each owner of a source table or of its partitions who is not a superuser. The rights are those of the login,
-- because the owner's code can return to it from any role that the session runs as.
--
-- Our roles are left out, and so is what the login was granted on the source tables. Parameter: relations.
WITH source AS MATERIALIZED (
    SELECT
        c.oid,
        c.relowner
    FROM unnest(%(relations)s::text[]) AS r (relation)
    CROSS JOIN LATERAL (
        SELECT to_regclass(r.relation) AS table_id
        UNION
        SELECT p.relid FROM pg_partition_tree(to_regclass(r.relation)) AS p
    ) AS part
    INNER JOIN pg_catalog.pg_class AS c ON c.oid = part.table_id
)

SELECT
    quote_ident(o.rolname) AS owner,
    o.oid = me.oid AS is_login,
    (SELECT array_agg(s.oid::regclass::text ORDER BY s.oid) FROM source AS s WHERE s.relowner = o.oid) AS tables,
    string_agg(DISTINCT further.what, ', ' ORDER BY further.what) AS rights
FROM pg_catalog.pg_roles AS o
INNER JOIN pg_catalog.pg_roles AS me ON me.rolname = session_user
LEFT JOIN LATERAL (
    SELECT attribute.what
    FROM (
        VALUES
        ('is a superuser', me.rolsuper),
        ('may create roles', me.rolcreaterole AND NOT o.rolcreaterole AND NOT me.rolsuper),
        ('may create databases', me.rolcreatedb AND NOT o.rolcreatedb AND NOT me.rolsuper),
        ('may replicate', me.rolreplication AND NOT o.rolreplication AND NOT me.rolsuper),
        ('bypasses row security', me.rolbypassrls AND NOT o.rolbypassrls AND NOT me.rolsuper)
    ) AS attribute (what, is_further)
    WHERE attribute.is_further
    UNION ALL
    SELECT 'is a member of ' || quote_ident(r.rolname)
    FROM pg_catalog.pg_roles AS r
    WHERE NOT me.rolsuper
        AND r.oid <> me.oid
        AND r.rolname NOT IN ('leads_api', 'leads_reader', 'leads_keys')
        AND pg_has_role(me.oid, r.oid, 'MEMBER')
        AND NOT pg_has_role(o.oid, r.oid, 'MEMBER')
    UNION ALL
    SELECT 'was granted or owns the ' || i.type || ' ' || i.identity
    FROM pg_catalog.pg_shdepend AS d
    CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) AS i
    WHERE NOT me.rolsuper
        -- Databases, tablespaces and parameters belong to no database.
        AND d.dbid IN (0, (SELECT b.oid FROM pg_catalog.pg_database AS b WHERE b.datname = current_database()))
        AND d.refobjid = me.oid
        AND d.deptype IN ('o', 'a')
        AND d.classid NOT IN ('pg_default_acl'::regclass, 'pg_extension'::regclass, 'pg_auth_members'::regclass)
        -- USAGE or CREATE on a schema or a database gives no rights to the objects of others there.
        AND (d.deptype = 'o' OR d.classid NOT IN ('pg_namespace'::regclass, 'pg_database'::regclass))
        AND NOT (d.classid = 'pg_database'::regclass AND o.rolcreatedb)
        AND (d.deptype = 'o' OR d.objid NOT IN (SELECT s.oid FROM source AS s))
        AND (
            coalesce(i.schema, CASE d.classid WHEN 'pg_namespace'::regclass THEN i.name END, '')
            !~ '^(projector|read_model|leads_(access|sql)|pg_temp.*)$'
            OR (d.deptype = 'a' AND i.type = 'table' AND i.schema = 'leads_access')
        )
        -- Our documentation and messages ask for these grants.
        AND i.identity NOT IN (
            'pg_catalog.set_config(pg_catalog.text,pg_catalog.text,boolean)',
            'pg_catalog.recover_prepared_transactions()'
        )
        AND NOT EXISTS (
            SELECT
            FROM pg_catalog.pg_shdepend AS owned
            WHERE (owned.dbid, owned.classid, owned.objid, owned.deptype) = (d.dbid, d.classid, d.objid, 'o')
                AND pg_has_role(o.oid, owned.refobjid, 'MEMBER')
        )
) AS further ON o.oid <> me.oid
WHERE NOT o.rolsuper AND o.oid IN (SELECT s.relowner FROM source AS s)
GROUP BY o.oid, o.rolname, me.oid
ORDER BY o.rolname;

-- name: read_access
-- Returns the columns of Access in projector/operate/roles.py, even if the schema does not exist.
SELECT
    n.nspowner::regrole::text AS owner,
    coalesce(n.nspowner = to_regrole('leads_access'), false) AS is_apart,
    coalesce(
        has_schema_privilege(n.oid, 'USAGE') AND (
            SELECT bool_and(has_function_privilege(p.oid, 'EXECUTE')) AND bool_or(p.proname = 'append_erasure')
            FROM pg_catalog.pg_proc AS p
            WHERE p.pronamespace = n.oid
        ),
        false
    ) AS is_usable,
    obj_description(n.oid, 'pg_namespace') AS version,
    me.rolsuper AS is_superuser,
    NOT me.rolsuper AND EXISTS (
        SELECT
        FROM pg_catalog.pg_roles AS r
        WHERE r.rolname IN ('leads_keys', 'leads_access') AND pg_has_role(me.oid, r.oid, 'MEMBER')
    ) AS may_write_keys,
    to_regrole('leads_api') IS NOT NULL AS has_api_role
FROM pg_catalog.pg_roles AS me
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = 'leads_access'
WHERE me.rolname = session_user;

-- name: find_schemas
-- Two of three tables are enough, so that `migrate` can restore one that was dropped by mistake. The schema of the API
-- keys has only one.
SELECT
    n.nspname::text AS schema_name,
    n.nspowner::regrole::text AS owner,
    (
        SELECT count(*) >= CASE n.nspname WHEN 'leads_access' THEN 1 ELSE 2 END
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = n.oid
            AND c.relkind = CASE n.nspname WHEN 'leads_sql' THEN 'v' ELSE 'r' END
            AND (n.nspname, c.relname) IN (
                ('projector', 'capture_triggers'), ('projector', 'capture_gaps'), ('projector', 'dead_letters'),
                ('read_model', 'projection'), ('read_model', 'freshness'), ('read_model', 'lead_profiles'),
                ('leads_access', 'api_keys'),
                ('leads_sql', 'leads'), ('leads_sql', 'messages'), ('leads_sql', 'statistics_by_day')
            )
    ) AS is_ours,
    pg_has_role(n.nspowner, 'USAGE') AS may_drop,
    (
        SELECT i.type || ' ' || i.identity
        FROM pg_catalog.pg_depend AS d
        CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
        WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.deptype = 'n'
        ORDER BY i.type <> 'table', i.identity
        LIMIT 1
    ) AS first_object
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname IN ('projector', 'read_model', 'leads_access', 'leads_sql')
ORDER BY schema_name;

-- name: have_names_qualified
-- Makes PostgreSQL qualify names and report what it drops, in English if the login may set the language.
SELECT
    set_config('search_path', '', true),
    set_config('client_min_messages', 'notice', true),
    CASE WHEN has_parameter_privilege('lc_messages', 'SET') THEN set_config('lc_messages', 'C', true) END;

-- name: find_attached
-- Returns what others added to our tables or schemas, and PostgreSQL would drop silently: triggers, rules and columns
-- of our tables; objects in our schemas; and triggers that call our functions. An index, a constraint or a policy on
-- our tables has no content of its own.
--
-- Parameters as those of own_objects; columns, those of our tables, as schema.table.column; described, the qualified
-- names of the tables that have these columns.
WITH own AS ({own})

SELECT pg_describe_object(attached.class_id, attached.object_id, attached.part) AS object
FROM (
    SELECT
        'pg_trigger'::regclass AS class_id,
        t.oid AS object_id,
        0 AS part
    FROM own AS o
    INNER JOIN pg_catalog.pg_trigger AS t ON o.object_id IN (t.tgrelid, t.tgfoid)
    -- Our own triggers on the platform's tables do not count.
    WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgname NOT LIKE 'leads\_capture\_%%'
    UNION ALL
    SELECT
        'pg_rewrite'::regclass,
        w.oid,
        0
    FROM own AS o
    INNER JOIN pg_catalog.pg_rewrite AS w ON w.ev_class = o.object_id AND w.rulename <> '_RETURN'
    UNION ALL
    SELECT
        'pg_class'::regclass,
        a.attrelid,
        a.attnum
    FROM own AS o
    INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = o.object_id AND a.attnum > 0 AND NOT a.attisdropped
    CROSS JOIN LATERAL pg_identify_object('pg_class'::regclass, a.attrelid, 0) AS i
    WHERE o.command = 'TABLE'
        AND i.identity = ANY(%(described)s::text[])
        AND i.identity || '.' || a.attname <> ALL(%(columns)s::text[])
    UNION ALL
    SELECT
        d.classid,
        d.objid,
        0
    FROM own AS o
    INNER JOIN pg_catalog.pg_depend AS d ON d.refclassid = o.class_id AND d.refobjid = o.object_id
    WHERE o.command = 'SCHEMA'
        AND (d.classid, d.objid) NOT IN (SELECT m.class_id, m.object_id FROM own AS m)
        -- Parts are dropped with their whole, as default privileges and a membership in a publication are with the
        -- schema.
        AND d.deptype = 'n'
        AND d.classid <> 'pg_publication_namespace'::regclass
        AND NOT EXISTS (
            SELECT
            FROM pg_catalog.pg_depend AS p
            WHERE p.classid = d.classid AND p.objid = d.objid AND p.deptype IN ('a', 'i', 'e')
        )
) AS attached;

-- name: find_publications
-- Returns the publications that name a table or a schema of ours; those of all tables do not.
SELECT DISTINCT p.pubname::text AS name
FROM pg_catalog.pg_publication AS p
INNER JOIN pg_catalog.pg_publication_tables AS t ON t.pubname = p.pubname
WHERE NOT p.puballtables AND t.schemaname = ANY(%(schemas)s)
ORDER BY name;

-- The queries of `erase`, which deletes everything that we hold about a tenant, or about one of its leads.
--
-- If a query takes user_id and customer_phone, a null phone stands for the whole tenant.

-- name: find_standing_rows
-- Returns table_name, rows and example (a primary key) of each source table that has rows from which the tenant or the
-- lead would come back.
SELECT
    coalesce(s.table_name, standing.relation) AS table_name,
    count(*) AS rows,
    min(standing.key) AS example
FROM (
    SELECT
        own.kind AS relation,
        k.key
    FROM projector.current_keys() AS k
    INNER JOIN ({definition.kinds}) AS own ON own.key_kind = k.kind AND own.phone IS NOT NULL
    WHERE k.user_id = %(user_id)s COLLATE "default"
        AND (%(customer_phone)s::text IS NULL OR k.customer_phone = %(customer_phone)s)
    UNION ALL
    SELECT
        'tenants' AS relation,
        t.user_id::text AS key
    FROM projector.source_tenants() AS t
    WHERE t.user_id::text = %(user_id)s AND %(customer_phone)s::text IS NULL
) AS standing
LEFT JOIN projector.source_tables AS s ON s.details -> 'relations' ? standing.relation
GROUP BY coalesce(s.table_name, standing.relation)
ORDER BY table_name;

-- name: count_held
-- Returns: leads and messages that the read model has.
SELECT
    count(*) AS leads,
    coalesce(sum(l.total_messages), 0)::bigint AS messages
FROM read_model.leads AS l
WHERE l.user_id = %(user_id)s AND (%(customer_phone)s::text IS NULL OR l.customer_phone = %(customer_phone)s);

-- name: count_keys
-- Returns the number of API keys of a whole tenant. It is a separate statement because Citus workers lack the function.
SELECT count(*) AS api_keys
FROM leads_access.tenants_of_keys() AS k
WHERE k.user_id = %(user_id)s AND %(customer_phone)s::text IS NULL;

-- name: stage_dead_letters
-- Stages the keys of the dead letters of the target, as those of taken changes.
INSERT INTO taken_changes (change_id, shard, kind, keys)
SELECT
    0,
    0,
    d.kind,
    ARRAY[d.key]
FROM projector.dead_letters AS d
WHERE d.user_id = %(user_id)s
    AND (%(customer_phone)s::text IS NULL OR d.customer_phone = %(customer_phone)s);

-- name: delete_some
-- Deletes rows of a table that has tenant and phone. Parameters: user_id, customer_phone, size (how many rows at most).
-- The tenant is named twice, so that Citus sends the whole statement to the one shard that has these rows.
DELETE FROM {table}
WHERE user_id = %(user_id)s
    AND ctid = any(
        ARRAY(
            SELECT t.ctid
            FROM {table} AS t
            WHERE t.user_id = %(user_id)s
                AND (%(customer_phone)s::text IS NULL OR t.customer_phone = %(customer_phone)s)
            LIMIT %(size)s
        )
    );

-- name: delete_of_tenant
DELETE FROM {table}
WHERE user_id = %(user_id)s;

-- name: delete_keys
-- Deletes the API keys of a tenant that the ledger names.
SELECT leads_access.delete_keys(%(user_id)s) AS deleted;

-- name: shed_queue
-- Deletes the waiting changes, because a rebuild of everything follows, which reads all source rows committed by now.
-- This transaction owns all shards. A change without a key stays, because it is a gap of capture.
DELETE FROM projector.changes
WHERE shard >= 0;

-- name: delete_unknown
-- Deletes from a table with kind, key and user_id, which can be blank, each key that neither the definition nor
-- projector.source_keys has: retrying or comparing it would do nothing. A dead letter has the kind of a change, and
-- rows of other tables have the kind of a key.
DELETE FROM {table} AS t
WHERE t.key <> ''
    AND coalesce(t.user_id, '') IN ('', %(user_id)s)
    AND NOT EXISTS (
        SELECT
        FROM (
            SELECT
                t.kind,
                t.key
            UNION ALL
            SELECT
                k.kind,
                k.key
            FROM projector.keys_of_change(t.kind, t.key) AS k
        ) AS named
        WHERE EXISTS (SELECT FROM projector.source_keys AS s WHERE s.kind = named.kind AND s.key = named.key)
            OR EXISTS (SELECT FROM projector.current_key(named.kind, named.key) AS c)
    );

-- name: restart_phases
-- Restarts the present phase of a rebuild and of the verify if its position is the erased tenant or lead.
UPDATE projector.sweep_positions AS p
SET after_first = '', after_second = ''
WHERE p.after_first = %(user_id)s AND (%(customer_phone)s::text IS NULL OR p.after_second = %(customer_phone)s);

-- name: forget_runs
-- Removes a tenant from the runs that were for it, and deletes those that were for no other.
WITH deleted AS (
    DELETE FROM projector.runs
    WHERE tenants = ARRAY[%(user_id)s::text]
)

UPDATE projector.runs
SET tenants = array_remove(tenants, %(user_id)s)
WHERE %(user_id)s = any(tenants) AND tenants <> ARRAY[%(user_id)s::text];

-- name: forget_note
-- Replaces a text that names the tenant or the lead, because the text may contain more about it. Parameters: mention, a
-- regular expression; instead.
UPDATE {table}
SET {column} = %(instead)s
WHERE {column} ~ %(mention)s;

-- name: forget_reason
-- The same for the reason for which an operator switched capture off.
UPDATE projector.settings
SET value = %(instead)s
WHERE name = 'capture_off' AND value ~ %(mention)s;

-- name: note
-- Writes a line into the ledger, and returns its erasure_id. Until the erasure has ended, the line names whom it
-- erases.
SELECT
    leads_access.append_erasure(
        jsonb_build_object(
            'salt', s.salt,
            'tenant_hash',
            encode(sha256(convert_to(json_build_array(s.salt, %(user_id)s::text)::text, 'UTF8')), 'hex'),
            'lead_hash',
            CASE
                WHEN %(customer_phone)s::text IS NOT NULL THEN encode(
                    sha256(
                        convert_to(
                            json_build_array(s.salt, %(user_id)s::text, %(customer_phone)s::text)::text, 'UTF8'
                        )
                    ),
                    'hex'
                )
            END,
            'asked_by', %(asked_by)s || ', as ' || session_user,
            'user_id', %(user_id)s::text,
            'customer_phone', %(customer_phone)s::text
        )
    ) AS erasure_id
FROM (
    SELECT
        coalesce(
            (SELECT e.salt FROM leads_access.read_erasures() AS e ORDER BY e.asked_at DESC LIMIT 1),
            replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')
        ) AS salt
) AS s;

-- name: finish
-- Notes that an erasure has ended, and removes the names from its line.
SELECT leads_access.finish_erasure(%(erasure_id)s) AS finished;

-- name: read_lines
-- Returns: the lines of the ledger as JSON, in order. A ledger file does not have all of their columns.
SELECT to_jsonb(e.*) AS line
FROM leads_access.read_erasures() AS e
ORDER BY e.asked_at, e.erasure_id;

-- name: add_line
-- Adds a line of a ledger file to the ledger if it is not there yet; returns whether it did. Parameter: line.
SELECT leads_access.append_erasure(%(line)s) IS NOT NULL AS is_taken;

-- name: find_matches
-- Returns erasure_id, user_id and customer_phone (null for a whole tenant) of erased tenants and leads that a table
-- has. It hashes only the leads of tenants in the ledger.
WITH erasures AS MATERIALIZED (SELECT e.* FROM leads_access.read_erasures() AS e),

tenants AS MATERIALIZED (
    SELECT
        hashed.salt,
        hashed.user_id,
        hashed.tenant_hash
    FROM (
        SELECT
            s.salt,
            t.user_id,
            encode(sha256(convert_to(json_build_array(s.salt, t.user_id)::text, 'UTF8')), 'hex') AS tenant_hash
        FROM (SELECT DISTINCT e.salt FROM erasures AS e) AS s
        CROSS JOIN (SELECT DISTINCT held.user_id FROM {table} AS held WHERE held.user_id IS NOT NULL) AS t
    ) AS hashed
    WHERE EXISTS (SELECT FROM erasures AS e WHERE e.tenant_hash = hashed.tenant_hash)
)

SELECT
    e.erasure_id,
    t.user_id,
    NULL AS customer_phone
FROM tenants AS t
INNER JOIN erasures AS e ON e.tenant_hash = t.tenant_hash AND e.lead_hash IS NULL
UNION ALL
SELECT
    e.erasure_id,
    l.user_id,
    l.customer_phone
FROM tenants AS t
INNER JOIN (SELECT DISTINCT held.user_id, {phone} AS customer_phone FROM {table} AS held) AS l ON l.user_id = t.user_id
INNER JOIN erasures AS e ON e.lead_hash = encode(
    sha256(convert_to(json_build_array(t.salt, l.user_id, l.customer_phone)::text, 'UTF8')), 'hex'
);

-- name: leads_elsewhere
-- The tenants and leads of the source, and the tenants of runs.
SELECT
    t.user_id COLLATE "C" AS user_id,
    NULL AS customer_phone
FROM projector.runs AS r
CROSS JOIN LATERAL unnest(r.tenants) AS t (user_id)
UNION ALL
SELECT
    k.user_id,
    k.customer_phone
FROM projector.current_keys() AS k
UNION ALL
SELECT
    t.user_id::text COLLATE "C",
    NULL
FROM projector.source_tenants() AS t;

-- name: find_tables
-- Returns name, quoted for SQL, of each table whose files contain values, and whether the planner has statistics on it
-- (has_statistics), which contain some too.
SELECT
    quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name,
    EXISTS (SELECT FROM pg_catalog.pg_stats AS s WHERE s.schemaname = n.nspname AND s.tablename = c.relname)
        AS has_statistics
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE (n.nspname IN ('read_model', 'projector', 'leads_access') AND c.relkind = 'r')
    OR c.oid = 'pg_catalog.pg_statistic'::regclass
ORDER BY n.nspname = 'pg_catalog', n.nspname, c.relname;

-- The queries of `explain` about one lead, all in one REPEATABLE READ transaction that writes nothing.
--
-- sql/definition/ says which rows count, and in which order they compete. Each query starts from the keys of the lead
-- and finds its rows by indexes.
--
-- Parameters that most of them take: user_id and customer_phone; kinds and keys, two arrays of one length, the keys
-- of the lead's source rows; bound, how many waiting changes, and keys of them, are checked.

-- name: limit_transaction
-- Makes the transaction read-only, limits the time of its statements, and makes it use indexes if it can. Parameter:
-- timeout.
SELECT
    set_config('transaction_read_only', 'on', true),
    set_config('statement_timeout', %(timeout)s, true),
    set_config('enable_seqscan', 'off', true);

-- name: waiting_keys
-- The keys of the first changes that wait, and the late keys of the lead.
(
    SELECT
        c.kind,
        k.key COLLATE "C" AS key,
        c.queued_at
    FROM (
        SELECT c.*
        FROM projector.changes AS c
        ORDER BY c.shard, c.bulk, c.change_id
        LIMIT %(bound)s
    ) AS c
    CROSS JOIN LATERAL unnest(c.keys) AS k (key)
    LIMIT %(bound)s
)
UNION ALL
SELECT
    l.kind,
    l.key,
    l.queued_at
FROM projector.late_keys AS l
WHERE l.user_id = %(user_id)s AND l.customer_phone = %(customer_phone)s;

-- name: read_state
-- Returns the state that explains a difference from the read model. Citus refuses a sub-select without a column.
--
-- Columns: version (projection version of the last build), is_rebuilding, truncates (whether a TRUNCATE of the platform
-- waits), and is_longer (whether more changes wait than are checked).
SELECT
    p.version,
    EXISTS (SELECT 1 FROM projector.sweep_positions AS p WHERE p.purpose = 'rebuild') AS is_rebuilding,
    EXISTS (SELECT 1 FROM ({waiting}) AS w WHERE w.kind = 'truncate') AS truncates,
    (SELECT count(*) FROM (SELECT 1 FROM projector.changes LIMIT %(bound)s + 1) AS bounded) > %(bound)s AS is_longer
FROM read_model.projection AS p;

-- name: canonical_phone
-- Returns the canonical form of a phone; null for a blank.
SELECT projector.canonical_phone(%(phone)s) AS customer_phone;

-- name: find_keys
-- The keys of the source rows that belong to a lead, or that the read model last knew it by.
--
-- Returns kind, key and is_known, whether the key is known to belong to the lead. A row that projector.source_keys does
-- not have under this lead yet may be one that a waiting change or a dead letter names.
SELECT
    c.kind,
    c.key,
    bool_or(c.is_known) AS is_known
FROM (
    SELECT
        sk.kind,
        sk.key,
        true AS is_known
    FROM projector.source_keys AS sk
    WHERE sk.user_id = %(user_id)s AND sk.customer_phone = %(customer_phone)s
    UNION ALL
    SELECT
        kinds.key_kind,
        q.key,
        q.is_known
    FROM (
        SELECT
            w.kind,
            w.key,
            false AS is_known
        FROM ({waiting}) AS w
        UNION ALL
        (
            SELECT
                d.kind,
                d.key,
                coalesce(d.user_id = %(user_id)s AND d.customer_phone = %(customer_phone)s, false)
            FROM projector.dead_letters AS d
            ORDER BY d.kind, d.key
            LIMIT %(bound)s
        )
    ) AS q
    INNER JOIN projector.change_kinds AS kinds ON kinds.change_kind = q.kind AND kinds.dead_letter_kind IS NOT NULL
) AS c
GROUP BY c.kind, c.key;

-- name: find_own_keys
-- Returns the keys that concern the lead: kind, key and is_own, whether the source row belongs to it now. Further
-- parameter: known, is_known of each as `find_keys` returns it.
SELECT
    c.kind,
    c.key,
    coalesce(d.is_own, false) AS is_own
FROM unnest(%(kinds)s::text[], %(keys)s::text[], %(known)s::boolean[]) AS c (kind, key, is_known)
LEFT JOIN LATERAL (
    SELECT k.user_id = %(user_id)s AND k.customer_phone = %(customer_phone)s AS is_own
    FROM projector.current_key(c.kind, c.key) AS k
    OFFSET 0
) AS d ON true
WHERE c.is_known OR d.is_own;

-- name: find_waiting
-- Returns the waiting changes that concern the lead, the oldest first: those of its rows, and of their agents, channels
-- and templates.
--
-- Columns: kind, key, queued_at, and total, how many there are. Further parameter: size, how many are returned.
SELECT
    w.kind,
    w.key,
    w.queued_at::text AS queued_at,
    count(*) OVER () AS total
FROM ({waiting}) AS w
WHERE w.kind <> 'truncate'
    AND EXISTS (
        SELECT
        FROM projector.keys_of_change(w.kind, w.key) AS k
        WHERE (k.kind, k.key) IN (SELECT o.* FROM unnest(%(kinds)s::text[], %(keys)s::text[]) AS o (kind, key))
    )
ORDER BY w.queued_at, w.kind, w.key
LIMIT %(size)s;

-- name: find_dead_letters
-- The dead letters of the lead: those of its keys, and those that name it.
SELECT
    d.kind,
    d.key,
    d.error,
    d.attempts,
    d.first_failed_at::text AS first_failed_at,
    d.retry_at::text AS retry_at
FROM (
    SELECT d.*
    FROM projector.dead_letters AS d
    ORDER BY d.kind, d.key
    LIMIT %(bound)s
) AS d
WHERE (d.user_id = %(user_id)s AND d.customer_phone = %(customer_phone)s)
    OR (d.kind, d.key) IN (
        SELECT
            kinds.dead_letter_kind,
            k.key
        FROM unnest(%(kinds)s::text[], %(keys)s::text[]) AS k (kind, key)
        INNER JOIN projector.change_kinds AS kinds ON kinds.key_kind = k.kind
    )
ORDER BY d.first_failed_at, d.kind, d.key;

-- name: print_lead
-- Returns document; attributes; of_conversations, the attributes of those that have any, by their ids; moments, what
-- include=waiting,status_since prints; left_out, how many attributes were left out. `of` is the prefix of the tables'
-- names: `read_model.`, or `new_` for those that the steps fill.
SELECT
    l.document,
    p.attributes,
    c.of_conversations,
    jsonb_build_object(
        'waiting_since', projector.format_time(l.waiting_since),
        'reply_window_ends_at', projector.format_time(l.reply_window_ends_at),
        'last_customer_message_at', projector.format_time(l.last_customer_message_at),
        'status_since', projector.format_time(l.status_since)
    ) AS moments,
    p.attributes_left_out + c.left_out AS left_out
FROM {of}leads AS l
INNER JOIN {of}lead_profiles AS p ON p.user_id = l.user_id AND p.customer_phone = l.customer_phone
CROSS JOIN (
    SELECT
        jsonb_object_agg(c.conversation_id, c.attributes) FILTER (WHERE c.attributes IS NOT NULL) AS of_conversations,
        coalesce(sum(c.attributes_left_out), 0) AS left_out
    FROM {of}lead_conversations AS c
    WHERE c.user_id = %(user_id)s AND c.customer_phone = %(customer_phone)s
) AS c
WHERE l.user_id = %(user_id)s AND l.customer_phone = %(customer_phone)s;

-- name: create_key_table
-- Creates a table for the keys of the lead, as projector.source_keys has them once nothing waits.
CREATE TEMPORARY TABLE IF NOT EXISTS explained_keys ({types.source_keys});

-- name: fill_key_table
WITH cleared AS (
    DELETE FROM explained_keys
)

INSERT INTO explained_keys (kind, key, user_id, customer_phone)
SELECT
    k.kind,
    k.key,
    %(user_id)s,
    %(customer_phone)s
FROM unnest(%(kinds)s::text[], %(keys)s::text[]) AS k (kind, key);

-- name: read_rows
-- Returns rows of one kind as JSON: `rows` is a definition, or a staging table. Parameter: size, how many are returned.
WITH profile_keys AS NOT MATERIALIZED (
    SELECT k.*
    FROM explained_keys AS k
),

newest_messages AS NOT MATERIALIZED (
    SELECT m.*
    FROM new_messages AS m
)

SELECT row_to_json(r.*)
FROM ({rows}) AS r
LIMIT %(size)s;

-- name: rank_rows
-- The rows of a staging table, or of a definition, in an order.
SELECT r.*
FROM {rows} AS r
ORDER BY {order};

-- name: find_nearest
-- The leads of the tenant that have one of these phones, in the order of the array.
SELECT l.customer_phone
FROM unnest(%(phones)s::text[]) WITH ORDINALITY AS p (phone, place)
CROSS JOIN LATERAL (
    SELECT leads.customer_phone
    FROM read_model.leads AS leads
    WHERE leads.user_id = %(user_id)s AND leads.customer_phone = p.phone
    OFFSET 0
) AS l
ORDER BY p.place
LIMIT %(size)s;

-- name: csv_functions
-- Returns: commands, which create read_model.csv_header() with the columns of the CSV, and read_model.csv_line(), which
-- makes the row of a printed lead.
--
-- The columns are those that the definition prints for a sample: a lead with template sends only, and a value in each
-- column of its profile. The kind of a value says how its column is written. A column without a value is a text.
WITH sample AS (
    SELECT
        jsonb_object_agg(
            a.attname,
            CASE t.typcategory
                WHEN 'N' THEN '1'
                WHEN 'B' THEN 'true'
                WHEN 'D' THEN '"2025-01-31"'
                WHEN 'A' THEN '[]'
                ELSE '"00000000-0000-0000-0000-000000000000"'
            END::jsonb
        ) AS profile
    FROM pg_attribute AS a
    JOIN pg_type AS t ON t.oid = a.atttypid
    WHERE a.attrelid = 'read_model.lead_profiles'::regclass AND a.attnum > 0 AND NOT a.attisdropped
),

new_lead_profiles AS (
    SELECT p.*
    FROM sample AS s
    CROSS JOIN LATERAL jsonb_populate_record(NULL::read_model.lead_profiles, s.profile) AS p
),

new_lead_conversations AS (
    SELECT c.*
    FROM jsonb_populate_recordset(NULL::read_model.lead_conversations, '[]') AS c
),

last_messages AS (
    SELECT m.*
    FROM jsonb_to_recordset('[]') AS m (user_id text, customer_phone text, text text, sender text)
),

waiting AS (
    SELECT w.*
    FROM jsonb_to_recordset('[]') AS w (user_id text, customer_phone text, waiting_since timestamptz)
),

fields AS (
    SELECT
        f.key,
        f.place,
        CASE
            WHEN json_typeof(f.value) IN ('number', 'boolean') OR f.key = 'extraction_id'
                THEN format('coalesce(r.%I, %L)', f.key, '')
            WHEN json_typeof(f.value) = 'array'
                THEN format('read_model.csv_text(array_to_string(r.%I, %L))', f.key, ',')
            WHEN f.key LIKE '%\_at' THEN format('read_model.csv_time(r.%I, csv_line.for_excel)', f.key)
            ELSE format('read_model.csv_cell(r.%I, csv_line.for_excel)', f.key)
        END AS cell,
        format('%I ', f.key) || CASE json_typeof(f.value) WHEN 'array' THEN 'text []' ELSE 'text' END AS declared
    FROM ({definition.leads}) AS l
    CROSS JOIN LATERAL json_each(l.document::json) WITH ORDINALITY AS f (key, value, place)
    WHERE f.key <> 'conversations'
)

SELECT
    format(
        'CREATE OR REPLACE FUNCTION read_model.csv_header() RETURNS text'
        ' LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN %L;'
        ' CREATE OR REPLACE FUNCTION read_model.csv_line(document text, for_excel boolean DEFAULT false)'
        ' RETURNS TABLE (line text) LANGUAGE sql STABLE PARALLEL SAFE AS $line$'
        ' SELECT concat_ws(%L, %s) || %L AS line FROM json_to_record(csv_line.document::json) AS r (%s)'
        ' $line$;',
        string_agg(f.key, ',' ORDER BY f.place),
        ',',
        string_agg(f.cell, ', ' ORDER BY f.place),
        E'\r\n',
        string_agg(f.declared, ', ' ORDER BY f.place)
    ) AS commands
FROM fields AS f;

-- The lines of an export, as the API writes them: see sql/install/functions/30_export.sql. Parameters of all: user_id;
-- for messages also start and end, the moments from which and before which they were sent; null for any.

-- name: read_as_of
-- Returns: as_of, the moment up to which every change of the tenant is in the read model.
SELECT
    least(
        (SELECT min(s.as_of) FROM read_model.freshness AS f CROSS JOIN LATERAL unnest(f.shards) AS s (as_of)),
        (SELECT t.late_as_of FROM read_model.tenants AS t WHERE t.user_id = %(user_id)s)
    ) AS as_of;

-- name: count_leads
SELECT count(*) AS total
FROM read_model.leads AS l
WHERE l.user_id = %(user_id)s;

-- name: count_messages
SELECT count(*) AS total
FROM read_model.message_lines AS m
WHERE m.user_id = %(user_id)s
    AND (%(start)s::timestamptz IS NULL OR m.sent_at >= %(start)s)
    AND (%(end)s::timestamptz IS NULL OR m.sent_at < %(end)s);

-- name: read_header
SELECT read_model.csv_header() || E'\r\n' AS header;

-- name: leads_as_ndjson
-- Returns: line, a printed lead with a line feed; those that were active last come first.
SELECT l.document || E'\n' AS line
FROM read_model.leads AS l
WHERE l.user_id = %(user_id)s
ORDER BY l.last_message_at DESC NULLS LAST, l.customer_phone DESC;

-- name: leads_as_csv
-- Returns: line, a row of CSV, in the same order.
SELECT c.line
FROM read_model.leads AS l
CROSS JOIN LATERAL read_model.csv_line(l.document) AS c
WHERE l.user_id = %(user_id)s
ORDER BY l.last_message_at DESC NULLS LAST, l.customer_phone DESC;

-- name: messages_as_ndjson
-- Returns: line, a message with the phone of its lead, and a line feed; by lead, and then in their order.
SELECT m.line
FROM read_model.message_lines AS m
WHERE m.user_id = %(user_id)s
    AND (%(start)s::timestamptz IS NULL OR m.sent_at >= %(start)s)
    AND (%(end)s::timestamptz IS NULL OR m.sent_at < %(end)s)
ORDER BY m.customer_phone, m.sent_at, m.conversation_id, m.sequence_no, m.message_id;
