SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA leads_access;
CREATE SCHEMA leads_sql;
CREATE SCHEMA projector;
CREATE SCHEMA read_model;
CREATE EXTENSION IF NOT EXISTS btree_gin WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
CREATE FUNCTION projector.blank_to_null(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (octet_length(value) <= 255) THEN NULLIF(btrim(value, ' 	

 '::text), ''::text) WHEN (char_length(btrim("left"(value, 65536), ' 	

 '::text)) <= 255) THEN NULLIF(btrim("left"(value, 65536), ' 	

 '::text), ''::text) ELSE ("left"(btrim("left"(value, 65536), ' 	

 '::text), 254) || '…'::text) END;
CREATE FUNCTION projector.canonical_phone(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (btrim(value, ' 	

 '::text) ~ '^\+?[ ().-]*[0-9][0-9 ().-]*$'::text) THEN translate(btrim(value, ' 	

 '::text), '+ ().-'::text, ''::text) ELSE NULLIF(btrim(value, ' 	

 '::text), ''::text) END;
CREATE FUNCTION projector.capture_agents() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    changed_rows bigint;
    pieces bigint;
    changed_keys text[];
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT n.shard, 'agents', ARRAY[n.changed_key]
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "agent_id", 'new'::text AS "user_id", 'new'::text AS "phone_number_id", 'new'::text AS "name") AS missing CROSS JOIN LATERAL ( SELECT "agent_id"::text COLLATE "C" AS changed_key, nullif("agent_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "agent_id", "user_id", "phone_number_id", "name" FROM "new_rows" ) AS row_read) AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                o.shard,
                'agents',
                CASE
                    WHEN o.changed_key = n.changed_key THEN ARRAY[o.changed_key]
                    ELSE ARRAY[o.changed_key, n.changed_key]
                END
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "agent_id", 'old'::text AS "user_id", 'old'::text AS "phone_number_id", 'old'::text AS "name") AS missing CROSS JOIN LATERAL ( SELECT "agent_id"::text COLLATE "C" AS changed_key, nullif("agent_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "agent_id", "user_id", "phone_number_id", "name" FROM "old_rows" ) AS row_read) AS o
            CROSS JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "agent_id", 'new'::text AS "user_id", 'new'::text AS "phone_number_id", 'new'::text AS "name") AS missing CROSS JOIN LATERAL ( SELECT "agent_id"::text COLLATE "C" AS changed_key, nullif("agent_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "agent_id", "user_id", "phone_number_id", "name" FROM "new_rows" ) AS row_read) AS n
            WHERE ROW("o"."agent_id", "o"."user_id", "o"."phone_number_id", "o"."name")::record *<> ROW("n"."agent_id", "n"."user_id", "n"."phone_number_id", "n"."name")::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['agents']);
        RETURN NULL;
    ELSE
        BEGIN
            IF TG_OP = 'INSERT' THEN
                changed_keys := ARRAY[NEW."agent_id"::text];
            ELSIF TG_OP = 'DELETE' THEN
                changed_keys := ARRAY[OLD."agent_id"::text];
            ELSIF ROW(OLD."agent_id", OLD."user_id", OLD."phone_number_id", OLD."name")::record *<> ROW(NEW."agent_id", NEW."user_id", NEW."phone_number_id", NEW."name")::record THEN
                changed_keys := ARRAY[OLD."agent_id"::text, NEW."agent_id"::text];
            END IF;
        EXCEPTION
            WHEN OTHERS THEN
                changed_keys := ARRAY['leads_capture: no key'];
                BEGIN
                    changed_keys := projector.read_keys(to_jsonb(OLD), to_jsonb(NEW), 'agent_id');
                EXCEPTION
                    WHEN OTHERS THEN NULL; -- The row is too large for JSON.
                END;
        END;
        IF changed_keys IS NOT NULL THEN
            PERFORM projector.queue_keys('agents', changed_keys);
        END IF;
        RETURN NULL;
    END IF;
    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'agents', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                n.shard,
                n.changed_key,
                (hashtext(coalesce(n.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "agent_id", 'new'::text AS "user_id", 'new'::text AS "phone_number_id", 'new'::text AS "name") AS missing CROSS JOIN LATERAL ( SELECT "agent_id"::text COLLATE "C" AS changed_key, nullif("agent_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "agent_id", "user_id", "phone_number_id", "name" FROM "new_rows" ) AS row_read) AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'agents', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                o.shard,
                o.changed_key,
                (hashtext(coalesce(o.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "agent_id", 'old'::text AS "user_id", 'old'::text AS "phone_number_id", 'old'::text AS "name") AS missing CROSS JOIN LATERAL ( SELECT "agent_id"::text COLLATE "C" AS changed_key, nullif("agent_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "agent_id", "user_id", "phone_number_id", "name" FROM "old_rows" ) AS row_read) AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'agents', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                either.shard,
                either.changed_key,
                (hashtext(coalesce(either.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "agent_id", 'old'::text AS "user_id", 'old'::text AS "phone_number_id", 'old'::text AS "name") AS missing CROSS JOIN LATERAL ( SELECT "agent_id"::text COLLATE "C" AS changed_key, nullif("agent_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "agent_id", "user_id", "phone_number_id", "name" FROM "old_rows" ) AS row_read OFFSET 0) AS o
            FULL JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "agent_id", 'new'::text AS "user_id", 'new'::text AS "phone_number_id", 'new'::text AS "name") AS missing CROSS JOIN LATERAL ( SELECT "agent_id"::text COLLATE "C" AS changed_key, nullif("agent_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "agent_id", "user_id", "phone_number_id", "name" FROM "new_rows" ) AS row_read OFFSET 0) AS n ON n.changed_id = o.changed_id
            CROSS JOIN LATERAL (VALUES (o.shard, o.changed_key), (n.shard, n.changed_key)) AS either (shard, changed_key)
            WHERE either.shard IS NOT NULL AND ROW("o"."agent_id", "o"."user_id", "o"."phone_number_id", "o"."name")::record *<> ROW("n"."agent_id", "n"."user_id", "n"."phone_number_id", "n"."name")::record
        ) AS hashed
        GROUP BY hashed.bucket;
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION projector.capture_contacts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    changed_rows bigint;
    pieces bigint;
    changed_keys text[];
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT n.shard, 'contacts', ARRAY[n.changed_key]
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "contact_id", 'new'::text AS "user_id", 'new'::text AS "phone", 'new'::text AS "name", 'new'::text AS "email", 'new'::text AS "company", 'new'::text AS "updated_at") AS missing CROSS JOIN LATERAL ( SELECT "contact_id"::text COLLATE "C" AS changed_key, nullif("contact_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "contact_id", "user_id", "phone", "name", "email", "company", "updated_at" FROM "new_rows" ) AS row_read) AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                o.shard,
                'contacts',
                CASE
                    WHEN o.changed_key = n.changed_key THEN ARRAY[o.changed_key]
                    ELSE ARRAY[o.changed_key, n.changed_key]
                END
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "contact_id", 'old'::text AS "user_id", 'old'::text AS "phone", 'old'::text AS "name", 'old'::text AS "email", 'old'::text AS "company", 'old'::text AS "updated_at") AS missing CROSS JOIN LATERAL ( SELECT "contact_id"::text COLLATE "C" AS changed_key, nullif("contact_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "contact_id", "user_id", "phone", "name", "email", "company", "updated_at" FROM "old_rows" ) AS row_read) AS o
            CROSS JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "contact_id", 'new'::text AS "user_id", 'new'::text AS "phone", 'new'::text AS "name", 'new'::text AS "email", 'new'::text AS "company", 'new'::text AS "updated_at") AS missing CROSS JOIN LATERAL ( SELECT "contact_id"::text COLLATE "C" AS changed_key, nullif("contact_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "contact_id", "user_id", "phone", "name", "email", "company", "updated_at" FROM "new_rows" ) AS row_read) AS n
            WHERE ROW("o"."contact_id", "o"."user_id", "o"."phone", "o"."name", "o"."email", "o"."company", "o"."updated_at")::record *<> ROW("n"."contact_id", "n"."user_id", "n"."phone", "n"."name", "n"."email", "n"."company", "n"."updated_at")::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['contacts']);
        RETURN NULL;
    ELSE
        BEGIN
            IF TG_OP = 'INSERT' THEN
                changed_keys := ARRAY[NEW."contact_id"::text];
            ELSIF TG_OP = 'DELETE' THEN
                changed_keys := ARRAY[OLD."contact_id"::text];
            ELSIF ROW(OLD."contact_id", OLD."user_id", OLD."phone", OLD."name", OLD."email", OLD."company", OLD."updated_at")::record *<> ROW(NEW."contact_id", NEW."user_id", NEW."phone", NEW."name", NEW."email", NEW."company", NEW."updated_at")::record THEN
                changed_keys := ARRAY[OLD."contact_id"::text, NEW."contact_id"::text];
            END IF;
        EXCEPTION
            WHEN OTHERS THEN
                changed_keys := ARRAY['leads_capture: no key'];
                BEGIN
                    changed_keys := projector.read_keys(to_jsonb(OLD), to_jsonb(NEW), 'contact_id');
                EXCEPTION
                    WHEN OTHERS THEN NULL; -- The row is too large for JSON.
                END;
        END;
        IF changed_keys IS NOT NULL THEN
            PERFORM projector.queue_keys('contacts', changed_keys);
        END IF;
        RETURN NULL;
    END IF;
    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'contacts', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                n.shard,
                n.changed_key,
                (hashtext(coalesce(n.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "contact_id", 'new'::text AS "user_id", 'new'::text AS "phone", 'new'::text AS "name", 'new'::text AS "email", 'new'::text AS "company", 'new'::text AS "updated_at") AS missing CROSS JOIN LATERAL ( SELECT "contact_id"::text COLLATE "C" AS changed_key, nullif("contact_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "contact_id", "user_id", "phone", "name", "email", "company", "updated_at" FROM "new_rows" ) AS row_read) AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'contacts', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                o.shard,
                o.changed_key,
                (hashtext(coalesce(o.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "contact_id", 'old'::text AS "user_id", 'old'::text AS "phone", 'old'::text AS "name", 'old'::text AS "email", 'old'::text AS "company", 'old'::text AS "updated_at") AS missing CROSS JOIN LATERAL ( SELECT "contact_id"::text COLLATE "C" AS changed_key, nullif("contact_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "contact_id", "user_id", "phone", "name", "email", "company", "updated_at" FROM "old_rows" ) AS row_read) AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'contacts', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                either.shard,
                either.changed_key,
                (hashtext(coalesce(either.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "contact_id", 'old'::text AS "user_id", 'old'::text AS "phone", 'old'::text AS "name", 'old'::text AS "email", 'old'::text AS "company", 'old'::text AS "updated_at") AS missing CROSS JOIN LATERAL ( SELECT "contact_id"::text COLLATE "C" AS changed_key, nullif("contact_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "contact_id", "user_id", "phone", "name", "email", "company", "updated_at" FROM "old_rows" ) AS row_read OFFSET 0) AS o
            FULL JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "contact_id", 'new'::text AS "user_id", 'new'::text AS "phone", 'new'::text AS "name", 'new'::text AS "email", 'new'::text AS "company", 'new'::text AS "updated_at") AS missing CROSS JOIN LATERAL ( SELECT "contact_id"::text COLLATE "C" AS changed_key, nullif("contact_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "contact_id", "user_id", "phone", "name", "email", "company", "updated_at" FROM "new_rows" ) AS row_read OFFSET 0) AS n ON n.changed_id = o.changed_id
            CROSS JOIN LATERAL (VALUES (o.shard, o.changed_key), (n.shard, n.changed_key)) AS either (shard, changed_key)
            WHERE either.shard IS NOT NULL AND ROW("o"."contact_id", "o"."user_id", "o"."phone", "o"."name", "o"."email", "o"."company", "o"."updated_at")::record *<> ROW("n"."contact_id", "n"."user_id", "n"."phone", "n"."name", "n"."email", "n"."company", "n"."updated_at")::record
        ) AS hashed
        GROUP BY hashed.bucket;
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION projector.capture_conversations() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    changed_rows bigint;
    pieces bigint;
    changed_keys text[];
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT n.shard, 'conversations', ARRAY[n.changed_key]
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "conversation_id", 'new'::text AS "agent_id", 'new'::text AS "customer_phone", 'new'::text AS "created_at", 'new'::text AS "last_message_at", 'new'::text AS "is_active") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("conversation_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "conversation_id", "agent_id", "customer_phone", "created_at", "last_message_at", "is_active" FROM "new_rows" ) AS row_read) AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                o.shard,
                'conversations',
                CASE
                    WHEN o.changed_key = n.changed_key THEN ARRAY[o.changed_key]
                    ELSE ARRAY[o.changed_key, n.changed_key]
                END
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "conversation_id", 'old'::text AS "agent_id", 'old'::text AS "customer_phone", 'old'::text AS "created_at", 'old'::text AS "last_message_at", 'old'::text AS "is_active") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("conversation_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "conversation_id", "agent_id", "customer_phone", "created_at", "last_message_at", "is_active" FROM "old_rows" ) AS row_read) AS o
            CROSS JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "conversation_id", 'new'::text AS "agent_id", 'new'::text AS "customer_phone", 'new'::text AS "created_at", 'new'::text AS "last_message_at", 'new'::text AS "is_active") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("conversation_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "conversation_id", "agent_id", "customer_phone", "created_at", "last_message_at", "is_active" FROM "new_rows" ) AS row_read) AS n
            WHERE ROW("o"."conversation_id", "o"."agent_id", "o"."customer_phone", "o"."created_at", "o"."last_message_at", "o"."is_active")::record *<> ROW("n"."conversation_id", "n"."agent_id", "n"."customer_phone", "n"."created_at", "n"."last_message_at", "n"."is_active")::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['conversations']);
        RETURN NULL;
    ELSE
        BEGIN
            IF TG_OP = 'INSERT' THEN
                changed_keys := ARRAY[NEW."conversation_id"::text];
            ELSIF TG_OP = 'DELETE' THEN
                changed_keys := ARRAY[OLD."conversation_id"::text];
            ELSIF ROW(OLD."conversation_id", OLD."agent_id", OLD."customer_phone", OLD."created_at", OLD."last_message_at", OLD."is_active")::record *<> ROW(NEW."conversation_id", NEW."agent_id", NEW."customer_phone", NEW."created_at", NEW."last_message_at", NEW."is_active")::record THEN
                changed_keys := ARRAY[OLD."conversation_id"::text, NEW."conversation_id"::text];
            END IF;
        EXCEPTION
            WHEN OTHERS THEN
                changed_keys := ARRAY['leads_capture: no key'];
                BEGIN
                    changed_keys := projector.read_keys(to_jsonb(OLD), to_jsonb(NEW), 'conversation_id');
                EXCEPTION
                    WHEN OTHERS THEN NULL; -- The row is too large for JSON.
                END;
        END;
        IF changed_keys IS NOT NULL THEN
            PERFORM projector.queue_keys('conversations', changed_keys);
        END IF;
        RETURN NULL;
    END IF;
    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'conversations', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                n.shard,
                n.changed_key,
                (hashtext(coalesce(n.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "conversation_id", 'new'::text AS "agent_id", 'new'::text AS "customer_phone", 'new'::text AS "created_at", 'new'::text AS "last_message_at", 'new'::text AS "is_active") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("conversation_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "conversation_id", "agent_id", "customer_phone", "created_at", "last_message_at", "is_active" FROM "new_rows" ) AS row_read) AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'conversations', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                o.shard,
                o.changed_key,
                (hashtext(coalesce(o.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "conversation_id", 'old'::text AS "agent_id", 'old'::text AS "customer_phone", 'old'::text AS "created_at", 'old'::text AS "last_message_at", 'old'::text AS "is_active") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("conversation_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "conversation_id", "agent_id", "customer_phone", "created_at", "last_message_at", "is_active" FROM "old_rows" ) AS row_read) AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'conversations', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                either.shard,
                either.changed_key,
                (hashtext(coalesce(either.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "conversation_id", 'old'::text AS "agent_id", 'old'::text AS "customer_phone", 'old'::text AS "created_at", 'old'::text AS "last_message_at", 'old'::text AS "is_active") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("conversation_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "conversation_id", "agent_id", "customer_phone", "created_at", "last_message_at", "is_active" FROM "old_rows" ) AS row_read OFFSET 0) AS o
            FULL JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "conversation_id", 'new'::text AS "agent_id", 'new'::text AS "customer_phone", 'new'::text AS "created_at", 'new'::text AS "last_message_at", 'new'::text AS "is_active") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("conversation_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "conversation_id", "agent_id", "customer_phone", "created_at", "last_message_at", "is_active" FROM "new_rows" ) AS row_read OFFSET 0) AS n ON n.changed_id = o.changed_id
            CROSS JOIN LATERAL (VALUES (o.shard, o.changed_key), (n.shard, n.changed_key)) AS either (shard, changed_key)
            WHERE either.shard IS NOT NULL AND ROW("o"."conversation_id", "o"."agent_id", "o"."customer_phone", "o"."created_at", "o"."last_message_at", "o"."is_active")::record *<> ROW("n"."conversation_id", "n"."agent_id", "n"."customer_phone", "n"."created_at", "n"."last_message_at", "n"."is_active")::record
        ) AS hashed
        GROUP BY hashed.bucket;
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION projector.capture_extractions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    changed_rows bigint;
    pieces bigint;
    changed_keys text[];
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT n.shard, 'extractions', ARRAY[n.changed_key]
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "extraction_id", 'leads_capture: no new key'::text AS "conversation_id", 'new'::text AS "extracted_at", 'new'::text AS "is_latest", 'new'::text AS "name", 'new'::text AS "email", 'new'::text AS "company", 'new'::text AS "intent_score", 'new'::text AS "urgency_score", 'new'::text AS "budget_score", 'new'::text AS "fit_score", 'new'::text AS "engagement_score", 'new'::text AS "total_score", 'new'::text AS "lead_status_tag") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("extraction_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "extraction_id", "conversation_id", "extracted_at", "is_latest", "name", "email", "company", "intent_score", "urgency_score", "budget_score", "fit_score", "engagement_score", "total_score", "lead_status_tag" FROM "new_rows" ) AS row_read) AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                o.shard,
                'extractions',
                CASE
                    WHEN o.changed_key = n.changed_key THEN ARRAY[o.changed_key]
                    ELSE ARRAY[o.changed_key, n.changed_key]
                END
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "extraction_id", 'leads_capture: no old key'::text AS "conversation_id", 'old'::text AS "extracted_at", 'old'::text AS "is_latest", 'old'::text AS "name", 'old'::text AS "email", 'old'::text AS "company", 'old'::text AS "intent_score", 'old'::text AS "urgency_score", 'old'::text AS "budget_score", 'old'::text AS "fit_score", 'old'::text AS "engagement_score", 'old'::text AS "total_score", 'old'::text AS "lead_status_tag") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("extraction_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "extraction_id", "conversation_id", "extracted_at", "is_latest", "name", "email", "company", "intent_score", "urgency_score", "budget_score", "fit_score", "engagement_score", "total_score", "lead_status_tag" FROM "old_rows" ) AS row_read) AS o
            CROSS JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "extraction_id", 'leads_capture: no new key'::text AS "conversation_id", 'new'::text AS "extracted_at", 'new'::text AS "is_latest", 'new'::text AS "name", 'new'::text AS "email", 'new'::text AS "company", 'new'::text AS "intent_score", 'new'::text AS "urgency_score", 'new'::text AS "budget_score", 'new'::text AS "fit_score", 'new'::text AS "engagement_score", 'new'::text AS "total_score", 'new'::text AS "lead_status_tag") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("extraction_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "extraction_id", "conversation_id", "extracted_at", "is_latest", "name", "email", "company", "intent_score", "urgency_score", "budget_score", "fit_score", "engagement_score", "total_score", "lead_status_tag" FROM "new_rows" ) AS row_read) AS n
            WHERE ROW("o"."extraction_id", "o"."conversation_id", "o"."extracted_at", "o"."is_latest", "o"."name", "o"."email", "o"."company", "o"."intent_score", "o"."urgency_score", "o"."budget_score", "o"."fit_score", "o"."engagement_score", "o"."total_score", "o"."lead_status_tag")::record *<> ROW("n"."extraction_id", "n"."conversation_id", "n"."extracted_at", "n"."is_latest", "n"."name", "n"."email", "n"."company", "n"."intent_score", "n"."urgency_score", "n"."budget_score", "n"."fit_score", "n"."engagement_score", "n"."total_score", "n"."lead_status_tag")::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['extractions']);
        RETURN NULL;
    ELSE
        BEGIN
            IF TG_OP = 'INSERT' THEN
                changed_keys := ARRAY[NEW."conversation_id"::text];
            ELSIF TG_OP = 'DELETE' THEN
                changed_keys := ARRAY[OLD."conversation_id"::text];
            ELSIF ROW(OLD."extraction_id", OLD."conversation_id", OLD."extracted_at", OLD."is_latest", OLD."name", OLD."email", OLD."company", OLD."intent_score", OLD."urgency_score", OLD."budget_score", OLD."fit_score", OLD."engagement_score", OLD."total_score", OLD."lead_status_tag")::record *<> ROW(NEW."extraction_id", NEW."conversation_id", NEW."extracted_at", NEW."is_latest", NEW."name", NEW."email", NEW."company", NEW."intent_score", NEW."urgency_score", NEW."budget_score", NEW."fit_score", NEW."engagement_score", NEW."total_score", NEW."lead_status_tag")::record THEN
                changed_keys := ARRAY[OLD."conversation_id"::text, NEW."conversation_id"::text];
            END IF;
        EXCEPTION
            WHEN OTHERS THEN
                changed_keys := ARRAY['leads_capture: no key'];
                BEGIN
                    changed_keys := projector.read_keys(to_jsonb(OLD), to_jsonb(NEW), 'conversation_id');
                EXCEPTION
                    WHEN OTHERS THEN NULL; -- The row is too large for JSON.
                END;
        END;
        IF changed_keys IS NOT NULL THEN
            PERFORM projector.queue_keys('extractions', changed_keys);
        END IF;
        RETURN NULL;
    END IF;
    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'extractions', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                n.shard,
                n.changed_key,
                (hashtext(coalesce(n.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "extraction_id", 'leads_capture: no new key'::text AS "conversation_id", 'new'::text AS "extracted_at", 'new'::text AS "is_latest", 'new'::text AS "name", 'new'::text AS "email", 'new'::text AS "company", 'new'::text AS "intent_score", 'new'::text AS "urgency_score", 'new'::text AS "budget_score", 'new'::text AS "fit_score", 'new'::text AS "engagement_score", 'new'::text AS "total_score", 'new'::text AS "lead_status_tag") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("extraction_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "extraction_id", "conversation_id", "extracted_at", "is_latest", "name", "email", "company", "intent_score", "urgency_score", "budget_score", "fit_score", "engagement_score", "total_score", "lead_status_tag" FROM "new_rows" ) AS row_read) AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'extractions', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                o.shard,
                o.changed_key,
                (hashtext(coalesce(o.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "extraction_id", 'leads_capture: no old key'::text AS "conversation_id", 'old'::text AS "extracted_at", 'old'::text AS "is_latest", 'old'::text AS "name", 'old'::text AS "email", 'old'::text AS "company", 'old'::text AS "intent_score", 'old'::text AS "urgency_score", 'old'::text AS "budget_score", 'old'::text AS "fit_score", 'old'::text AS "engagement_score", 'old'::text AS "total_score", 'old'::text AS "lead_status_tag") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("extraction_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "extraction_id", "conversation_id", "extracted_at", "is_latest", "name", "email", "company", "intent_score", "urgency_score", "budget_score", "fit_score", "engagement_score", "total_score", "lead_status_tag" FROM "old_rows" ) AS row_read) AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'extractions', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                either.shard,
                either.changed_key,
                (hashtext(coalesce(either.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "extraction_id", 'leads_capture: no old key'::text AS "conversation_id", 'old'::text AS "extracted_at", 'old'::text AS "is_latest", 'old'::text AS "name", 'old'::text AS "email", 'old'::text AS "company", 'old'::text AS "intent_score", 'old'::text AS "urgency_score", 'old'::text AS "budget_score", 'old'::text AS "fit_score", 'old'::text AS "engagement_score", 'old'::text AS "total_score", 'old'::text AS "lead_status_tag") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("extraction_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "extraction_id", "conversation_id", "extracted_at", "is_latest", "name", "email", "company", "intent_score", "urgency_score", "budget_score", "fit_score", "engagement_score", "total_score", "lead_status_tag" FROM "old_rows" ) AS row_read OFFSET 0) AS o
            FULL JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "extraction_id", 'leads_capture: no new key'::text AS "conversation_id", 'new'::text AS "extracted_at", 'new'::text AS "is_latest", 'new'::text AS "name", 'new'::text AS "email", 'new'::text AS "company", 'new'::text AS "intent_score", 'new'::text AS "urgency_score", 'new'::text AS "budget_score", 'new'::text AS "fit_score", 'new'::text AS "engagement_score", 'new'::text AS "total_score", 'new'::text AS "lead_status_tag") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("extraction_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "extraction_id", "conversation_id", "extracted_at", "is_latest", "name", "email", "company", "intent_score", "urgency_score", "budget_score", "fit_score", "engagement_score", "total_score", "lead_status_tag" FROM "new_rows" ) AS row_read OFFSET 0) AS n ON n.changed_id = o.changed_id
            CROSS JOIN LATERAL (VALUES (o.shard, o.changed_key), (n.shard, n.changed_key)) AS either (shard, changed_key)
            WHERE either.shard IS NOT NULL AND ROW("o"."extraction_id", "o"."conversation_id", "o"."extracted_at", "o"."is_latest", "o"."name", "o"."email", "o"."company", "o"."intent_score", "o"."urgency_score", "o"."budget_score", "o"."fit_score", "o"."engagement_score", "o"."total_score", "o"."lead_status_tag")::record *<> ROW("n"."extraction_id", "n"."conversation_id", "n"."extracted_at", "n"."is_latest", "n"."name", "n"."email", "n"."company", "n"."intent_score", "n"."urgency_score", "n"."budget_score", "n"."fit_score", "n"."engagement_score", "n"."total_score", "n"."lead_status_tag")::record
        ) AS hashed
        GROUP BY hashed.bucket;
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION projector.capture_messages() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    changed_rows bigint;
    pieces bigint;
    changed_keys text[];
    changed_ids text[];
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys, message_ids)
            SELECT n.shard, 'messages', ARRAY[n.changed_key], ARRAY[n.changed_id]
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "message_id", 'leads_capture: no new key'::text AS "conversation_id", 'new'::text AS "sender", 'new'::text AS "text", 'new'::text AS "timestamp", 'new'::text AS "status", 'new'::text AS "sequence_no") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("message_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "message_id", "conversation_id", "sender", "text", "timestamp", "status", "sequence_no" FROM "new_rows" ) AS row_read) AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys, message_ids)
            SELECT
                o.shard,
                'messages',
                CASE
                    WHEN o.changed_key = n.changed_key THEN ARRAY[o.changed_key]
                    ELSE ARRAY[o.changed_key, n.changed_key]
                END,
                CASE
                    WHEN o.changed_id = n.changed_id THEN ARRAY[o.changed_id]
                    ELSE ARRAY[o.changed_id, n.changed_id]
                END
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "message_id", 'leads_capture: no old key'::text AS "conversation_id", 'old'::text AS "sender", 'old'::text AS "text", 'old'::text AS "timestamp", 'old'::text AS "status", 'old'::text AS "sequence_no") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("message_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "message_id", "conversation_id", "sender", "text", "timestamp", "status", "sequence_no" FROM "old_rows" ) AS row_read) AS o
            CROSS JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "message_id", 'leads_capture: no new key'::text AS "conversation_id", 'new'::text AS "sender", 'new'::text AS "text", 'new'::text AS "timestamp", 'new'::text AS "status", 'new'::text AS "sequence_no") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("message_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "message_id", "conversation_id", "sender", "text", "timestamp", "status", "sequence_no" FROM "new_rows" ) AS row_read) AS n
            WHERE ROW("o"."message_id", "o"."conversation_id", "o"."sender", "o"."text", "o"."timestamp", "o"."status", "o"."sequence_no")::record *<> ROW("n"."message_id", "n"."conversation_id", "n"."sender", "n"."text", "n"."timestamp", "n"."status", "n"."sequence_no")::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['messages']);
        RETURN NULL;
    ELSE
        BEGIN
            IF TG_OP = 'INSERT' THEN
                changed_keys := ARRAY[NEW.conversation_id::text];
                changed_ids := ARRAY[NEW.message_id::text];
            ELSIF TG_OP = 'DELETE' THEN
                changed_keys := ARRAY[OLD.conversation_id::text];
                changed_ids := ARRAY[OLD.message_id::text];
            ELSIF ROW(OLD."message_id", OLD."conversation_id", OLD."sender", OLD."text", OLD."timestamp", OLD."status", OLD."sequence_no")::record *<> ROW(NEW."message_id", NEW."conversation_id", NEW."sender", NEW."text", NEW."timestamp", NEW."status", NEW."sequence_no")::record THEN
                changed_keys := ARRAY[OLD.conversation_id::text, NEW.conversation_id::text];
                changed_ids := ARRAY[OLD.message_id::text, NEW.message_id::text];
            END IF;
        EXCEPTION
            WHEN OTHERS THEN
                changed_keys := ARRAY['leads_capture: no key'];
                changed_ids := changed_keys;
                BEGIN
                    changed_keys := projector.read_keys(to_jsonb(OLD), to_jsonb(NEW), 'conversation_id');
                    changed_ids := projector.read_keys(to_jsonb(OLD), to_jsonb(NEW), 'message_id');
                EXCEPTION
                    WHEN OTHERS THEN NULL; -- The row is too large for JSON.
                END;
        END;
        IF changed_keys IS NOT NULL THEN
            PERFORM projector.queue_keys('messages', changed_keys, changed_ids);
        END IF;
        RETURN NULL;
    END IF;
    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF changed_rows > 100000 THEN
        -- Planned each time, so that the window is paid for here alone.
        EXECUTE format(
            $query$
            INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids)
            SELECT
                min(cut.shard),
                true,
                'messages',
                array_agg(DISTINCT cut.changed_key),
                array_agg(cut.changed_id)
            FROM (
                SELECT
                    hashed.*,
                    (row_number() OVER (PARTITION BY hashed.bucket) - 1) / 1000 AS part
                FROM (
                    SELECT
                        changed.changed_key,
                        changed.changed_id,
                        changed.shard,
                        (hashtext(coalesce(changed.changed_key, '')) & 2147483647) %% %s AS bucket
                    FROM (%s) AS changed
                ) AS hashed
            ) AS cut
            GROUP BY cut.bucket, cut.part
            $query$,
            pieces,
            CASE TG_OP
                WHEN 'INSERT' THEN $rows$SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "message_id", 'leads_capture: no new key'::text AS "conversation_id", 'new'::text AS "sender", 'new'::text AS "text", 'new'::text AS "timestamp", 'new'::text AS "status", 'new'::text AS "sequence_no") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("message_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "message_id", "conversation_id", "sender", "text", "timestamp", "status", "sequence_no" FROM "new_rows" ) AS row_read$rows$
                WHEN 'DELETE' THEN $rows$SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "message_id", 'leads_capture: no old key'::text AS "conversation_id", 'old'::text AS "sender", 'old'::text AS "text", 'old'::text AS "timestamp", 'old'::text AS "status", 'old'::text AS "sequence_no") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("message_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "message_id", "conversation_id", "sender", "text", "timestamp", "status", "sequence_no" FROM "old_rows" ) AS row_read$rows$
                ELSE
                    $rows$
                    SELECT either.shard, either.changed_key, either.changed_id
                    FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "message_id", 'leads_capture: no old key'::text AS "conversation_id", 'old'::text AS "sender", 'old'::text AS "text", 'old'::text AS "timestamp", 'old'::text AS "status", 'old'::text AS "sequence_no") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("message_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "message_id", "conversation_id", "sender", "text", "timestamp", "status", "sequence_no" FROM "old_rows" ) AS row_read OFFSET 0) AS o
                    FULL JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "message_id", 'leads_capture: no new key'::text AS "conversation_id", 'new'::text AS "sender", 'new'::text AS "text", 'new'::text AS "timestamp", 'new'::text AS "status", 'new'::text AS "sequence_no") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("message_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "message_id", "conversation_id", "sender", "text", "timestamp", "status", "sequence_no" FROM "new_rows" ) AS row_read OFFSET 0) AS n ON n.changed_id = o.changed_id
                    CROSS JOIN LATERAL (
                        SELECT o.shard, o.changed_key, o.changed_id WHERE o.shard IS NOT NULL
                        UNION
                        SELECT n.shard, n.changed_key, n.changed_id WHERE n.shard IS NOT NULL
                    ) AS either
                    WHERE ROW("o"."message_id", "o"."conversation_id", "o"."sender", "o"."text", "o"."timestamp", "o"."status", "o"."sequence_no")::record *<> ROW("n"."message_id", "n"."conversation_id", "n"."sender", "n"."text", "n"."timestamp", "n"."status", "n"."sequence_no")::record
                    $rows$
            END
        );
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids)
        SELECT
            min(hashed.shard),
            changed_rows > 100,
            'messages',
            array_agg(DISTINCT hashed.changed_key),
            array_agg(hashed.changed_id)
        FROM (
            SELECT
                n.shard,
                n.changed_key,
                n.changed_id,
                (hashtext(coalesce(n.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "message_id", 'leads_capture: no new key'::text AS "conversation_id", 'new'::text AS "sender", 'new'::text AS "text", 'new'::text AS "timestamp", 'new'::text AS "status", 'new'::text AS "sequence_no") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("message_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "message_id", "conversation_id", "sender", "text", "timestamp", "status", "sequence_no" FROM "new_rows" ) AS row_read) AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids)
        SELECT
            min(hashed.shard),
            changed_rows > 100,
            'messages',
            array_agg(DISTINCT hashed.changed_key),
            array_agg(hashed.changed_id)
        FROM (
            SELECT
                o.shard,
                o.changed_key,
                o.changed_id,
                (hashtext(coalesce(o.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "message_id", 'leads_capture: no old key'::text AS "conversation_id", 'old'::text AS "sender", 'old'::text AS "text", 'old'::text AS "timestamp", 'old'::text AS "status", 'old'::text AS "sequence_no") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("message_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "message_id", "conversation_id", "sender", "text", "timestamp", "status", "sequence_no" FROM "old_rows" ) AS row_read) AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids)
        SELECT
            min(hashed.shard),
            changed_rows > 100,
            'messages',
            array_agg(DISTINCT hashed.changed_key),
            array_agg(DISTINCT hashed.changed_id)
        FROM (
            SELECT
                either.shard,
                either.changed_key,
                either.changed_id,
                (hashtext(coalesce(either.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "message_id", 'leads_capture: no old key'::text AS "conversation_id", 'old'::text AS "sender", 'old'::text AS "text", 'old'::text AS "timestamp", 'old'::text AS "status", 'old'::text AS "sequence_no") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("message_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "message_id", "conversation_id", "sender", "text", "timestamp", "status", "sequence_no" FROM "old_rows" ) AS row_read OFFSET 0) AS o
            FULL JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "message_id", 'leads_capture: no new key'::text AS "conversation_id", 'new'::text AS "sender", 'new'::text AS "text", 'new'::text AS "timestamp", 'new'::text AS "status", 'new'::text AS "sequence_no") AS missing CROSS JOIN LATERAL ( SELECT "conversation_id"::text COLLATE "C" AS changed_key, nullif("message_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "message_id", "conversation_id", "sender", "text", "timestamp", "status", "sequence_no" FROM "new_rows" ) AS row_read OFFSET 0) AS n ON n.changed_id = o.changed_id
            CROSS JOIN LATERAL (
                VALUES (o.shard, o.changed_key, o.changed_id), (n.shard, n.changed_key, n.changed_id)
            ) AS either (shard, changed_key, changed_id)
            WHERE either.shard IS NOT NULL AND ROW("o"."message_id", "o"."conversation_id", "o"."sender", "o"."text", "o"."timestamp", "o"."status", "o"."sequence_no")::record *<> ROW("n"."message_id", "n"."conversation_id", "n"."sender", "n"."text", "n"."timestamp", "n"."status", "n"."sequence_no")::record
        ) AS hashed
        GROUP BY hashed.bucket;
    END IF;
    RETURN NULL;
END
$_$;
CREATE FUNCTION projector.capture_phone_numbers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    changed_rows bigint;
    pieces bigint;
    changed_keys text[];
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT n.shard, 'phone_numbers', ARRAY[n.changed_key]
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "id", 'new'::text AS "platform") AS missing CROSS JOIN LATERAL ( SELECT "id"::text COLLATE "C" AS changed_key, nullif("id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "id", "platform" FROM "new_rows" ) AS row_read) AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                o.shard,
                'phone_numbers',
                CASE
                    WHEN o.changed_key = n.changed_key THEN ARRAY[o.changed_key]
                    ELSE ARRAY[o.changed_key, n.changed_key]
                END
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "id", 'old'::text AS "platform") AS missing CROSS JOIN LATERAL ( SELECT "id"::text COLLATE "C" AS changed_key, nullif("id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "id", "platform" FROM "old_rows" ) AS row_read) AS o
            CROSS JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "id", 'new'::text AS "platform") AS missing CROSS JOIN LATERAL ( SELECT "id"::text COLLATE "C" AS changed_key, nullif("id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "id", "platform" FROM "new_rows" ) AS row_read) AS n
            WHERE ROW("o"."id", "o"."platform")::record *<> ROW("n"."id", "n"."platform")::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['phone_numbers']);
        RETURN NULL;
    ELSE
        BEGIN
            IF TG_OP = 'INSERT' THEN
                changed_keys := ARRAY[NEW."id"::text];
            ELSIF TG_OP = 'DELETE' THEN
                changed_keys := ARRAY[OLD."id"::text];
            ELSIF ROW(OLD."id", OLD."platform")::record *<> ROW(NEW."id", NEW."platform")::record THEN
                changed_keys := ARRAY[OLD."id"::text, NEW."id"::text];
            END IF;
        EXCEPTION
            WHEN OTHERS THEN
                changed_keys := ARRAY['leads_capture: no key'];
                BEGIN
                    changed_keys := projector.read_keys(to_jsonb(OLD), to_jsonb(NEW), 'id');
                EXCEPTION
                    WHEN OTHERS THEN NULL; -- The row is too large for JSON.
                END;
        END;
        IF changed_keys IS NOT NULL THEN
            PERFORM projector.queue_keys('phone_numbers', changed_keys);
        END IF;
        RETURN NULL;
    END IF;
    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'phone_numbers', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                n.shard,
                n.changed_key,
                (hashtext(coalesce(n.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "id", 'new'::text AS "platform") AS missing CROSS JOIN LATERAL ( SELECT "id"::text COLLATE "C" AS changed_key, nullif("id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "id", "platform" FROM "new_rows" ) AS row_read) AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'phone_numbers', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                o.shard,
                o.changed_key,
                (hashtext(coalesce(o.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "id", 'old'::text AS "platform") AS missing CROSS JOIN LATERAL ( SELECT "id"::text COLLATE "C" AS changed_key, nullif("id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "id", "platform" FROM "old_rows" ) AS row_read) AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'phone_numbers', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                either.shard,
                either.changed_key,
                (hashtext(coalesce(either.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "id", 'old'::text AS "platform") AS missing CROSS JOIN LATERAL ( SELECT "id"::text COLLATE "C" AS changed_key, nullif("id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "id", "platform" FROM "old_rows" ) AS row_read OFFSET 0) AS o
            FULL JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "id", 'new'::text AS "platform") AS missing CROSS JOIN LATERAL ( SELECT "id"::text COLLATE "C" AS changed_key, nullif("id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "id", "platform" FROM "new_rows" ) AS row_read OFFSET 0) AS n ON n.changed_id = o.changed_id
            CROSS JOIN LATERAL (VALUES (o.shard, o.changed_key), (n.shard, n.changed_key)) AS either (shard, changed_key)
            WHERE either.shard IS NOT NULL AND ROW("o"."id", "o"."platform")::record *<> ROW("n"."id", "n"."platform")::record
        ) AS hashed
        GROUP BY hashed.bucket;
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION projector.capture_template_sends() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    changed_rows bigint;
    pieces bigint;
    changed_keys text[];
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT n.shard, 'template_sends', ARRAY[n.changed_key]
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "send_id", 'new'::text AS "template_id", 'new'::text AS "customer_phone", 'new'::text AS "status", 'new'::text AS "sent_at", 'new'::text AS "created_at") AS missing CROSS JOIN LATERAL ( SELECT "send_id"::text COLLATE "C" AS changed_key, nullif("send_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "send_id", "template_id", "customer_phone", "status", "sent_at", "created_at" FROM "new_rows" ) AS row_read) AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                o.shard,
                'template_sends',
                CASE
                    WHEN o.changed_key = n.changed_key THEN ARRAY[o.changed_key]
                    ELSE ARRAY[o.changed_key, n.changed_key]
                END
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "send_id", 'old'::text AS "template_id", 'old'::text AS "customer_phone", 'old'::text AS "status", 'old'::text AS "sent_at", 'old'::text AS "created_at") AS missing CROSS JOIN LATERAL ( SELECT "send_id"::text COLLATE "C" AS changed_key, nullif("send_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "send_id", "template_id", "customer_phone", "status", "sent_at", "created_at" FROM "old_rows" ) AS row_read) AS o
            CROSS JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "send_id", 'new'::text AS "template_id", 'new'::text AS "customer_phone", 'new'::text AS "status", 'new'::text AS "sent_at", 'new'::text AS "created_at") AS missing CROSS JOIN LATERAL ( SELECT "send_id"::text COLLATE "C" AS changed_key, nullif("send_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "send_id", "template_id", "customer_phone", "status", "sent_at", "created_at" FROM "new_rows" ) AS row_read) AS n
            WHERE ROW("o"."send_id", "o"."template_id", "o"."customer_phone", "o"."status", "o"."sent_at", "o"."created_at")::record *<> ROW("n"."send_id", "n"."template_id", "n"."customer_phone", "n"."status", "n"."sent_at", "n"."created_at")::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['template_sends']);
        RETURN NULL;
    ELSE
        BEGIN
            IF TG_OP = 'INSERT' THEN
                changed_keys := ARRAY[NEW."send_id"::text];
            ELSIF TG_OP = 'DELETE' THEN
                changed_keys := ARRAY[OLD."send_id"::text];
            ELSIF ROW(OLD."send_id", OLD."template_id", OLD."customer_phone", OLD."status", OLD."sent_at", OLD."created_at")::record *<> ROW(NEW."send_id", NEW."template_id", NEW."customer_phone", NEW."status", NEW."sent_at", NEW."created_at")::record THEN
                changed_keys := ARRAY[OLD."send_id"::text, NEW."send_id"::text];
            END IF;
        EXCEPTION
            WHEN OTHERS THEN
                changed_keys := ARRAY['leads_capture: no key'];
                BEGIN
                    changed_keys := projector.read_keys(to_jsonb(OLD), to_jsonb(NEW), 'send_id');
                EXCEPTION
                    WHEN OTHERS THEN NULL; -- The row is too large for JSON.
                END;
        END;
        IF changed_keys IS NOT NULL THEN
            PERFORM projector.queue_keys('template_sends', changed_keys);
        END IF;
        RETURN NULL;
    END IF;
    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'template_sends', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                n.shard,
                n.changed_key,
                (hashtext(coalesce(n.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "send_id", 'new'::text AS "template_id", 'new'::text AS "customer_phone", 'new'::text AS "status", 'new'::text AS "sent_at", 'new'::text AS "created_at") AS missing CROSS JOIN LATERAL ( SELECT "send_id"::text COLLATE "C" AS changed_key, nullif("send_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "send_id", "template_id", "customer_phone", "status", "sent_at", "created_at" FROM "new_rows" ) AS row_read) AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'template_sends', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                o.shard,
                o.changed_key,
                (hashtext(coalesce(o.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "send_id", 'old'::text AS "template_id", 'old'::text AS "customer_phone", 'old'::text AS "status", 'old'::text AS "sent_at", 'old'::text AS "created_at") AS missing CROSS JOIN LATERAL ( SELECT "send_id"::text COLLATE "C" AS changed_key, nullif("send_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "send_id", "template_id", "customer_phone", "status", "sent_at", "created_at" FROM "old_rows" ) AS row_read) AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'template_sends', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                either.shard,
                either.changed_key,
                (hashtext(coalesce(either.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "send_id", 'old'::text AS "template_id", 'old'::text AS "customer_phone", 'old'::text AS "status", 'old'::text AS "sent_at", 'old'::text AS "created_at") AS missing CROSS JOIN LATERAL ( SELECT "send_id"::text COLLATE "C" AS changed_key, nullif("send_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "send_id", "template_id", "customer_phone", "status", "sent_at", "created_at" FROM "old_rows" ) AS row_read OFFSET 0) AS o
            FULL JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "send_id", 'new'::text AS "template_id", 'new'::text AS "customer_phone", 'new'::text AS "status", 'new'::text AS "sent_at", 'new'::text AS "created_at") AS missing CROSS JOIN LATERAL ( SELECT "send_id"::text COLLATE "C" AS changed_key, nullif("send_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "send_id", "template_id", "customer_phone", "status", "sent_at", "created_at" FROM "new_rows" ) AS row_read OFFSET 0) AS n ON n.changed_id = o.changed_id
            CROSS JOIN LATERAL (VALUES (o.shard, o.changed_key), (n.shard, n.changed_key)) AS either (shard, changed_key)
            WHERE either.shard IS NOT NULL AND ROW("o"."send_id", "o"."template_id", "o"."customer_phone", "o"."status", "o"."sent_at", "o"."created_at")::record *<> ROW("n"."send_id", "n"."template_id", "n"."customer_phone", "n"."status", "n"."sent_at", "n"."created_at")::record
        ) AS hashed
        GROUP BY hashed.bucket;
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION projector.capture_templates() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    changed_rows bigint;
    pieces bigint;
    changed_keys text[];
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT n.shard, 'templates', ARRAY[n.changed_key]
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "template_id", 'new'::text AS "user_id", 'new'::text AS "phone_number_id") AS missing CROSS JOIN LATERAL ( SELECT "template_id"::text COLLATE "C" AS changed_key, nullif("template_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "template_id", "user_id", "phone_number_id" FROM "new_rows" ) AS row_read) AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                o.shard,
                'templates',
                CASE
                    WHEN o.changed_key = n.changed_key THEN ARRAY[o.changed_key]
                    ELSE ARRAY[o.changed_key, n.changed_key]
                END
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "template_id", 'old'::text AS "user_id", 'old'::text AS "phone_number_id") AS missing CROSS JOIN LATERAL ( SELECT "template_id"::text COLLATE "C" AS changed_key, nullif("template_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "template_id", "user_id", "phone_number_id" FROM "old_rows" ) AS row_read) AS o
            CROSS JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "template_id", 'new'::text AS "user_id", 'new'::text AS "phone_number_id") AS missing CROSS JOIN LATERAL ( SELECT "template_id"::text COLLATE "C" AS changed_key, nullif("template_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "template_id", "user_id", "phone_number_id" FROM "new_rows" ) AS row_read) AS n
            WHERE ROW("o"."template_id", "o"."user_id", "o"."phone_number_id")::record *<> ROW("n"."template_id", "n"."user_id", "n"."phone_number_id")::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['templates']);
        RETURN NULL;
    ELSE
        BEGIN
            IF TG_OP = 'INSERT' THEN
                changed_keys := ARRAY[NEW."template_id"::text];
            ELSIF TG_OP = 'DELETE' THEN
                changed_keys := ARRAY[OLD."template_id"::text];
            ELSIF ROW(OLD."template_id", OLD."user_id", OLD."phone_number_id")::record *<> ROW(NEW."template_id", NEW."user_id", NEW."phone_number_id")::record THEN
                changed_keys := ARRAY[OLD."template_id"::text, NEW."template_id"::text];
            END IF;
        EXCEPTION
            WHEN OTHERS THEN
                changed_keys := ARRAY['leads_capture: no key'];
                BEGIN
                    changed_keys := projector.read_keys(to_jsonb(OLD), to_jsonb(NEW), 'template_id');
                EXCEPTION
                    WHEN OTHERS THEN NULL; -- The row is too large for JSON.
                END;
        END;
        IF changed_keys IS NOT NULL THEN
            PERFORM projector.queue_keys('templates', changed_keys);
        END IF;
        RETURN NULL;
    END IF;
    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'templates', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                n.shard,
                n.changed_key,
                (hashtext(coalesce(n.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "template_id", 'new'::text AS "user_id", 'new'::text AS "phone_number_id") AS missing CROSS JOIN LATERAL ( SELECT "template_id"::text COLLATE "C" AS changed_key, nullif("template_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "template_id", "user_id", "phone_number_id" FROM "new_rows" ) AS row_read) AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'templates', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                o.shard,
                o.changed_key,
                (hashtext(coalesce(o.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "template_id", 'old'::text AS "user_id", 'old'::text AS "phone_number_id") AS missing CROSS JOIN LATERAL ( SELECT "template_id"::text COLLATE "C" AS changed_key, nullif("template_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "template_id", "user_id", "phone_number_id" FROM "old_rows" ) AS row_read) AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT min(hashed.shard), changed_rows > 100, 'templates', array_agg(DISTINCT hashed.changed_key)
        FROM (
            SELECT
                either.shard,
                either.changed_key,
                (hashtext(coalesce(either.changed_key, '')) & 2147483647) % pieces AS bucket
            FROM (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no old key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no old key'::text AS "template_id", 'old'::text AS "user_id", 'old'::text AS "phone_number_id") AS missing CROSS JOIN LATERAL ( SELECT "template_id"::text COLLATE "C" AS changed_key, nullif("template_id"::text COLLATE "C", 'leads_capture: no old key') AS changed_id, "template_id", "user_id", "phone_number_id" FROM "old_rows" ) AS row_read OFFSET 0) AS o
            FULL JOIN (SELECT row_read.*, CASE WHEN row_read.changed_key = 'leads_capture: no new key' OR row_read.changed_id IS NULL THEN (-1)::smallint ELSE projector.shard_of(row_read.changed_key) END AS shard FROM (SELECT 'leads_capture: no new key'::text AS "template_id", 'new'::text AS "user_id", 'new'::text AS "phone_number_id") AS missing CROSS JOIN LATERAL ( SELECT "template_id"::text COLLATE "C" AS changed_key, nullif("template_id"::text COLLATE "C", 'leads_capture: no new key') AS changed_id, "template_id", "user_id", "phone_number_id" FROM "new_rows" ) AS row_read OFFSET 0) AS n ON n.changed_id = o.changed_id
            CROSS JOIN LATERAL (VALUES (o.shard, o.changed_key), (n.shard, n.changed_key)) AS either (shard, changed_key)
            WHERE either.shard IS NOT NULL AND ROW("o"."template_id", "o"."user_id", "o"."phone_number_id")::record *<> ROW("n"."template_id", "n"."user_id", "n"."phone_number_id")::record
        ) AS hashed
        GROUP BY hashed.bucket;
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION projector.clamp_time(value timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN (value < '0001-01-01 00:00:00+00'::timestamp with time zone) THEN '0001-01-01 00:00:00+00'::timestamp with time zone WHEN (value > '9999-12-31 23:59:59.999+00'::timestamp with time zone) THEN '9999-12-31 23:59:59.999+00'::timestamp with time zone ELSE date_trunc('milliseconds'::text, value) END;
CREATE FUNCTION projector.cut_text(value text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN (octet_length(value) <= 65536) THEN value ELSE (convert_from(SUBSTRING(convert_to("left"(value, 65536), 'UTF8'::name) FROM 1 FOR CASE WHEN ((get_byte(convert_to("left"(value, 65536), 'UTF8'::name), 65527) & 192) <> 128) THEN 65527 WHEN ((get_byte(convert_to("left"(value, 65536), 'UTF8'::name), 65526) & 192) <> 128) THEN 65526 WHEN ((get_byte(convert_to("left"(value, 65536), 'UTF8'::name), 65525) & 192) <> 128) THEN 65525 ELSE 65524 END), 'UTF8'::name) || '… [cut]'::text) END;
CREATE FUNCTION projector.format_time(value timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN to_char((value AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'::text);
CREATE FUNCTION projector.lead_status(tag text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE lower(btrim("left"(tag, 65536), ' 	

 '::text)) WHEN 'hot'::text THEN 'Hot'::text WHEN 'warm'::text THEN 'Warm'::text WHEN 'cold'::text THEN 'Cold'::text ELSE NULL::text END;
CREATE FUNCTION projector.shard_of(key text) RETURNS smallint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((hashtext(COALESCE(key, ''::text)) & 3))::smallint;
CREATE TABLE projector.changes (
    change_id bigint NOT NULL,
    shard smallint NOT NULL,
    bulk boolean DEFAULT false NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    keys text[] NOT NULL COLLATE pg_catalog."C",
    message_ids text[] COLLATE pg_catalog."C",
    queued_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
)
WITH (autovacuum_vacuum_threshold='1000', autovacuum_vacuum_scale_factor='0.0', autovacuum_vacuum_insert_threshold='-1', autovacuum_vacuum_cost_delay='0', autovacuum_analyze_threshold='2147483647', vacuum_truncate='false', toast.vacuum_truncate='false');
ALTER TABLE ONLY projector.changes ALTER COLUMN keys SET STORAGE EXTERNAL;
ALTER TABLE ONLY projector.changes ALTER COLUMN message_ids SET STORAGE EXTERNAL;
ALTER TABLE ONLY projector.changes REPLICA IDENTITY FULL;
CREATE FUNCTION projector.queue_keys(change_kind text, changed_keys text[], changed_ids text[] DEFAULT NULL::text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids)
   VALUES (
         CASE
             WHEN ('leads_capture: no key'::text = ANY ((queue_keys.changed_keys || queue_keys.changed_ids))) THEN ('-1'::integer)::smallint
             ELSE projector.shard_of((queue_keys.changed_keys)[1])
         END,
         CASE
             WHEN (length(current_setting('leads_capture.rows'::text, true)) >= 100) THEN true
             ELSE (set_config('leads_capture.rows'::text, concat(current_setting('leads_capture.rows'::text, true), '+'), true) IS NULL)
         END, queue_keys.change_kind, queue_keys.changed_keys, queue_keys.changed_ids);
END;
CREATE FUNCTION projector.raise_serialization_failure() RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'another refresh has moved a row to a tenant that is not locked here' USING ERRCODE = '40001';
END
$$;
CREATE FUNCTION projector.read_keys(old_row jsonb, new_row jsonb, column_name text) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT array_agg(
         CASE
             WHEN (changed.image ? read_keys.column_name) THEN (changed.image ->> read_keys.column_name)
             ELSE 'leads_capture: no key'::text
         END) AS array_agg
    FROM ( VALUES (read_keys.old_row), (read_keys.new_row)) changed(image)
   WHERE (changed.image IS NOT NULL);
END;
CREATE FUNCTION projector.without_accents(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (octet_length(value) > char_length(value)) THEN NULLIF(lower((NORMALIZE(regexp_replace(NORMALIZE(value, NFD), '[\u0300-\u036f]'::text, ''::text, 'g'::text), NFC) COLLATE "default")), lower((value COLLATE "default"))) ELSE NULL::text END;
CREATE TABLE leads_access.api_keys (
    prefix text NOT NULL COLLATE pg_catalog."C",
    key_hash bytea NOT NULL,
    user_id text COLLATE pg_catalog."C",
    all_tenants boolean NOT NULL,
    label text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT api_keys_check CHECK ((all_tenants = (user_id IS NULL))),
    CONSTRAINT api_keys_key_hash_check CHECK ((length(key_hash) = 32))
)
WITH (vacuum_truncate=off, toast.vacuum_truncate=off);
CREATE TABLE read_model.lead_conversations (
    user_id text NOT NULL COLLATE pg_catalog."C",
    customer_phone text NOT NULL COLLATE pg_catalog."C",
    conversation_id text NOT NULL COLLATE pg_catalog."C",
    agent_id text COLLATE pg_catalog."C",
    agent_name text COLLATE pg_catalog."C",
    platform text COLLATE pg_catalog."C",
    phone_number_id text COLLATE pg_catalog."C",
    is_active boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    source_last_message_at timestamp with time zone,
    message_count integer NOT NULL,
    first_message_at timestamp with time zone,
    newest_message_at timestamp with time zone
)
WITH (fillfactor='85', vacuum_truncate=off, toast.vacuum_truncate=off);
CREATE VIEW leads_sql.conversations AS
 SELECT c.user_id,
    c.customer_phone,
    c.conversation_id,
    c.agent_id,
    c.agent_name,
    c.platform,
    c.phone_number_id,
    c.is_active,
    c.message_count,
    c.created_at,
    c.first_message_at,
    COALESCE(c.newest_message_at, c.source_last_message_at) AS last_message_at
   FROM read_model.lead_conversations c;
CREATE TABLE read_model.lead_profiles (
    user_id text NOT NULL COLLATE pg_catalog."C",
    customer_phone text NOT NULL COLLATE pg_catalog."C",
    name text COLLATE pg_catalog."C",
    email text COLLATE pg_catalog."C",
    company text COLLATE pg_catalog."C",
    lead_status text COLLATE pg_catalog."C",
    total_score integer,
    intent_score integer,
    urgency_score integer,
    budget_score integer,
    fit_score integer,
    engagement_score integer,
    has_extraction boolean NOT NULL,
    extraction_id uuid,
    template_sends_count integer NOT NULL,
    first_send_at timestamp with time zone,
    last_send_at timestamp with time zone,
    sent_on_whatsapp boolean NOT NULL,
    sent_on_instagram boolean NOT NULL,
    sent_on_webchat boolean NOT NULL,
    name_key text COLLATE pg_catalog."C",
    search_text text NOT NULL COLLATE pg_catalog."C",
    search_plain text COLLATE pg_catalog."C"
)
WITH (vacuum_truncate=off, toast.vacuum_truncate=off);
CREATE TABLE read_model.leads (
    user_id text NOT NULL COLLATE pg_catalog."C",
    customer_phone text NOT NULL COLLATE pg_catalog."C",
    last_message_at timestamp with time zone,
    first_contact_at timestamp with time zone NOT NULL,
    total_messages integer NOT NULL,
    total_score integer,
    lead_status text COLLATE pg_catalog."C",
    on_whatsapp boolean NOT NULL,
    on_instagram boolean NOT NULL,
    on_webchat boolean NOT NULL,
    has_extraction boolean NOT NULL,
    has_email boolean NOT NULL,
    document text NOT NULL COLLATE pg_catalog."C",
    last_message_sender text COLLATE pg_catalog."C",
    has_conversation boolean DEFAULT true NOT NULL,
    version bigint DEFAULT 0 NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_insert_scale_factor='0.02', vacuum_truncate=off, toast.vacuum_truncate=off);
CREATE VIEW leads_sql.leads AS
 SELECT l.user_id,
    l.customer_phone,
    p.name,
    p.email,
    p.company,
    l.lead_status,
    l.total_score,
    p.intent_score,
    p.urgency_score,
    p.budget_score,
    p.fit_score,
    p.engagement_score,
    l.has_extraction,
    p.extraction_id,
    l.on_whatsapp,
    l.on_instagram,
    l.on_webchat,
    l.total_messages,
    p.template_sends_count,
    l.first_contact_at,
    l.last_message_at
   FROM (read_model.leads l
     LEFT JOIN read_model.lead_profiles p ON (((p.user_id = l.user_id) AND (p.customer_phone = l.customer_phone))));
CREATE TABLE read_model.lead_messages (
    user_id text NOT NULL COLLATE pg_catalog."C",
    message_id text NOT NULL COLLATE pg_catalog."C",
    customer_phone text NOT NULL COLLATE pg_catalog."C",
    conversation_id text NOT NULL COLLATE pg_catalog."C",
    sent_at timestamp with time zone NOT NULL,
    sequence_no integer,
    sender text COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    text text COLLATE pg_catalog."C"
)
WITH (vacuum_truncate=off, toast.vacuum_truncate=off);
CREATE VIEW leads_sql.messages AS
 SELECT m.user_id,
    m.customer_phone,
    m.conversation_id,
    m.message_id,
    m.sequence_no,
    m.sent_at,
    m.sender,
    m.status,
    m.text,
    c.agent_id,
    c.agent_name,
    c.platform
   FROM (read_model.lead_messages m
     LEFT JOIN read_model.lead_conversations c ON (((c.user_id = m.user_id) AND (c.customer_phone = m.customer_phone) AND (c.conversation_id = m.conversation_id))));
CREATE TABLE read_model.lead_totals (
    user_id text NOT NULL COLLATE pg_catalog."C",
    granularity text NOT NULL COLLATE pg_catalog."C",
    bucket_start timestamp with time zone NOT NULL,
    leads integer NOT NULL,
    with_extraction integer NOT NULL,
    with_email integer NOT NULL,
    hot integer NOT NULL,
    warm integer NOT NULL,
    cold integer NOT NULL,
    on_whatsapp integer NOT NULL,
    on_instagram integer NOT NULL,
    on_webchat integer NOT NULL,
    last_from_user integer DEFAULT 0 NOT NULL,
    last_from_agent integer DEFAULT 0 NOT NULL,
    without_conversation integer DEFAULT 0 NOT NULL,
    CONSTRAINT lead_totals_granularity_check CHECK ((granularity = ANY (ARRAY['all'::text, 'day'::text, 'hour'::text, 'new_day'::text, 'new_hour'::text])))
)
WITH (fillfactor='70', vacuum_truncate=off, toast.vacuum_truncate=off);
CREATE VIEW leads_sql.statistics_by_day AS
 SELECT t.user_id,
    ((t.bucket_start AT TIME ZONE 'UTC'::text))::date AS day,
    t.leads,
    t.with_extraction,
    t.with_email,
    t.hot,
    t.warm,
    t.cold,
    t.on_whatsapp,
    t.on_instagram,
    t.on_webchat
   FROM read_model.lead_totals t
  WHERE (t.granularity = 'day'::text);
CREATE TABLE projector.capture_columns (
    table_name text NOT NULL COLLATE pg_catalog."C",
    column_name text NOT NULL COLLATE pg_catalog."C",
    table_id oid NOT NULL,
    attribute_number smallint NOT NULL,
    definition text NOT NULL COLLATE pg_catalog."C",
    row_version text NOT NULL COLLATE pg_catalog."C",
    file_node oid NOT NULL
);
CREATE TABLE projector.source_tables (
    table_name text NOT NULL COLLATE pg_catalog."C",
    schema_name text NOT NULL COLLATE pg_catalog."C"
);
CREATE VIEW projector.capture_fingerprints AS
 SELECT ((c.relname)::text COLLATE "C") AS table_name,
    ((t.tgname)::text COLLATE "C") AS trigger_name,
    (concat_ws(':'::text, c.oid, t.oid, t.xmin, t.tgenabled, p.oid, p.xmin, ( SELECT q.xmin
           FROM pg_proc q
          WHERE (q.oid = (to_regprocedure('projector.queue_keys(text, text[], text[])'::text))::oid))) COLLATE "C") AS fingerprint
   FROM (((pg_trigger t
     JOIN pg_class c ON ((c.oid = t.tgrelid)))
     JOIN projector.source_tables s ON (((s.table_name = c.relname) AND (c.relnamespace = (to_regnamespace(quote_ident(s.schema_name)))::oid))))
     JOIN pg_proc p ON ((p.oid = t.tgfoid)))
  WHERE ((t.tgname ~~ 'leads\_capture\_%'::text) AND (t.tgparentid = (0)::oid));
CREATE TABLE projector.capture_partitions (
    partition_id oid NOT NULL,
    parent_id oid NOT NULL,
    table_name text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE projector.capture_triggers (
    table_name text NOT NULL COLLATE pg_catalog."C",
    trigger_name text NOT NULL COLLATE pg_catalog."C",
    fingerprint text NOT NULL COLLATE pg_catalog."C"
);
CREATE VIEW projector.new_partitions AS
 SELECT parent.table_name,
    i.inhrelid AS partition_id,
    i.inhparent AS parent_id
   FROM ((( SELECT DISTINCT e.table_id AS parent_id,
            e.table_name
           FROM projector.capture_columns e
        UNION
         SELECT p.partition_id,
            p.table_name
           FROM projector.capture_partitions p) parent
     JOIN pg_inherits i ON ((i.inhparent = parent.parent_id)))
     JOIN pg_class c ON (((c.oid = i.inhrelid) AND c.relispartition)))
  WHERE ((NOT i.inhdetachpending) AND (NOT (EXISTS ( SELECT
           FROM projector.capture_partitions p
          WHERE ((p.partition_id = i.inhrelid) AND (p.parent_id = i.inhparent))))));
CREATE VIEW projector.changed_source AS
 SELECT 1 AS place,
    e.table_name,
        CASE
            WHEN (EXISTS ( SELECT
               FROM pg_attribute a
              WHERE ((a.attrelid = e.table_id) AND (a.attname = e.column_name) AND (NOT a.attisdropped)))) THEN format('the column %s of %s was altered'::text, e.column_name, e.table_name)
            ELSE (format('%s has no column %s'::text, e.table_name, e.column_name) || COALESCE(( SELECT format(' (its name is %s now)'::text, a.attname) AS format
               FROM pg_attribute a
              WHERE ((a.attrelid = e.table_id) AND (a.attnum = e.attribute_number) AND (NOT a.attisdropped))), ''::text))
        END AS reason
   FROM projector.capture_columns e
  WHERE ((NOT (EXISTS ( SELECT
           FROM pg_attribute a
          WHERE ((a.attrelid = e.table_id) AND (a.attname = e.column_name) AND (a.attnum = e.attribute_number) AND (concat_ws(':'::text, a.atttypid, a.atttypmod, a.attcollation, NULLIF(a.attgenerated, ''::"char")) = e.definition) AND (((a.xmin)::text = e.row_version) OR (e.file_node = ( SELECT c.relfilenode
                   FROM pg_class c
                  WHERE ((c.oid = e.table_id) AND (c.relfilenode <> (0)::oid))))))
         OFFSET 0))) AND (EXISTS ( SELECT
           FROM pg_class c
          WHERE (c.oid = e.table_id))))
UNION ALL
 SELECT 2 AS place,
    n.table_name,
    format('%s has a new partition'::text, n.table_name) AS reason
   FROM projector.new_partitions n
UNION ALL
 SELECT 2 AS place,
    p.table_name,
    format('%s has lost a partition'::text, p.table_name) AS reason
   FROM projector.capture_partitions p
  WHERE (NOT (EXISTS ( SELECT
           FROM pg_inherits i
          WHERE ((i.inhrelid = p.partition_id) AND (i.inhparent = p.parent_id) AND (NOT i.inhdetachpending)))))
UNION ALL
 SELECT 3 AS place,
    c.kind AS table_name,
    format('rows of %s were written while a column of their key was missing'::text, c.kind) AS reason
   FROM projector.changes c
  WHERE (c.shard = '-1'::integer);
CREATE VIEW projector.broken_capture AS
 SELECT
        CASE
            WHEN ((EXISTS ( SELECT
               FROM projector.changed_source)) OR (NOT (EXISTS ( SELECT
               FROM projector.capture_triggers))) OR (EXISTS ( SELECT
               FROM projector.capture_triggers e
              WHERE (NOT ((e.table_name, e.fingerprint) IN ( SELECT n.table_name,
                        n.fingerprint
                       FROM projector.capture_fingerprints n)))))) THEN ( SELECT
                    CASE
                        WHEN COALESCE(bool_and(one.never), true) THEN 'no capture trigger was ever installed'::text
                        WHEN bool_and((one.missing = one.triggers)) THEN 'all capture triggers are missing'::text
                        ELSE concat_ws(', '::text, ( SELECT string_agg(s.reason, ', '::text ORDER BY s.place, s.reason) AS string_agg
                           FROM ( SELECT DISTINCT c.place,
                                    c.reason
                                   FROM projector.changed_source c) s), string_agg(one.reason, ', '::text ORDER BY one.table_name))
                    END AS concat_ws
               FROM ( SELECT e.table_name,
                        bool_and((e.fingerprint = ''::text)) AS never,
                        count(*) AS triggers,
                        count(*) FILTER (WHERE (n.fingerprint IS NULL)) AS missing,
                            CASE
                                WHEN bool_and((n.fingerprint IS NULL)) THEN (('all capture triggers on '::text || e.table_name) || ' are missing'::text)
                                ELSE string_agg((((e.trigger_name || ' on '::text) || e.table_name) ||
                                CASE
                                    WHEN (n.fingerprint IS NULL) THEN ' is missing'::text
                                    ELSE ' was changed'::text
                                END), ', '::text ORDER BY e.trigger_name) FILTER (WHERE (n.fingerprint IS DISTINCT FROM e.fingerprint))
                            END AS reason
                       FROM (projector.capture_triggers e
                         LEFT JOIN projector.capture_fingerprints n ON (((n.table_name = e.table_name) AND (n.trigger_name = e.trigger_name))))
                      GROUP BY e.table_name) one)
            ELSE NULL::text
        END AS reason;
CREATE TABLE projector.capture_gaps (
    gap_id bigint NOT NULL,
    noticed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    reason text NOT NULL,
    reinstalled_at timestamp with time zone,
    healed_at timestamp with time zone
);
ALTER TABLE projector.capture_gaps ALTER COLUMN gap_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME projector.capture_gaps_gap_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE projector.changes ALTER COLUMN change_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME projector.changes_change_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE projector.dead_letters (
    kind text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    user_id text COLLATE pg_catalog."C",
    customer_phone text COLLATE pg_catalog."C",
    error text NOT NULL,
    attempts integer NOT NULL,
    first_failed_at timestamp with time zone NOT NULL,
    retry_at timestamp with time zone NOT NULL
);
CREATE TABLE projector.drift (
    drift_id bigint NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    customer_phone text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    fields integer NOT NULL,
    first_field text NOT NULL,
    found_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    outcome text COLLATE pg_catalog."C",
    CONSTRAINT drift_kind_check CHECK ((kind = ANY (ARRAY['lead'::text, 'conversation'::text, 'contact'::text, 'template_send'::text, 'statistics'::text]))),
    CONSTRAINT drift_outcome_check CHECK ((outcome = ANY (ARRAY['healed'::text, 'rebuilt'::text, 'right'::text])))
);
ALTER TABLE projector.drift ALTER COLUMN drift_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME projector.drift_drift_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE projector.erasures (
    erasure_id uuid DEFAULT gen_random_uuid() NOT NULL,
    salt text NOT NULL COLLATE pg_catalog."C",
    tenant_hash text NOT NULL COLLATE pg_catalog."C",
    lead_hash text COLLATE pg_catalog."C",
    asked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    asked_by text NOT NULL,
    finished_at timestamp with time zone,
    user_id text COLLATE pg_catalog."C",
    customer_phone text COLLATE pg_catalog."C"
);
CREATE VIEW projector.feeds AS
 SELECT (s.subname)::text AS name,
    (s.subslotname)::text AS slot_name,
    s.subenabled AS is_enabled,
    fed.unready_tables,
    (worker.pid IS NOT NULL) AS has_worker,
    worker.latest_end_lsn AS "position",
    COALESCE((e.apply_error_count + e.sync_error_count), (0)::bigint) AS errors
   FROM (((( SELECT r.srsubid,
            count(*) FILTER (WHERE (r.srsubstate <> 'r'::"char")) AS unready_tables
           FROM (((pg_subscription_rel r
             JOIN pg_class c ON ((c.oid = COALESCE((pg_partition_root((r.srrelid)::regclass))::oid, r.srrelid))))
             JOIN pg_namespace n ON ((n.oid = c.relnamespace)))
             JOIN projector.source_tables t ON (((t.schema_name = n.nspname) AND (t.table_name = c.relname))))
          GROUP BY r.srsubid) fed
     JOIN pg_subscription s ON ((s.oid = fed.srsubid)))
     LEFT JOIN LATERAL ( SELECT w.pid,
            w.latest_end_lsn
           FROM pg_stat_subscription w
          WHERE ((w.subid = s.oid) AND (w.relid IS NULL) AND ((to_jsonb(w.*) ->> 'leader_pid'::text) IS NULL))
         LIMIT 1) worker ON (true))
     LEFT JOIN pg_stat_subscription_stats e ON ((e.subid = s.oid)));
CREATE TABLE projector.left_out (
    table_name text NOT NULL COLLATE pg_catalog."C",
    reason text,
    copy text
);
CREATE TABLE projector.noted_keys (
    kind text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    customer_phone text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE projector.origin (
    only_row boolean DEFAULT true NOT NULL,
    proved_at timestamp with time zone,
    errors bigint DEFAULT 0 NOT NULL,
    "position" pg_lsn,
    seen_errors bigint DEFAULT 0 NOT NULL,
    failed_at timestamp with time zone,
    CONSTRAINT origin_only_row_check CHECK (only_row)
);
CREATE VIEW projector.provable AS
 SELECT
        CASE
            WHEN ((NOT (EXISTS ( SELECT
               FROM projector.feeds))) AND (NOT (EXISTS ( SELECT
               FROM projector.origin)))) THEN 'infinity'::timestamp with time zone
            ELSE COALESCE(( SELECT o.proved_at
               FROM projector.origin o), '1970-01-01 00:00:00+00'::timestamp with time zone)
        END AS until;
CREATE TABLE projector.rebuild_plan (
    only_row boolean DEFAULT true NOT NULL,
    version text NOT NULL COLLATE pg_catalog."C",
    requested_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    cursor_user_id text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    cursor_phone text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT rebuild_plan_only_row_check CHECK (only_row)
);
CREATE TABLE projector.runs (
    run_id bigint NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    outcome text DEFAULT 'running'::text NOT NULL COLLATE pg_catalog."C",
    tenants text[],
    changes bigint DEFAULT 0 NOT NULL,
    leads bigint DEFAULT 0 NOT NULL,
    messages bigint DEFAULT 0 NOT NULL,
    leads_total bigint,
    note text,
    CONSTRAINT runs_kind_check CHECK ((kind = ANY (ARRAY['refresh'::text, 'rebuild'::text, 'verify'::text]))),
    CONSTRAINT runs_outcome_check CHECK ((outcome = ANY (ARRAY['running'::text, 'done'::text, 'failed'::text, 'interrupted'::text])))
);
ALTER TABLE projector.runs ALTER COLUMN run_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME projector.runs_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE projector.settings (
    name text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL
);
CREATE VIEW projector.source_columns AS
 SELECT named.table_name,
    ((a.attname)::text COLLATE "C") AS column_name,
    c.oid AS table_id,
    a.attnum AS attribute_number,
    (concat_ws(':'::text, a.atttypid, a.atttypmod, a.attcollation, NULLIF(a.attgenerated, ''::"char")) COLLATE "C") AS definition,
    ((a.xmin)::text COLLATE "C") AS row_version,
    c.relfilenode AS file_node
   FROM (((( SELECT DISTINCT e.table_name
           FROM projector.capture_triggers e) named
     JOIN projector.source_tables s ON ((s.table_name = named.table_name)))
     JOIN pg_class c ON (((c.relnamespace = (to_regnamespace(quote_ident(s.schema_name)))::oid) AND (c.relname = s.table_name))))
     JOIN pg_attribute a ON (((a.attrelid = c.oid) AND (a.attnum > 0) AND (NOT a.attisdropped))));
CREATE TABLE projector.source_keys (
    kind text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    customer_phone text NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT source_keys_kind_check CHECK ((kind = ANY (ARRAY['conversation'::text, 'contact'::text, 'template_send'::text])))
);
CREATE VIEW projector.unfed_tables AS
 SELECT format('%I.%I'::text, n.nspname, c.relname) AS name
   FROM ((( SELECT leaf.table_id,
            leaf.is_fed,
            bool_or(leaf.is_fed) OVER () AS is_any_fed
           FROM ( SELECT part.table_id,
                    (EXISTS ( SELECT
                           FROM pg_subscription_rel r
                          WHERE ((r.srrelid = (part.table_id)::oid) OR (r.srrelid IN ( SELECT a.relid
                                   FROM pg_partition_ancestors(part.table_id) a(relid)))))) AS is_fed
                   FROM (((projector.source_tables t
                     JOIN pg_namespace n_1 ON ((n_1.nspname = t.schema_name)))
                     JOIN pg_class c_1 ON (((c_1.relnamespace = n_1.oid) AND (c_1.relname = t.table_name))))
                     CROSS JOIN LATERAL ( SELECT (c_1.oid)::regclass AS table_id
                          WHERE (c_1.relkind <> 'p'::"char")
                        UNION ALL
                         SELECT p.relid
                           FROM pg_partition_tree((c_1.oid)::regclass) p(relid, parentrelid, isleaf, level)
                          WHERE p.isleaf) part)) leaf) found
     JOIN pg_class c ON ((c.oid = (found.table_id)::oid)))
     JOIN pg_namespace n ON ((n.oid = c.relnamespace)))
  WHERE (found.is_any_fed AND (NOT found.is_fed));
CREATE TABLE projector.verify_left_out (
    kind text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    customer_phone text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    tried_at timestamp with time zone NOT NULL,
    CONSTRAINT verify_left_out_kind_check CHECK ((kind = ANY (ARRAY['lead'::text, 'conversation'::text, 'contact'::text, 'template_send'::text])))
);
CREATE TABLE projector.verify_rounds (
    round_id bigint NOT NULL,
    version text NOT NULL COLLATE pg_catalog."C",
    days double precision,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    phase text DEFAULT 'leads'::text NOT NULL COLLATE pg_catalog."C",
    after_first text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    after_second text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    due_at timestamp with time zone NOT NULL,
    reached_at timestamp with time zone,
    rows_total bigint NOT NULL,
    rows_done bigint DEFAULT 0 NOT NULL,
    leads_total bigint NOT NULL,
    leads bigint DEFAULT 0 NOT NULL,
    left_out bigint DEFAULT 0 NOT NULL,
    differences bigint DEFAULT 0 NOT NULL,
    failure text,
    CONSTRAINT verify_rounds_phase_check CHECK ((phase = ANY (ARRAY['leads'::text, 'keys'::text, 'conversation'::text, 'contact'::text, 'template_send'::text, 'statistics'::text, 'again'::text])))
);
ALTER TABLE projector.verify_rounds ALTER COLUMN round_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME projector.verify_rounds_round_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.agents (
    agent_id character varying(50) NOT NULL,
    user_id character varying(50) NOT NULL,
    phone_number_id character varying(50) NOT NULL,
    name character varying(255)
);
CREATE TABLE public.contacts (
    contact_id character varying(50) NOT NULL,
    user_id character varying(50) NOT NULL,
    phone character varying(20),
    name character varying(255),
    email character varying(255),
    company character varying(255),
    updated_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text)
);
CREATE TABLE public.conversations (
    conversation_id character varying(50) NOT NULL,
    agent_id character varying(50) NOT NULL,
    customer_phone character varying(50),
    created_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text),
    last_message_at timestamp without time zone,
    is_active boolean DEFAULT true
);
CREATE TABLE public.extractions (
    extraction_id uuid NOT NULL,
    conversation_id character varying(50) NOT NULL,
    user_id character varying(50),
    customer_phone character varying(50),
    extracted_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text),
    is_latest boolean DEFAULT true,
    name character varying(255),
    email character varying(255),
    company character varying(255),
    intent_score integer,
    urgency_score integer,
    budget_score integer,
    fit_score integer,
    engagement_score integer,
    total_score integer,
    lead_status_tag character varying(20)
);
CREATE TABLE public.messages (
    message_id character varying(255) NOT NULL,
    conversation_id character varying(50) NOT NULL,
    sender character varying(20),
    text text,
    "timestamp" timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text),
    status character varying(20) DEFAULT 'sent'::character varying,
    sequence_no integer
);
CREATE TABLE public.phone_numbers (
    id character varying(50) NOT NULL,
    user_id character varying(50) NOT NULL,
    platform character varying(20),
    meta_phone_number_id character varying(100),
    access_token text,
    display_name character varying(255)
);
CREATE TABLE public.template_sends (
    send_id character varying(50) NOT NULL,
    template_id character varying(50) NOT NULL,
    conversation_id character varying(50),
    customer_phone character varying(50),
    status character varying(20) DEFAULT 'PENDING'::character varying,
    sent_at timestamp without time zone,
    created_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text)
);
CREATE TABLE public.templates (
    template_id character varying(50) NOT NULL,
    user_id character varying(50) NOT NULL,
    phone_number_id character varying(50) NOT NULL,
    name character varying(255)
);
CREATE TABLE public.users (
    user_id character varying(50) NOT NULL,
    email character varying(255),
    company_name character varying(255),
    created_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text),
    updated_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text)
);
CREATE TABLE read_model.freshness (
    only_row boolean DEFAULT true NOT NULL,
    as_of timestamp with time zone NOT NULL,
    shards timestamp with time zone[] NOT NULL,
    CONSTRAINT freshness_only_row_check CHECK (only_row)
)
WITH (fillfactor='10', vacuum_truncate=off, toast.vacuum_truncate=off);
CREATE TABLE read_model.lead_counts (
    user_id text NOT NULL COLLATE pg_catalog."C",
    lead_status text COLLATE pg_catalog."C",
    total_score integer,
    on_whatsapp boolean NOT NULL,
    on_instagram boolean NOT NULL,
    on_webchat boolean NOT NULL,
    has_extraction boolean NOT NULL,
    has_email boolean NOT NULL,
    leads integer NOT NULL
)
WITH (fillfactor='70', vacuum_truncate=off, toast.vacuum_truncate=off);
ALTER TABLE ONLY read_model.lead_counts REPLICA IDENTITY FULL;
CREATE TABLE read_model.lead_daily_counts (
    user_id text NOT NULL COLLATE pg_catalog."C",
    day date NOT NULL,
    lead_status text COLLATE pg_catalog."C",
    total_score integer,
    on_whatsapp boolean NOT NULL,
    on_instagram boolean NOT NULL,
    on_webchat boolean NOT NULL,
    has_extraction boolean NOT NULL,
    has_email boolean NOT NULL,
    leads integer NOT NULL
)
WITH (fillfactor='70', vacuum_truncate=off, toast.vacuum_truncate=off);
ALTER TABLE ONLY read_model.lead_daily_counts REPLICA IDENTITY FULL;
CREATE VIEW read_model.lead_profiles_of_tenant AS
 SELECT p.user_id,
    p.customer_phone,
    p.name,
    p.email,
    p.company,
    p.lead_status,
    p.total_score,
    p.intent_score,
    p.urgency_score,
    p.budget_score,
    p.fit_score,
    p.engagement_score,
    p.has_extraction,
    p.extraction_id,
    p.template_sends_count,
    p.first_send_at,
    p.last_send_at,
    p.sent_on_whatsapp,
    p.sent_on_instagram,
    p.sent_on_webchat,
    p.name_key,
    p.search_text,
    p.search_plain
   FROM read_model.lead_profiles p
  WHERE (p.user_id = current_setting('leads.user_id'::text, true));
CREATE TABLE read_model.lead_tombstones (
    user_id text NOT NULL COLLATE pg_catalog."C",
    customer_phone text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    deleted_at timestamp with time zone NOT NULL
)
WITH (vacuum_truncate=off, toast.vacuum_truncate=off);
CREATE TABLE read_model.projection (
    only_row boolean DEFAULT true NOT NULL,
    version text NOT NULL COLLATE pg_catalog."C",
    built_at timestamp with time zone,
    capture_gap text COLLATE pg_catalog."C",
    proved_at timestamp with time zone,
    round_done real,
    open_differences bigint DEFAULT 0 NOT NULL,
    found_differences bigint DEFAULT 0 NOT NULL,
    installation_id uuid DEFAULT gen_random_uuid() NOT NULL,
    feed_problem text COLLATE pg_catalog."C",
    CONSTRAINT projection_only_row_check CHECK (only_row)
)
WITH (vacuum_truncate=off, toast.vacuum_truncate=off);
CREATE VIEW read_model.place_of_versions AS
 SELECT concat_ws('-'::text, p.installation_id, ( SELECT s.system_identifier
           FROM pg_control_system() s(pg_control_version, catalog_version_no, system_identifier, pg_control_last_modified)), ( SELECT d.oid
           FROM pg_database d
          WHERE (d.datname = current_database())),
        CASE
            WHEN pg_is_in_recovery() THEN ( SELECT upper(to_hex(c.timeline_id)) AS upper
               FROM pg_control_checkpoint() c(checkpoint_lsn, redo_lsn, redo_wal_file, timeline_id, prev_timeline_id, full_page_writes, next_xid, next_oid, next_multixact_id, next_multi_offset, oldest_xid, oldest_xid_dbid, oldest_active_xid, oldest_multi_xid, oldest_multi_dbid, oldest_commit_ts_xid, newest_commit_ts_xid, checkpoint_time))
            ELSE ltrim("left"(pg_walfile_name(pg_current_wal_lsn()), 8), '0'::text)
        END) AS place
   FROM read_model.projection p;
CREATE VIEW read_model.row_security AS
 SELECT found.table_name,
        CASE
            WHEN (NOT (EXISTS ( SELECT
               FROM pg_roles r
              WHERE (r.rolname = 'leads_api'::name)))) THEN NULL::text
            WHEN (NOT found.is_enabled) THEN 'row security is switched off'::text
            WHEN (NOT (EXISTS ( SELECT
               FROM pg_policy p
              WHERE ((p.polrelid = found.table_id) AND (p.polname = 'one_tenant'::name) AND (NOT p.polpermissive) AND (p.polcmd = '*'::"char") AND (p.polroles = ARRAY( SELECT r.oid
                       FROM pg_roles r
                      WHERE (r.rolname = 'leads_api'::name))) AND (regexp_replace(pg_get_expr(p.polqual, ('read_model.lead_profiles_of_tenant'::regclass)::oid), '\s+'::text, ' '::text, 'g'::text) = found.condition))))) THEN 'the policy one_tenant is missing or was changed'::text
            WHEN (NOT (EXISTS ( SELECT
               FROM pg_policy p
              WHERE ((p.polrelid = found.table_id) AND (p.polname = 'all_rows'::name) AND p.polpermissive AND (p.polcmd = '*'::"char") AND (p.polroles = ARRAY[(0)::oid]) AND (pg_get_expr(p.polqual, ('read_model.lead_profiles_of_tenant'::regclass)::oid) = 'true'::text))))) THEN 'the policy all_rows is missing or was changed'::text
            ELSE NULL::text
        END AS problem,
    found.lets_older_api_pass,
    found.table_id
   FROM ( SELECT c.oid AS table_id,
            ('read_model.'::text || quote_ident((c.relname)::text)) AS table_name,
            c.relrowsecurity AS is_enabled,
            older.may_run AS lets_older_api_pass,
                CASE
                    WHEN older.may_run THEN '((( SELECT current_setting(''leads.user_id''::text, true) AS current_setting) IS NULL) OR (user_id = ( SELECT current_setting(''leads.user_id''::text, true) AS current_setting)))'::text
                    ELSE '(user_id = current_setting(''leads.user_id''::text, true))'::text
                END AS condition
           FROM (((pg_class c
             JOIN pg_namespace n ON (((n.oid = c.relnamespace) AND (n.nspname = 'read_model'::name))))
             JOIN pg_attribute a ON (((a.attrelid = c.oid) AND (a.attname = 'user_id'::name) AND (a.attnum > 0))))
             CROSS JOIN ( SELECT (to_regclass('read_model.lead_stats'::text) IS NOT NULL) AS may_run) older)
          WHERE (c.relkind = ANY (ARRAY['r'::"char", 'p'::"char"]))) found;
CREATE TABLE read_model.tenants (
    user_id text NOT NULL COLLATE pg_catalog."C",
    version bigint DEFAULT 0 NOT NULL,
    dead_letters integer DEFAULT 0 NOT NULL,
    version_id uuid DEFAULT '00000000-0000-0000-0000-000000000000'::uuid NOT NULL,
    epoch uuid DEFAULT gen_random_uuid() NOT NULL,
    pruned_version bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50', vacuum_truncate=off, toast.vacuum_truncate=off);
CREATE VIEW read_model.tenant_ids AS
 SELECT t.user_id
   FROM read_model.tenants t;
INSERT INTO projector.capture_columns VALUES ('phone_numbers', 'platform', 16394, 3, '1043:24:100', '726', 16394);
INSERT INTO projector.capture_columns VALUES ('phone_numbers', 'id', 16394, 1, '1043:54:100', '726', 16394);
INSERT INTO projector.capture_columns VALUES ('conversations', 'is_active', 16423, 6, '16:-1:0', '726', 16423);
INSERT INTO projector.capture_columns VALUES ('conversations', 'last_message_at', 16423, 5, '1114:-1:0', '726', 16423);
INSERT INTO projector.capture_columns VALUES ('conversations', 'created_at', 16423, 4, '1114:-1:0', '726', 16423);
INSERT INTO projector.capture_columns VALUES ('conversations', 'customer_phone', 16423, 3, '1043:54:100', '726', 16423);
INSERT INTO projector.capture_columns VALUES ('conversations', 'agent_id', 16423, 2, '1043:54:100', '726', 16423);
INSERT INTO projector.capture_columns VALUES ('conversations', 'conversation_id', 16423, 1, '1043:54:100', '726', 16423);
INSERT INTO projector.capture_columns VALUES ('templates', 'phone_number_id', 16483, 3, '1043:54:100', '726', 16483);
INSERT INTO projector.capture_columns VALUES ('templates', 'user_id', 16483, 2, '1043:54:100', '726', 16483);
INSERT INTO projector.capture_columns VALUES ('templates', 'template_id', 16483, 1, '1043:54:100', '726', 16483);
INSERT INTO projector.capture_columns VALUES ('template_sends', 'created_at', 16499, 7, '1114:-1:0', '726', 16499);
INSERT INTO projector.capture_columns VALUES ('template_sends', 'sent_at', 16499, 6, '1114:-1:0', '726', 16499);
INSERT INTO projector.capture_columns VALUES ('template_sends', 'status', 16499, 5, '1043:24:100', '726', 16499);
INSERT INTO projector.capture_columns VALUES ('template_sends', 'customer_phone', 16499, 4, '1043:54:100', '726', 16499);
INSERT INTO projector.capture_columns VALUES ('template_sends', 'template_id', 16499, 2, '1043:54:100', '726', 16499);
INSERT INTO projector.capture_columns VALUES ('template_sends', 'send_id', 16499, 1, '1043:54:100', '726', 16499);
INSERT INTO projector.capture_columns VALUES ('contacts', 'updated_at', 16468, 7, '1114:-1:0', '726', 16468);
INSERT INTO projector.capture_columns VALUES ('contacts', 'company', 16468, 6, '1043:259:100', '726', 16468);
INSERT INTO projector.capture_columns VALUES ('contacts', 'email', 16468, 5, '1043:259:100', '726', 16468);
INSERT INTO projector.capture_columns VALUES ('contacts', 'name', 16468, 4, '1043:259:100', '726', 16468);
INSERT INTO projector.capture_columns VALUES ('contacts', 'phone', 16468, 3, '1043:24:100', '726', 16468);
INSERT INTO projector.capture_columns VALUES ('contacts', 'user_id', 16468, 2, '1043:54:100', '726', 16468);
INSERT INTO projector.capture_columns VALUES ('contacts', 'contact_id', 16468, 1, '1043:54:100', '726', 16468);
INSERT INTO projector.capture_columns VALUES ('extractions', 'lead_status_tag', 16453, 16, '1043:24:100', '726', 16453);
INSERT INTO projector.capture_columns VALUES ('extractions', 'total_score', 16453, 15, '23:-1:0', '726', 16453);
INSERT INTO projector.capture_columns VALUES ('extractions', 'engagement_score', 16453, 14, '23:-1:0', '726', 16453);
INSERT INTO projector.capture_columns VALUES ('extractions', 'fit_score', 16453, 13, '23:-1:0', '726', 16453);
INSERT INTO projector.capture_columns VALUES ('extractions', 'budget_score', 16453, 12, '23:-1:0', '726', 16453);
INSERT INTO projector.capture_columns VALUES ('extractions', 'urgency_score', 16453, 11, '23:-1:0', '726', 16453);
INSERT INTO projector.capture_columns VALUES ('extractions', 'intent_score', 16453, 10, '23:-1:0', '726', 16453);
INSERT INTO projector.capture_columns VALUES ('extractions', 'company', 16453, 9, '1043:259:100', '726', 16453);
INSERT INTO projector.capture_columns VALUES ('extractions', 'email', 16453, 8, '1043:259:100', '726', 16453);
INSERT INTO projector.capture_columns VALUES ('extractions', 'name', 16453, 7, '1043:259:100', '726', 16453);
INSERT INTO projector.capture_columns VALUES ('extractions', 'is_latest', 16453, 6, '16:-1:0', '726', 16453);
INSERT INTO projector.capture_columns VALUES ('extractions', 'extracted_at', 16453, 5, '1114:-1:0', '726', 16453);
INSERT INTO projector.capture_columns VALUES ('extractions', 'conversation_id', 16453, 2, '1043:54:100', '726', 16453);
INSERT INTO projector.capture_columns VALUES ('extractions', 'extraction_id', 16453, 1, '2950:-1:0', '726', 16453);
INSERT INTO projector.capture_columns VALUES ('messages', 'sequence_no', 16437, 7, '23:-1:0', '726', 16437);
INSERT INTO projector.capture_columns VALUES ('messages', 'status', 16437, 6, '1043:24:100', '726', 16437);
INSERT INTO projector.capture_columns VALUES ('messages', 'timestamp', 16437, 5, '1114:-1:0', '726', 16437);
INSERT INTO projector.capture_columns VALUES ('messages', 'text', 16437, 4, '25:-1:100', '726', 16437);
INSERT INTO projector.capture_columns VALUES ('messages', 'sender', 16437, 3, '1043:24:100', '726', 16437);
INSERT INTO projector.capture_columns VALUES ('messages', 'conversation_id', 16437, 2, '1043:54:100', '726', 16437);
INSERT INTO projector.capture_columns VALUES ('messages', 'message_id', 16437, 1, '1043:259:100', '726', 16437);
INSERT INTO projector.capture_columns VALUES ('agents', 'name', 16406, 4, '1043:259:100', '726', 16406);
INSERT INTO projector.capture_columns VALUES ('agents', 'phone_number_id', 16406, 3, '1043:54:100', '726', 16406);
INSERT INTO projector.capture_columns VALUES ('agents', 'user_id', 16406, 2, '1043:54:100', '726', 16406);
INSERT INTO projector.capture_columns VALUES ('agents', 'agent_id', 16406, 1, '1043:54:100', '726', 16406);
INSERT INTO projector.capture_triggers VALUES ('phone_numbers', 'leads_capture_insert', '16394:17443:735:O:16835:726:726');
INSERT INTO projector.capture_triggers VALUES ('phone_numbers', 'leads_capture_update', '16394:17444:735:O:16835:726:726');
INSERT INTO projector.capture_triggers VALUES ('phone_numbers', 'leads_capture_delete', '16394:17445:735:O:16835:726:726');
INSERT INTO projector.capture_triggers VALUES ('phone_numbers', 'leads_capture_truncate', '16394:17446:735:A:16835:726:726');
INSERT INTO projector.capture_triggers VALUES ('phone_numbers', 'leads_capture_replica', '16394:17447:735:R:16835:726:726');
INSERT INTO projector.capture_triggers VALUES ('agents', 'leads_capture_insert', '16406:17448:736:O:16836:726:726');
INSERT INTO projector.capture_triggers VALUES ('agents', 'leads_capture_update', '16406:17449:736:O:16836:726:726');
INSERT INTO projector.capture_triggers VALUES ('agents', 'leads_capture_delete', '16406:17450:736:O:16836:726:726');
INSERT INTO projector.capture_triggers VALUES ('agents', 'leads_capture_truncate', '16406:17451:736:A:16836:726:726');
INSERT INTO projector.capture_triggers VALUES ('agents', 'leads_capture_replica', '16406:17452:736:R:16836:726:726');
INSERT INTO projector.capture_triggers VALUES ('conversations', 'leads_capture_insert', '16423:17453:737:O:16837:726:726');
INSERT INTO projector.capture_triggers VALUES ('conversations', 'leads_capture_update', '16423:17454:737:O:16837:726:726');
INSERT INTO projector.capture_triggers VALUES ('conversations', 'leads_capture_delete', '16423:17455:737:O:16837:726:726');
INSERT INTO projector.capture_triggers VALUES ('conversations', 'leads_capture_truncate', '16423:17456:737:A:16837:726:726');
INSERT INTO projector.capture_triggers VALUES ('conversations', 'leads_capture_replica', '16423:17457:737:R:16837:726:726');
INSERT INTO projector.capture_triggers VALUES ('messages', 'leads_capture_insert', '16437:17458:738:O:16838:726:726');
INSERT INTO projector.capture_triggers VALUES ('messages', 'leads_capture_update', '16437:17459:738:O:16838:726:726');
INSERT INTO projector.capture_triggers VALUES ('messages', 'leads_capture_delete', '16437:17460:738:O:16838:726:726');
INSERT INTO projector.capture_triggers VALUES ('messages', 'leads_capture_truncate', '16437:17461:738:A:16838:726:726');
INSERT INTO projector.capture_triggers VALUES ('messages', 'leads_capture_replica', '16437:17462:738:R:16838:726:726');
INSERT INTO projector.capture_triggers VALUES ('extractions', 'leads_capture_insert', '16453:17463:739:O:16841:726:726');
INSERT INTO projector.capture_triggers VALUES ('extractions', 'leads_capture_update', '16453:17464:739:O:16841:726:726');
INSERT INTO projector.capture_triggers VALUES ('extractions', 'leads_capture_delete', '16453:17465:739:O:16841:726:726');
INSERT INTO projector.capture_triggers VALUES ('extractions', 'leads_capture_truncate', '16453:17466:739:A:16841:726:726');
INSERT INTO projector.capture_triggers VALUES ('extractions', 'leads_capture_replica', '16453:17467:739:R:16841:726:726');
INSERT INTO projector.capture_triggers VALUES ('contacts', 'leads_capture_insert', '16468:17468:740:O:16844:726:726');
INSERT INTO projector.capture_triggers VALUES ('contacts', 'leads_capture_update', '16468:17469:740:O:16844:726:726');
INSERT INTO projector.capture_triggers VALUES ('contacts', 'leads_capture_delete', '16468:17470:740:O:16844:726:726');
INSERT INTO projector.capture_triggers VALUES ('contacts', 'leads_capture_truncate', '16468:17471:740:A:16844:726:726');
INSERT INTO projector.capture_triggers VALUES ('contacts', 'leads_capture_replica', '16468:17472:740:R:16844:726:726');
INSERT INTO projector.capture_triggers VALUES ('templates', 'leads_capture_insert', '16483:17473:741:O:16845:726:726');
INSERT INTO projector.capture_triggers VALUES ('templates', 'leads_capture_update', '16483:17474:741:O:16845:726:726');
INSERT INTO projector.capture_triggers VALUES ('templates', 'leads_capture_delete', '16483:17475:741:O:16845:726:726');
INSERT INTO projector.capture_triggers VALUES ('templates', 'leads_capture_truncate', '16483:17476:741:A:16845:726:726');
INSERT INTO projector.capture_triggers VALUES ('templates', 'leads_capture_replica', '16483:17477:741:R:16845:726:726');
INSERT INTO projector.capture_triggers VALUES ('template_sends', 'leads_capture_insert', '16499:17478:742:O:16846:726:726');
INSERT INTO projector.capture_triggers VALUES ('template_sends', 'leads_capture_update', '16499:17479:742:O:16846:726:726');
INSERT INTO projector.capture_triggers VALUES ('template_sends', 'leads_capture_delete', '16499:17480:742:O:16846:726:726');
INSERT INTO projector.capture_triggers VALUES ('template_sends', 'leads_capture_truncate', '16499:17481:742:A:16846:726:726');
INSERT INTO projector.capture_triggers VALUES ('template_sends', 'leads_capture_replica', '16499:17482:742:R:16846:726:726');
INSERT INTO projector.changes OVERRIDING SYSTEM VALUE VALUES (40, 2, false, 'extractions', '{two-0}', NULL, '2026-11-27 19:31:57.413234+00');
INSERT INTO projector.changes OVERRIDING SYSTEM VALUE VALUES (41, 0, false, 'messages', '{one-1}', '{waits}', '2026-11-27 19:31:57.424353+00');
INSERT INTO projector.changes OVERRIDING SYSTEM VALUE VALUES (42, 3, false, 'conversations', '{two-2}', NULL, '2026-11-27 19:31:57.435061+00');
INSERT INTO projector.dead_letters VALUES ('reload_conversations', 'two-0', 'two', '49150', 'integer out of range (sql/refresh/4_recompute/30_compute_profiles.sql)', 1, '2026-11-27 19:31:57.254391+00', '2026-11-27 19:32:07.254623+00');
INSERT INTO projector.rebuild_plan VALUES (true, '1fc535ced220', '2026-11-27 19:31:57.456542+00', 'one', '49151');
INSERT INTO projector.runs OVERRIDING SYSTEM VALUE VALUES (1, 'rebuild', '2026-11-27 19:31:54.132488+00', '2026-11-27 19:31:55.580756+00', 'done', NULL, 0, 6, 12, NULL, NULL);
INSERT INTO projector.runs OVERRIDING SYSTEM VALUE VALUES (2, 'rebuild', '2025-03-01 00:00:00+00', NULL, 'running', NULL, 0, 0, 0, NULL, NULL);
INSERT INTO projector.settings VALUES ('source_schemas', '{public}');
INSERT INTO projector.settings VALUES ('projection_version', '1fc535ced220');
INSERT INTO projector.source_keys VALUES ('conversation', 'one-0', 'one', '49150');
INSERT INTO projector.source_keys VALUES ('conversation', 'one-1', 'one', '49151');
INSERT INTO projector.source_keys VALUES ('conversation', 'one-2', 'one', '49152');
INSERT INTO projector.source_keys VALUES ('conversation', 'two-0', 'two', '49150');
INSERT INTO projector.source_keys VALUES ('conversation', 'two-1', 'two', '49151');
INSERT INTO projector.source_keys VALUES ('conversation', 'two-2', 'two', '49152');
INSERT INTO projector.source_keys VALUES ('contact', 'one-0', 'one', '49150');
INSERT INTO projector.source_keys VALUES ('contact', 'one-1', 'one', '49151');
INSERT INTO projector.source_keys VALUES ('contact', 'one-2', 'one', '49152');
INSERT INTO projector.source_keys VALUES ('contact', 'two-0', 'two', '49150');
INSERT INTO projector.source_keys VALUES ('contact', 'two-1', 'two', '49151');
INSERT INTO projector.source_keys VALUES ('contact', 'two-2', 'two', '49152');
INSERT INTO projector.source_keys VALUES ('template_send', 'one-0', 'one', '49150');
INSERT INTO projector.source_keys VALUES ('template_send', 'one-1', 'one', '49151');
INSERT INTO projector.source_keys VALUES ('template_send', 'one-2', 'one', '49152');
INSERT INTO projector.source_keys VALUES ('template_send', 'two-0', 'two', '49150');
INSERT INTO projector.source_keys VALUES ('template_send', 'two-1', 'two', '49151');
INSERT INTO projector.source_keys VALUES ('template_send', 'two-2', 'two', '49152');
INSERT INTO projector.source_tables VALUES ('users', 'public');
INSERT INTO projector.source_tables VALUES ('phone_numbers', 'public');
INSERT INTO projector.source_tables VALUES ('agents', 'public');
INSERT INTO projector.source_tables VALUES ('conversations', 'public');
INSERT INTO projector.source_tables VALUES ('messages', 'public');
INSERT INTO projector.source_tables VALUES ('extractions', 'public');
INSERT INTO projector.source_tables VALUES ('contacts', 'public');
INSERT INTO projector.source_tables VALUES ('templates', 'public');
INSERT INTO projector.source_tables VALUES ('template_sends', 'public');
INSERT INTO public.agents VALUES ('agent-one', 'one', 'channel-one', 'Ava');
INSERT INTO public.agents VALUES ('agent-two', 'two', 'channel-two', 'Ava');
INSERT INTO public.contacts VALUES ('one-0', 'one', '+49 150', 'Änne', 'anne@example.com', NULL, '2025-01-01 00:00:00');
INSERT INTO public.contacts VALUES ('one-1', 'one', '+49 151', 'Änne', 'anne@example.com', NULL, '2025-01-01 00:00:00');
INSERT INTO public.contacts VALUES ('one-2', 'one', '+49 152', 'Änne', 'anne@example.com', NULL, '2025-01-01 00:00:00');
INSERT INTO public.contacts VALUES ('two-0', 'two', '+49 150', 'Änne', 'anne@example.com', NULL, '2025-01-01 00:00:00');
INSERT INTO public.contacts VALUES ('two-1', 'two', '+49 151', 'Änne', 'anne@example.com', NULL, '2025-01-01 00:00:00');
INSERT INTO public.contacts VALUES ('two-2', 'two', '+49 152', 'Änne', 'anne@example.com', NULL, '2025-01-01 00:00:00');
INSERT INTO public.conversations VALUES ('one-0', 'agent-one', '+49 150', '2025-01-01 00:00:00', '2025-01-02 00:00:00', true);
INSERT INTO public.conversations VALUES ('one-1', 'agent-one', '+49 151', '2025-01-01 00:00:00', '2025-01-02 00:00:00', true);
INSERT INTO public.conversations VALUES ('one-2', 'agent-one', '+49 152', '2025-01-01 00:00:00', '2025-01-02 00:00:00', true);
INSERT INTO public.conversations VALUES ('two-0', 'agent-two', '+49 150', '2025-01-01 00:00:00', '2025-01-02 00:00:00', true);
INSERT INTO public.conversations VALUES ('two-1', 'agent-two', '+49 151', '2025-01-01 00:00:00', '2025-01-02 00:00:00', true);
INSERT INTO public.conversations VALUES ('two-2', 'agent-two', '4917', '2025-01-01 00:00:00', '2025-01-02 00:00:00', true);
INSERT INTO public.extractions VALUES ('f97c5d29-941b-fb1b-2fda-b0874906ab82', 'one-0', NULL, NULL, '2025-01-04 00:00:00', true, 'Bo', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 12, 'hot');
INSERT INTO public.extractions VALUES ('b8a9f715-dbb6-4fd5-c56e-7783c6820a61', 'two-0', NULL, NULL, '2025-01-04 00:00:00', true, 'Bo', NULL, NULL, 1, 1, 1, 1, 1, NULL, 'hot');
INSERT INTO public.messages VALUES ('one-0-1', 'one-0', 'user', 'text 1', '2025-01-04 01:00:00', 'sent', 1);
INSERT INTO public.messages VALUES ('one-1-1', 'one-1', 'user', 'text 1', '2025-01-04 01:00:00', 'sent', 1);
INSERT INTO public.messages VALUES ('one-1-2', 'one-1', 'user', 'text 2', '2025-01-04 02:00:00', 'sent', 2);
INSERT INTO public.messages VALUES ('one-2-1', 'one-2', 'user', 'text 1', '2025-01-04 01:00:00', 'sent', 1);
INSERT INTO public.messages VALUES ('one-2-2', 'one-2', 'user', 'text 2', '2025-01-04 02:00:00', 'sent', 2);
INSERT INTO public.messages VALUES ('one-2-3', 'one-2', 'user', 'text 3', '2025-01-04 03:00:00', 'sent', 3);
INSERT INTO public.messages VALUES ('two-0-1', 'two-0', 'user', 'text 1', '2025-01-04 01:00:00', 'sent', 1);
INSERT INTO public.messages VALUES ('two-1-1', 'two-1', 'user', 'text 1', '2025-01-04 01:00:00', 'sent', 1);
INSERT INTO public.messages VALUES ('two-1-2', 'two-1', 'user', 'text 2', '2025-01-04 02:00:00', 'sent', 2);
INSERT INTO public.messages VALUES ('two-2-1', 'two-2', 'user', 'text 1', '2025-01-04 01:00:00', 'sent', 1);
INSERT INTO public.messages VALUES ('two-2-2', 'two-2', 'user', 'text 2', '2025-01-04 02:00:00', 'sent', 2);
INSERT INTO public.messages VALUES ('two-2-3', 'two-2', 'user', 'text 3', '2025-01-04 03:00:00', 'sent', 3);
INSERT INTO public.messages VALUES ('waits', 'one-1', 'agent', 'new', '2025-02-01 00:00:00', 'sent', NULL);
INSERT INTO public.phone_numbers VALUES ('channel-one', 'one', 'whatsapp', NULL, NULL, NULL);
INSERT INTO public.phone_numbers VALUES ('channel-two', 'two', 'whatsapp', NULL, NULL, NULL);
INSERT INTO public.template_sends VALUES ('one-0', 'template-one', NULL, '49150', 'SENT', '2025-01-03 00:00:00', '2026-11-27 19:31:53.79828');
INSERT INTO public.template_sends VALUES ('one-1', 'template-one', NULL, '49151', 'SENT', '2025-01-03 00:00:00', '2026-11-27 19:31:53.838942');
INSERT INTO public.template_sends VALUES ('one-2', 'template-one', NULL, '49152', 'SENT', '2025-01-03 00:00:00', '2026-11-27 19:31:53.861018');
INSERT INTO public.template_sends VALUES ('two-0', 'template-two', NULL, '49150', 'SENT', '2025-01-03 00:00:00', '2026-11-27 19:31:53.924212');
INSERT INTO public.template_sends VALUES ('two-1', 'template-two', NULL, '49151', 'SENT', '2025-01-03 00:00:00', '2026-11-27 19:31:53.947245');
INSERT INTO public.template_sends VALUES ('two-2', 'template-two', NULL, '49152', 'SENT', '2025-01-03 00:00:00', '2026-11-27 19:31:53.984736');
INSERT INTO public.templates VALUES ('template-one', 'one', 'channel-one', NULL);
INSERT INTO public.templates VALUES ('template-two', 'two', 'channel-two', NULL);
INSERT INTO public.users VALUES ('one', NULL, NULL, '2026-11-27 19:31:53.707841', '2026-11-27 19:31:53.707841');
INSERT INTO public.users VALUES ('two', NULL, NULL, '2026-11-27 19:31:53.890547', '2026-11-27 19:31:53.890547');
INSERT INTO read_model.freshness VALUES (true, '2026-11-27 19:31:55.876888+00', '{"2026-11-27 19:31:55.876888+00","2026-11-27 19:31:55.902183+00","2026-11-27 19:31:57.300872+00","2026-11-27 19:31:57.377688+00"}');
INSERT INTO read_model.lead_conversations VALUES ('one', '49150', 'one-0', 'agent-one', 'Ava', 'whatsapp', 'channel-one', true, '2025-01-01 00:00:00+00', '2025-01-02 00:00:00+00', 1, '2025-01-04 01:00:00+00', '2025-01-04 01:00:00+00');
INSERT INTO read_model.lead_conversations VALUES ('one', '49151', 'one-1', 'agent-one', 'Ava', 'whatsapp', 'channel-one', true, '2025-01-01 00:00:00+00', '2025-01-02 00:00:00+00', 2, '2025-01-04 01:00:00+00', '2025-01-04 02:00:00+00');
INSERT INTO read_model.lead_conversations VALUES ('one', '49152', 'one-2', 'agent-one', 'Ava', 'whatsapp', 'channel-one', true, '2025-01-01 00:00:00+00', '2025-01-02 00:00:00+00', 3, '2025-01-04 01:00:00+00', '2025-01-04 03:00:00+00');
INSERT INTO read_model.lead_conversations VALUES ('two', '49150', 'two-0', 'agent-two', 'Ava', 'whatsapp', 'channel-two', true, '2025-01-01 00:00:00+00', '2025-01-02 00:00:00+00', 1, '2025-01-04 01:00:00+00', '2025-01-04 01:00:00+00');
INSERT INTO read_model.lead_conversations VALUES ('two', '49151', 'two-1', 'agent-two', 'Ava', 'whatsapp', 'channel-two', true, '2025-01-01 00:00:00+00', '2025-01-02 00:00:00+00', 2, '2025-01-04 01:00:00+00', '2025-01-04 02:00:00+00');
INSERT INTO read_model.lead_conversations VALUES ('two', '49152', 'two-2', 'agent-two', 'Ava', 'whatsapp', 'channel-two', true, '2025-01-01 00:00:00+00', '2025-01-02 00:00:00+00', 3, '2025-01-04 01:00:00+00', '2025-01-04 03:00:00+00');
INSERT INTO read_model.lead_counts VALUES ('one', 'Hot', 12, true, false, false, true, true, 1);
INSERT INTO read_model.lead_counts VALUES ('one', NULL, NULL, true, false, false, false, true, 2);
INSERT INTO read_model.lead_counts VALUES ('two', 'Hot', 12, true, false, false, true, true, 1);
INSERT INTO read_model.lead_counts VALUES ('two', NULL, NULL, true, false, false, false, true, 2);
INSERT INTO read_model.lead_daily_counts VALUES ('one', '2025-01-04', 'Hot', 12, true, false, false, true, true, 1);
INSERT INTO read_model.lead_daily_counts VALUES ('one', '2025-01-04', NULL, NULL, true, false, false, false, true, 2);
INSERT INTO read_model.lead_daily_counts VALUES ('two', '2025-01-04', 'Hot', 12, true, false, false, true, true, 1);
INSERT INTO read_model.lead_daily_counts VALUES ('two', '2025-01-04', NULL, NULL, true, false, false, false, true, 2);
INSERT INTO read_model.lead_messages VALUES ('one', 'one-0-1', '49150', 'one-0', '2025-01-04 01:00:00+00', 1, 'user', 'sent', 'text 1');
INSERT INTO read_model.lead_messages VALUES ('one', 'one-1-1', '49151', 'one-1', '2025-01-04 01:00:00+00', 1, 'user', 'sent', 'text 1');
INSERT INTO read_model.lead_messages VALUES ('one', 'one-1-2', '49151', 'one-1', '2025-01-04 02:00:00+00', 2, 'user', 'sent', 'text 2');
INSERT INTO read_model.lead_messages VALUES ('one', 'one-2-1', '49152', 'one-2', '2025-01-04 01:00:00+00', 1, 'user', 'sent', 'text 1');
INSERT INTO read_model.lead_messages VALUES ('one', 'one-2-2', '49152', 'one-2', '2025-01-04 02:00:00+00', 2, 'user', 'sent', 'text 2');
INSERT INTO read_model.lead_messages VALUES ('one', 'one-2-3', '49152', 'one-2', '2025-01-04 03:00:00+00', 3, 'user', 'sent', 'text 3');
INSERT INTO read_model.lead_messages VALUES ('two', 'two-0-1', '49150', 'two-0', '2025-01-04 01:00:00+00', 1, 'user', 'sent', 'text 1');
INSERT INTO read_model.lead_messages VALUES ('two', 'two-1-1', '49151', 'two-1', '2025-01-04 01:00:00+00', 1, 'user', 'sent', 'text 1');
INSERT INTO read_model.lead_messages VALUES ('two', 'two-1-2', '49151', 'two-1', '2025-01-04 02:00:00+00', 2, 'user', 'sent', 'text 2');
INSERT INTO read_model.lead_messages VALUES ('two', 'two-2-1', '49152', 'two-2', '2025-01-04 01:00:00+00', 1, 'user', 'sent', 'text 1');
INSERT INTO read_model.lead_messages VALUES ('two', 'two-2-2', '49152', 'two-2', '2025-01-04 02:00:00+00', 2, 'user', 'sent', 'text 2');
INSERT INTO read_model.lead_messages VALUES ('two', 'two-2-3', '49152', 'two-2', '2025-01-04 03:00:00+00', 3, 'user', 'sent', 'text 3');
INSERT INTO read_model.lead_profiles VALUES ('one', '49150', 'Bo', 'anne@example.com', NULL, 'Hot', 12, NULL, NULL, NULL, NULL, NULL, true, 'f97c5d29-941b-fb1b-2fda-b0874906ab82', 1, '2025-01-03 00:00:00+00', '2025-01-03 00:00:00+00', true, false, false, 'bo', 'bo
anne@example.com
49150', NULL);
INSERT INTO read_model.lead_profiles VALUES ('one', '49151', 'Änne', 'anne@example.com', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, 1, '2025-01-03 00:00:00+00', '2025-01-03 00:00:00+00', true, false, false, 'änne', 'änne
anne@example.com
49151', 'anne
anne@example.com
49151');
INSERT INTO read_model.lead_profiles VALUES ('one', '49152', 'Änne', 'anne@example.com', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, 1, '2025-01-03 00:00:00+00', '2025-01-03 00:00:00+00', true, false, false, 'änne', 'änne
anne@example.com
49152', 'anne
anne@example.com
49152');
INSERT INTO read_model.lead_profiles VALUES ('two', '49150', 'Bo', 'anne@example.com', NULL, 'Hot', 12, NULL, NULL, NULL, NULL, NULL, true, 'b8a9f715-dbb6-4fd5-c56e-7783c6820a61', 1, '2025-01-03 00:00:00+00', '2025-01-03 00:00:00+00', true, false, false, 'bo', 'bo
anne@example.com
49150', NULL);
INSERT INTO read_model.lead_profiles VALUES ('two', '49151', 'Änne', 'anne@example.com', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, 1, '2025-01-03 00:00:00+00', '2025-01-03 00:00:00+00', true, false, false, 'änne', 'änne
anne@example.com
49151', 'anne
anne@example.com
49151');
INSERT INTO read_model.lead_profiles VALUES ('two', '49152', 'Änne', 'anne@example.com', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, 1, '2025-01-03 00:00:00+00', '2025-01-03 00:00:00+00', true, false, false, 'änne', 'änne
anne@example.com
49152', 'anne
anne@example.com
49152');
INSERT INTO read_model.lead_totals VALUES ('one', 'all', '-infinity', 3, 1, 3, 1, 0, 0, 3, 0, 0, 3, 0, 0);
INSERT INTO read_model.lead_totals VALUES ('one', 'day', '2025-01-04 00:00:00+00', 3, 1, 3, 1, 0, 0, 3, 0, 0, 3, 0, 0);
INSERT INTO read_model.lead_totals VALUES ('one', 'hour', '2025-01-04 01:00:00+00', 1, 1, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_totals VALUES ('one', 'hour', '2025-01-04 02:00:00+00', 1, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_totals VALUES ('one', 'hour', '2025-01-04 03:00:00+00', 1, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_totals VALUES ('one', 'new_day', '2025-01-01 00:00:00+00', 3, 1, 3, 1, 0, 0, 3, 0, 0, 0, 0, 0);
INSERT INTO read_model.lead_totals VALUES ('one', 'new_hour', '2025-01-01 00:00:00+00', 3, 1, 3, 1, 0, 0, 3, 0, 0, 0, 0, 0);
INSERT INTO read_model.lead_totals VALUES ('two', 'all', '-infinity', 3, 1, 3, 1, 0, 0, 3, 0, 0, 3, 0, 0);
INSERT INTO read_model.lead_totals VALUES ('two', 'day', '2025-01-04 00:00:00+00', 3, 1, 3, 1, 0, 0, 3, 0, 0, 3, 0, 0);
INSERT INTO read_model.lead_totals VALUES ('two', 'hour', '2025-01-04 01:00:00+00', 1, 1, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_totals VALUES ('two', 'hour', '2025-01-04 02:00:00+00', 1, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_totals VALUES ('two', 'hour', '2025-01-04 03:00:00+00', 1, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_totals VALUES ('two', 'new_day', '2025-01-01 00:00:00+00', 3, 1, 3, 1, 0, 0, 3, 0, 0, 0, 0, 0);
INSERT INTO read_model.lead_totals VALUES ('two', 'new_hour', '2025-01-01 00:00:00+00', 3, 1, 3, 1, 0, 0, 3, 0, 0, 0, 0, 0);
INSERT INTO read_model.leads VALUES ('one', '49150', '2025-01-04 01:00:00+00', '2025-01-01 00:00:00+00', 1, 12, 'Hot', true, false, false, true, true, '{"customer_phone":"49150","name":"Bo","email":"anne@example.com","company":null,"lead_status":"Hot","total_score":12,"intent_score":null,"urgency_score":null,"budget_score":null,"fit_score":null,"engagement_score":null,"platforms":["whatsapp"],"conversation_count":1,"total_messages":1,"template_sends_count":1,"last_message_at":"2025-01-04T01:00:00.000Z","last_message_text":"text 1","last_message_sender":"user","first_contact_at":"2025-01-01T00:00:00.000Z","has_extraction":true,"extraction_id":"f97c5d29-941b-fb1b-2fda-b0874906ab82","conversations":[{"conversation_id":"one-0","agent_id":"agent-one","agent_name":"Ava","platform":"whatsapp","phone_number_id":"channel-one","message_count":1,"is_active":true,"created_at":"2025-01-01T00:00:00.000Z","last_message_at":"2025-01-04T01:00:00.000Z"}]}', 'user', true, 0);
INSERT INTO read_model.leads VALUES ('one', '49151', '2025-01-04 02:00:00+00', '2025-01-01 00:00:00+00', 2, NULL, NULL, true, false, false, false, true, '{"customer_phone":"49151","name":"Änne","email":"anne@example.com","company":null,"lead_status":null,"total_score":null,"intent_score":null,"urgency_score":null,"budget_score":null,"fit_score":null,"engagement_score":null,"platforms":["whatsapp"],"conversation_count":1,"total_messages":2,"template_sends_count":1,"last_message_at":"2025-01-04T02:00:00.000Z","last_message_text":"text 2","last_message_sender":"user","first_contact_at":"2025-01-01T00:00:00.000Z","has_extraction":false,"extraction_id":null,"conversations":[{"conversation_id":"one-1","agent_id":"agent-one","agent_name":"Ava","platform":"whatsapp","phone_number_id":"channel-one","message_count":2,"is_active":true,"created_at":"2025-01-01T00:00:00.000Z","last_message_at":"2025-01-04T02:00:00.000Z"}]}', 'user', true, 0);
INSERT INTO read_model.leads VALUES ('one', '49152', '2025-01-04 03:00:00+00', '2025-01-01 00:00:00+00', 3, NULL, NULL, true, false, false, false, true, '{"customer_phone":"49152","name":"Änne","email":"anne@example.com","company":null,"lead_status":null,"total_score":null,"intent_score":null,"urgency_score":null,"budget_score":null,"fit_score":null,"engagement_score":null,"platforms":["whatsapp"],"conversation_count":1,"total_messages":3,"template_sends_count":1,"last_message_at":"2025-01-04T03:00:00.000Z","last_message_text":"text 3","last_message_sender":"user","first_contact_at":"2025-01-01T00:00:00.000Z","has_extraction":false,"extraction_id":null,"conversations":[{"conversation_id":"one-2","agent_id":"agent-one","agent_name":"Ava","platform":"whatsapp","phone_number_id":"channel-one","message_count":3,"is_active":true,"created_at":"2025-01-01T00:00:00.000Z","last_message_at":"2025-01-04T03:00:00.000Z"}]}', 'user', true, 0);
INSERT INTO read_model.leads VALUES ('two', '49150', '2025-01-04 01:00:00+00', '2025-01-01 00:00:00+00', 1, 12, 'Hot', true, false, false, true, true, '{"customer_phone":"49150","name":"Bo","email":"anne@example.com","company":null,"lead_status":"Hot","total_score":12,"intent_score":null,"urgency_score":null,"budget_score":null,"fit_score":null,"engagement_score":null,"platforms":["whatsapp"],"conversation_count":1,"total_messages":1,"template_sends_count":1,"last_message_at":"2025-01-04T01:00:00.000Z","last_message_text":"text 1","last_message_sender":"user","first_contact_at":"2025-01-01T00:00:00.000Z","has_extraction":true,"extraction_id":"b8a9f715-dbb6-4fd5-c56e-7783c6820a61","conversations":[{"conversation_id":"two-0","agent_id":"agent-two","agent_name":"Ava","platform":"whatsapp","phone_number_id":"channel-two","message_count":1,"is_active":true,"created_at":"2025-01-01T00:00:00.000Z","last_message_at":"2025-01-04T01:00:00.000Z"}]}', 'user', true, 0);
INSERT INTO read_model.leads VALUES ('two', '49151', '2025-01-04 02:00:00+00', '2025-01-01 00:00:00+00', 2, NULL, NULL, true, false, false, false, true, '{"customer_phone":"49151","name":"Änne","email":"anne@example.com","company":null,"lead_status":null,"total_score":null,"intent_score":null,"urgency_score":null,"budget_score":null,"fit_score":null,"engagement_score":null,"platforms":["whatsapp"],"conversation_count":1,"total_messages":2,"template_sends_count":1,"last_message_at":"2025-01-04T02:00:00.000Z","last_message_text":"text 2","last_message_sender":"user","first_contact_at":"2025-01-01T00:00:00.000Z","has_extraction":false,"extraction_id":null,"conversations":[{"conversation_id":"two-1","agent_id":"agent-two","agent_name":"Ava","platform":"whatsapp","phone_number_id":"channel-two","message_count":2,"is_active":true,"created_at":"2025-01-01T00:00:00.000Z","last_message_at":"2025-01-04T02:00:00.000Z"}]}', 'user', true, 0);
INSERT INTO read_model.leads VALUES ('two', '49152', '2025-01-04 03:00:00+00', '2025-01-01 00:00:00+00', 3, NULL, NULL, true, false, false, false, true, '{"customer_phone":"49152","name":"Änne","email":"anne@example.com","company":null,"lead_status":null,"total_score":null,"intent_score":null,"urgency_score":null,"budget_score":null,"fit_score":null,"engagement_score":null,"platforms":["whatsapp"],"conversation_count":1,"total_messages":3,"template_sends_count":1,"last_message_at":"2025-01-04T03:00:00.000Z","last_message_text":"text 3","last_message_sender":"user","first_contact_at":"2025-01-01T00:00:00.000Z","has_extraction":false,"extraction_id":null,"conversations":[{"conversation_id":"two-2","agent_id":"agent-two","agent_name":"Ava","platform":"whatsapp","phone_number_id":"channel-two","message_count":3,"is_active":true,"created_at":"2025-01-01T00:00:00.000Z","last_message_at":"2025-01-04T03:00:00.000Z"}]}', 'user', true, 0);
INSERT INTO read_model.projection VALUES (true, '1fc535ced220', '2026-11-27 19:31:55.464587+00', NULL, NULL, NULL, 0, 0, 'dd27c446-d3eb-4fca-9e23-9d4f79710844', NULL);
INSERT INTO read_model.tenants VALUES ('one', 1, 0, 'ed690363-4110-4891-8c1c-e59658d5c633', 'd26548e2-2e68-4150-8da3-6d8ca56ea483', 0);
INSERT INTO read_model.tenants VALUES ('two', 1, 1, '62595192-ea62-4165-8366-5d9bcc970c13', 'e85ab670-3c12-48ff-a007-c72b0709393c', 0);
SELECT pg_catalog.setval('projector.capture_gaps_gap_id_seq', 1, false);
SELECT pg_catalog.setval('projector.changes_change_id_seq', 42, true);
SELECT pg_catalog.setval('projector.drift_drift_id_seq', 1, false);
SELECT pg_catalog.setval('projector.runs_run_id_seq', 2, true);
SELECT pg_catalog.setval('projector.verify_rounds_round_id_seq', 1, false);
ALTER TABLE ONLY leads_access.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (prefix);
ALTER TABLE ONLY projector.capture_columns
    ADD CONSTRAINT capture_columns_pkey PRIMARY KEY (table_name, column_name);
ALTER TABLE ONLY projector.capture_gaps
    ADD CONSTRAINT capture_gaps_pkey PRIMARY KEY (gap_id);
ALTER TABLE ONLY projector.capture_partitions
    ADD CONSTRAINT capture_partitions_pkey PRIMARY KEY (partition_id);
ALTER TABLE ONLY projector.capture_triggers
    ADD CONSTRAINT capture_triggers_pkey PRIMARY KEY (table_name, trigger_name);
ALTER TABLE ONLY projector.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (kind, key);
ALTER TABLE ONLY projector.drift
    ADD CONSTRAINT drift_pkey PRIMARY KEY (drift_id);
ALTER TABLE ONLY projector.erasures
    ADD CONSTRAINT erasures_pkey PRIMARY KEY (erasure_id);
ALTER TABLE ONLY projector.left_out
    ADD CONSTRAINT left_out_pkey PRIMARY KEY (table_name);
ALTER TABLE ONLY projector.origin
    ADD CONSTRAINT origin_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY projector.rebuild_plan
    ADD CONSTRAINT rebuild_plan_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY projector.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (run_id);
ALTER TABLE ONLY projector.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (name);
ALTER TABLE ONLY projector.source_keys
    ADD CONSTRAINT source_keys_pkey PRIMARY KEY (kind, key);
ALTER TABLE ONLY projector.source_tables
    ADD CONSTRAINT source_tables_pkey PRIMARY KEY (table_name);
ALTER TABLE ONLY projector.verify_left_out
    ADD CONSTRAINT verify_left_out_pkey PRIMARY KEY (kind, user_id, customer_phone, key);
ALTER TABLE ONLY projector.verify_rounds
    ADD CONSTRAINT verify_rounds_pkey PRIMARY KEY (round_id);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_phone_number_id_key UNIQUE (phone_number_id);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_pkey PRIMARY KEY (agent_id);
ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_pkey PRIMARY KEY (contact_id);
ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_user_id_phone_key UNIQUE (user_id, phone);
ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_agent_id_customer_phone_is_active_key UNIQUE (agent_id, customer_phone, is_active);
ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_pkey PRIMARY KEY (conversation_id);
ALTER TABLE ONLY public.extractions
    ADD CONSTRAINT extractions_pkey PRIMARY KEY (extraction_id);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_conversation_id_sequence_no_key UNIQUE (conversation_id, sequence_no);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (message_id);
ALTER TABLE ONLY public.phone_numbers
    ADD CONSTRAINT phone_numbers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.template_sends
    ADD CONSTRAINT template_sends_pkey PRIMARY KEY (send_id);
ALTER TABLE ONLY public.templates
    ADD CONSTRAINT templates_pkey PRIMARY KEY (template_id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY read_model.freshness
    ADD CONSTRAINT freshness_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY read_model.lead_conversations
    ADD CONSTRAINT lead_conversations_pkey PRIMARY KEY (user_id, customer_phone, conversation_id);
ALTER TABLE ONLY read_model.lead_messages
    ADD CONSTRAINT lead_messages_pkey PRIMARY KEY (user_id, message_id);
ALTER TABLE ONLY read_model.lead_profiles
    ADD CONSTRAINT lead_profiles_pkey PRIMARY KEY (user_id, customer_phone);
ALTER TABLE ONLY read_model.lead_tombstones
    ADD CONSTRAINT lead_tombstones_pkey PRIMARY KEY (user_id, customer_phone);
ALTER TABLE ONLY read_model.lead_totals
    ADD CONSTRAINT lead_totals_pkey PRIMARY KEY (user_id, granularity, bucket_start);
ALTER TABLE ONLY read_model.leads
    ADD CONSTRAINT leads_pkey PRIMARY KEY (user_id, customer_phone) INCLUDE (last_message_at, first_contact_at, total_messages, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email);
ALTER TABLE ONLY read_model.projection
    ADD CONSTRAINT projection_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY read_model.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (user_id);
CREATE INDEX changes_in_order ON projector.changes USING btree (shard, bulk, change_id);
CREATE UNIQUE INDEX drift_open ON projector.drift USING btree (kind, user_id, customer_phone, key) WHERE (ended_at IS NULL);
CREATE INDEX noted_keys_by_key ON projector.noted_keys USING btree (kind, key);
CREATE INDEX runs_but_refreshes ON projector.runs USING btree (kind, run_id) WHERE (kind <> 'refresh'::text);
CREATE INDEX runs_by_started_at ON projector.runs USING btree (started_at);
CREATE INDEX source_keys_of_lead ON projector.source_keys USING btree (user_id, customer_phone, kind);
CREATE UNIQUE INDEX verify_rounds_present ON projector.verify_rounds USING btree (((finished_at IS NULL))) WHERE (finished_at IS NULL);
CREATE INDEX extractions_conversation_id_idx ON public.extractions USING btree (conversation_id);
CREATE INDEX template_sends_conversation_id_idx ON public.template_sends USING btree (conversation_id);
CREATE INDEX template_sends_template_id_idx ON public.template_sends USING btree (template_id);
CREATE INDEX templates_phone_number_id_idx ON public.templates USING btree (phone_number_id);
CREATE INDEX lead_conversations_by_activity ON read_model.lead_conversations USING btree (user_id, is_active, customer_phone);
CREATE INDEX lead_conversations_by_agent ON read_model.lead_conversations USING btree (user_id, agent_id, customer_phone);
CREATE INDEX lead_conversations_by_phone_number ON read_model.lead_conversations USING btree (user_id, phone_number_id, customer_phone);
CREATE UNIQUE INDEX lead_counts_key ON read_model.lead_counts USING btree (user_id, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX lead_daily_counts_key ON read_model.lead_daily_counts USING btree (user_id, day, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email) NULLS NOT DISTINCT;
CREATE INDEX lead_messages_in_order ON read_model.lead_messages USING btree (user_id, customer_phone, sent_at);
CREATE INDEX lead_profiles_by_name ON read_model.lead_profiles USING btree (user_id, name_key, customer_phone);
CREATE INDEX lead_profiles_by_search_plain ON read_model.lead_profiles USING gin (user_id, search_plain public.gin_trgm_ops) WHERE (search_plain IS NOT NULL);
CREATE INDEX lead_profiles_by_search_text ON read_model.lead_profiles USING gin (user_id, search_text public.gin_trgm_ops);
CREATE INDEX lead_profiles_by_total_score ON read_model.lead_profiles USING btree (user_id, total_score, customer_phone);
CREATE INDEX lead_tombstones_by_deleted_at ON read_model.lead_tombstones USING btree (deleted_at);
CREATE INDEX lead_tombstones_by_version ON read_model.lead_tombstones USING btree (user_id, version, customer_phone);
CREATE INDEX leads_by_first_contact_at ON read_model.leads USING btree (user_id, first_contact_at, customer_phone);
CREATE INDEX leads_by_last_message_at ON read_model.leads USING btree (user_id, last_message_at DESC NULLS LAST, customer_phone DESC) INCLUDE (lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email, last_message_sender, has_conversation);
CREATE INDEX leads_by_total_messages ON read_model.leads USING btree (user_id, total_messages, customer_phone);
CREATE INDEX leads_by_version ON read_model.leads USING btree (user_id, version, customer_phone);
CREATE INDEX leads_without_conversation ON read_model.leads USING btree (user_id, last_message_at DESC NULLS LAST, customer_phone DESC) WHERE (NOT has_conversation);
CREATE TRIGGER leads_capture_delete AFTER DELETE ON public.agents REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_agents();
CREATE TRIGGER leads_capture_delete AFTER DELETE ON public.contacts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_contacts();
CREATE TRIGGER leads_capture_delete AFTER DELETE ON public.conversations REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_conversations();
CREATE TRIGGER leads_capture_delete AFTER DELETE ON public.extractions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_extractions();
CREATE TRIGGER leads_capture_delete AFTER DELETE ON public.messages REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_messages();
CREATE TRIGGER leads_capture_delete AFTER DELETE ON public.phone_numbers REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_phone_numbers();
CREATE TRIGGER leads_capture_delete AFTER DELETE ON public.template_sends REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_template_sends();
CREATE TRIGGER leads_capture_delete AFTER DELETE ON public.templates REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_templates();
CREATE TRIGGER leads_capture_insert AFTER INSERT ON public.agents REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_agents();
CREATE TRIGGER leads_capture_insert AFTER INSERT ON public.contacts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_contacts();
CREATE TRIGGER leads_capture_insert AFTER INSERT ON public.conversations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_conversations();
CREATE TRIGGER leads_capture_insert AFTER INSERT ON public.extractions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_extractions();
CREATE TRIGGER leads_capture_insert AFTER INSERT ON public.messages REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_messages();
CREATE TRIGGER leads_capture_insert AFTER INSERT ON public.phone_numbers REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_phone_numbers();
CREATE TRIGGER leads_capture_insert AFTER INSERT ON public.template_sends REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_template_sends();
CREATE TRIGGER leads_capture_insert AFTER INSERT ON public.templates REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_templates();
CREATE TRIGGER leads_capture_replica AFTER INSERT OR DELETE OR UPDATE ON public.agents FOR EACH ROW EXECUTE FUNCTION projector.capture_agents();
ALTER TABLE public.agents ENABLE REPLICA TRIGGER leads_capture_replica;
CREATE TRIGGER leads_capture_replica AFTER INSERT OR DELETE OR UPDATE ON public.contacts FOR EACH ROW EXECUTE FUNCTION projector.capture_contacts();
ALTER TABLE public.contacts ENABLE REPLICA TRIGGER leads_capture_replica;
CREATE TRIGGER leads_capture_replica AFTER INSERT OR DELETE OR UPDATE ON public.conversations FOR EACH ROW EXECUTE FUNCTION projector.capture_conversations();
ALTER TABLE public.conversations ENABLE REPLICA TRIGGER leads_capture_replica;
CREATE TRIGGER leads_capture_replica AFTER INSERT OR DELETE OR UPDATE ON public.extractions FOR EACH ROW EXECUTE FUNCTION projector.capture_extractions();
ALTER TABLE public.extractions ENABLE REPLICA TRIGGER leads_capture_replica;
CREATE TRIGGER leads_capture_replica AFTER INSERT OR DELETE OR UPDATE ON public.messages FOR EACH ROW EXECUTE FUNCTION projector.capture_messages();
ALTER TABLE public.messages ENABLE REPLICA TRIGGER leads_capture_replica;
CREATE TRIGGER leads_capture_replica AFTER INSERT OR DELETE OR UPDATE ON public.phone_numbers FOR EACH ROW EXECUTE FUNCTION projector.capture_phone_numbers();
ALTER TABLE public.phone_numbers ENABLE REPLICA TRIGGER leads_capture_replica;
CREATE TRIGGER leads_capture_replica AFTER INSERT OR DELETE OR UPDATE ON public.template_sends FOR EACH ROW EXECUTE FUNCTION projector.capture_template_sends();
ALTER TABLE public.template_sends ENABLE REPLICA TRIGGER leads_capture_replica;
CREATE TRIGGER leads_capture_replica AFTER INSERT OR DELETE OR UPDATE ON public.templates FOR EACH ROW EXECUTE FUNCTION projector.capture_templates();
ALTER TABLE public.templates ENABLE REPLICA TRIGGER leads_capture_replica;
CREATE TRIGGER leads_capture_truncate AFTER TRUNCATE ON public.agents FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_agents();
ALTER TABLE public.agents ENABLE ALWAYS TRIGGER leads_capture_truncate;
CREATE TRIGGER leads_capture_truncate AFTER TRUNCATE ON public.contacts FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_contacts();
ALTER TABLE public.contacts ENABLE ALWAYS TRIGGER leads_capture_truncate;
CREATE TRIGGER leads_capture_truncate AFTER TRUNCATE ON public.conversations FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_conversations();
ALTER TABLE public.conversations ENABLE ALWAYS TRIGGER leads_capture_truncate;
CREATE TRIGGER leads_capture_truncate AFTER TRUNCATE ON public.extractions FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_extractions();
ALTER TABLE public.extractions ENABLE ALWAYS TRIGGER leads_capture_truncate;
CREATE TRIGGER leads_capture_truncate AFTER TRUNCATE ON public.messages FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_messages();
ALTER TABLE public.messages ENABLE ALWAYS TRIGGER leads_capture_truncate;
CREATE TRIGGER leads_capture_truncate AFTER TRUNCATE ON public.phone_numbers FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_phone_numbers();
ALTER TABLE public.phone_numbers ENABLE ALWAYS TRIGGER leads_capture_truncate;
CREATE TRIGGER leads_capture_truncate AFTER TRUNCATE ON public.template_sends FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_template_sends();
ALTER TABLE public.template_sends ENABLE ALWAYS TRIGGER leads_capture_truncate;
CREATE TRIGGER leads_capture_truncate AFTER TRUNCATE ON public.templates FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_templates();
ALTER TABLE public.templates ENABLE ALWAYS TRIGGER leads_capture_truncate;
CREATE TRIGGER leads_capture_update AFTER UPDATE ON public.agents REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_agents();
CREATE TRIGGER leads_capture_update AFTER UPDATE ON public.contacts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_contacts();
CREATE TRIGGER leads_capture_update AFTER UPDATE ON public.conversations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_conversations();
CREATE TRIGGER leads_capture_update AFTER UPDATE ON public.extractions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_extractions();
CREATE TRIGGER leads_capture_update AFTER UPDATE ON public.messages REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_messages();
CREATE TRIGGER leads_capture_update AFTER UPDATE ON public.phone_numbers REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_phone_numbers();
CREATE TRIGGER leads_capture_update AFTER UPDATE ON public.template_sends REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_template_sends();
CREATE TRIGGER leads_capture_update AFTER UPDATE ON public.templates REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION projector.capture_templates();
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_phone_number_id_fkey FOREIGN KEY (phone_number_id) REFERENCES public.phone_numbers(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(agent_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.extractions
    ADD CONSTRAINT extractions_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(conversation_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(conversation_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.phone_numbers
    ADD CONSTRAINT phone_numbers_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.template_sends
    ADD CONSTRAINT template_sends_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversations(conversation_id) ON DELETE SET NULL;
ALTER TABLE ONLY public.template_sends
    ADD CONSTRAINT template_sends_template_id_fkey FOREIGN KEY (template_id) REFERENCES public.templates(template_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.templates
    ADD CONSTRAINT templates_phone_number_id_fkey FOREIGN KEY (phone_number_id) REFERENCES public.phone_numbers(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.templates
    ADD CONSTRAINT templates_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(user_id) ON DELETE CASCADE;
CREATE POLICY all_rows ON read_model.lead_conversations USING (true);
CREATE POLICY all_rows ON read_model.lead_counts USING (true);
CREATE POLICY all_rows ON read_model.lead_daily_counts USING (true);
CREATE POLICY all_rows ON read_model.lead_messages USING (true);
CREATE POLICY all_rows ON read_model.lead_profiles USING (true);
CREATE POLICY all_rows ON read_model.lead_tombstones USING (true);
CREATE POLICY all_rows ON read_model.lead_totals USING (true);
CREATE POLICY all_rows ON read_model.leads USING (true);
CREATE POLICY all_rows ON read_model.tenants USING (true);
ALTER TABLE read_model.lead_conversations ENABLE ROW LEVEL SECURITY;
ALTER TABLE read_model.lead_counts ENABLE ROW LEVEL SECURITY;
ALTER TABLE read_model.lead_daily_counts ENABLE ROW LEVEL SECURITY;
ALTER TABLE read_model.lead_messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE read_model.lead_profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE read_model.lead_tombstones ENABLE ROW LEVEL SECURITY;
ALTER TABLE read_model.lead_totals ENABLE ROW LEVEL SECURITY;
ALTER TABLE read_model.leads ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON read_model.lead_conversations AS RESTRICTIVE TO leads_api USING ((user_id = current_setting('leads.user_id'::text, true)));
CREATE POLICY one_tenant ON read_model.lead_counts AS RESTRICTIVE TO leads_api USING ((user_id = current_setting('leads.user_id'::text, true)));
CREATE POLICY one_tenant ON read_model.lead_daily_counts AS RESTRICTIVE TO leads_api USING ((user_id = current_setting('leads.user_id'::text, true)));
CREATE POLICY one_tenant ON read_model.lead_messages AS RESTRICTIVE TO leads_api USING ((user_id = current_setting('leads.user_id'::text, true)));
CREATE POLICY one_tenant ON read_model.lead_profiles AS RESTRICTIVE TO leads_api USING ((user_id = current_setting('leads.user_id'::text, true)));
CREATE POLICY one_tenant ON read_model.lead_tombstones AS RESTRICTIVE TO leads_api USING ((user_id = current_setting('leads.user_id'::text, true)));
CREATE POLICY one_tenant ON read_model.lead_totals AS RESTRICTIVE TO leads_api USING ((user_id = current_setting('leads.user_id'::text, true)));
CREATE POLICY one_tenant ON read_model.leads AS RESTRICTIVE TO leads_api USING ((user_id = current_setting('leads.user_id'::text, true)));
CREATE POLICY one_tenant ON read_model.tenants AS RESTRICTIVE TO leads_api USING ((user_id = current_setting('leads.user_id'::text, true)));
ALTER TABLE read_model.tenants ENABLE ROW LEVEL SECURITY;
GRANT USAGE ON SCHEMA leads_access TO leads_api;
GRANT USAGE ON SCHEMA leads_sql TO leads_reader;
GRANT USAGE ON SCHEMA read_model TO leads_api;
REVOKE ALL ON FUNCTION projector.capture_agents() FROM PUBLIC;
REVOKE ALL ON FUNCTION projector.capture_contacts() FROM PUBLIC;
REVOKE ALL ON FUNCTION projector.capture_conversations() FROM PUBLIC;
REVOKE ALL ON FUNCTION projector.capture_extractions() FROM PUBLIC;
REVOKE ALL ON FUNCTION projector.capture_messages() FROM PUBLIC;
REVOKE ALL ON FUNCTION projector.capture_phone_numbers() FROM PUBLIC;
REVOKE ALL ON FUNCTION projector.capture_template_sends() FROM PUBLIC;
REVOKE ALL ON FUNCTION projector.capture_templates() FROM PUBLIC;
REVOKE ALL ON FUNCTION projector.queue_keys(change_kind text, changed_keys text[], changed_ids text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION projector.read_keys(old_row jsonb, new_row jsonb, column_name text) FROM PUBLIC;
GRANT SELECT ON TABLE leads_access.api_keys TO leads_api;
GRANT SELECT ON TABLE read_model.lead_conversations TO leads_api;
GRANT SELECT ON TABLE leads_sql.conversations TO leads_reader;
GRANT SELECT ON TABLE read_model.leads TO leads_api;
GRANT SELECT ON TABLE leads_sql.leads TO leads_reader;
GRANT SELECT ON TABLE read_model.lead_messages TO leads_api;
GRANT SELECT ON TABLE leads_sql.messages TO leads_reader;
GRANT SELECT ON TABLE read_model.lead_totals TO leads_api;
GRANT SELECT ON TABLE leads_sql.statistics_by_day TO leads_reader;
GRANT SELECT ON TABLE read_model.freshness TO leads_api;
GRANT SELECT ON TABLE read_model.lead_counts TO leads_api;
GRANT SELECT ON TABLE read_model.lead_daily_counts TO leads_api;
GRANT SELECT ON TABLE read_model.lead_profiles_of_tenant TO leads_api;
GRANT SELECT ON TABLE read_model.lead_tombstones TO leads_api;
GRANT SELECT ON TABLE read_model.projection TO leads_api;
GRANT SELECT ON TABLE read_model.place_of_versions TO leads_api;
GRANT SELECT ON TABLE read_model.row_security TO leads_api;
GRANT SELECT ON TABLE read_model.tenants TO leads_api;
GRANT SELECT ON TABLE read_model.tenant_ids TO leads_api;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA read_model GRANT SELECT ON TABLES  TO leads_api;
