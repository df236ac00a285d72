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
CREATE SCHEMA projector;
COMMENT ON SCHEMA projector IS 'The projector''s own state: it stays beside the source tables, wherever the read model goes.';
CREATE SCHEMA read_model;
COMMENT ON SCHEMA read_model IS 'What the API reads: written by the projector only, every table keyed by its tenant.';
CREATE SCHEMA read_model_next;
CREATE SCHEMA read_model_old;
CREATE EXTENSION IF NOT EXISTS btree_gin WITH SCHEMA public;
COMMENT ON EXTENSION btree_gin IS 'support for indexing common datatypes in GIN';
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
COMMENT ON EXTENSION pg_trgm IS 'text similarity measurement and index searching based on trigrams';
CREATE FUNCTION projector.begin_again() RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'another refresh has moved a row to a tenant that is not locked here' USING ERRCODE = '40001';
END
$$;
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
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT projector.shard_of(n."agent_id"::text), 'agents', ARRAY[n."agent_id"::text]
            FROM new_rows AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                projector.shard_of(o."agent_id"::text),
                'agents',
                CASE
                    WHEN o."agent_id" = n."agent_id" THEN ARRAY[o."agent_id"::text]
                    ELSE ARRAY[o."agent_id"::text, n."agent_id"::text]
                END
            FROM old_rows AS o
            CROSS JOIN new_rows AS n
            WHERE ROW(o."agent_id", o."user_id", o."phone_number_id", o."name")::record *<> ROW(n."agent_id", n."user_id", n."phone_number_id", n."name")::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['agents']);
        RETURN NULL;
    ELSE
        IF TG_OP = 'INSERT' THEN
            PERFORM projector.queue_keys('agents', ARRAY[NEW."agent_id"::text]);
        ELSIF TG_OP = 'DELETE' THEN
            PERFORM projector.queue_keys('agents', ARRAY[OLD."agent_id"::text]);
        ELSIF ROW(OLD."agent_id", OLD."user_id", OLD."phone_number_id", OLD."name")::record *<> ROW(NEW."agent_id", NEW."user_id", NEW."phone_number_id", NEW."name")::record THEN
            PERFORM projector.queue_keys('agents', ARRAY[OLD."agent_id"::text, NEW."agent_id"::text]);
        END IF;
        RETURN NULL;
    END IF;
    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'agents', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                n."agent_id"::text AS key,
                (hashtext(coalesce(n."agent_id", '')) & 2147483647) % pieces AS bucket
            FROM new_rows AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'agents', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                o."agent_id"::text AS key,
                (hashtext(coalesce(o."agent_id", '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'agents', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                either.key::text AS key,
                (hashtext(coalesce(either.key, '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
            FULL JOIN new_rows AS n ON n."agent_id" = o."agent_id"
            CROSS JOIN LATERAL (VALUES (o."agent_id"), (n."agent_id")) AS either (key)
            WHERE either.key IS NOT NULL AND ROW(o."agent_id", o."user_id", o."phone_number_id", o."name")::record *<> ROW(n."agent_id", n."user_id", n."phone_number_id", n."name")::record
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
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT projector.shard_of(n."contact_id"::text), 'contacts', ARRAY[n."contact_id"::text]
            FROM new_rows AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                projector.shard_of(o."contact_id"::text),
                'contacts',
                CASE
                    WHEN o."contact_id" = n."contact_id" THEN ARRAY[o."contact_id"::text]
                    ELSE ARRAY[o."contact_id"::text, n."contact_id"::text]
                END
            FROM old_rows AS o
            CROSS JOIN new_rows AS n
            WHERE ROW(o."contact_id", o."user_id", o."phone", o."name", o."email", o."company", o."updated_at")::record *<> ROW(n."contact_id", n."user_id", n."phone", n."name", n."email", n."company", n."updated_at")::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['contacts']);
        RETURN NULL;
    ELSE
        IF TG_OP = 'INSERT' THEN
            PERFORM projector.queue_keys('contacts', ARRAY[NEW."contact_id"::text]);
        ELSIF TG_OP = 'DELETE' THEN
            PERFORM projector.queue_keys('contacts', ARRAY[OLD."contact_id"::text]);
        ELSIF ROW(OLD."contact_id", OLD."user_id", OLD."phone", OLD."name", OLD."email", OLD."company", OLD."updated_at")::record *<> ROW(NEW."contact_id", NEW."user_id", NEW."phone", NEW."name", NEW."email", NEW."company", NEW."updated_at")::record THEN
            PERFORM projector.queue_keys('contacts', ARRAY[OLD."contact_id"::text, NEW."contact_id"::text]);
        END IF;
        RETURN NULL;
    END IF;
    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'contacts', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                n."contact_id"::text AS key,
                (hashtext(coalesce(n."contact_id", '')) & 2147483647) % pieces AS bucket
            FROM new_rows AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'contacts', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                o."contact_id"::text AS key,
                (hashtext(coalesce(o."contact_id", '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'contacts', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                either.key::text AS key,
                (hashtext(coalesce(either.key, '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
            FULL JOIN new_rows AS n ON n."contact_id" = o."contact_id"
            CROSS JOIN LATERAL (VALUES (o."contact_id"), (n."contact_id")) AS either (key)
            WHERE either.key IS NOT NULL AND ROW(o."contact_id", o."user_id", o."phone", o."name", o."email", o."company", o."updated_at")::record *<> ROW(n."contact_id", n."user_id", n."phone", n."name", n."email", n."company", n."updated_at")::record
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
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT projector.shard_of(n."conversation_id"::text), 'conversations', ARRAY[n."conversation_id"::text]
            FROM new_rows AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                projector.shard_of(o."conversation_id"::text),
                'conversations',
                CASE
                    WHEN o."conversation_id" = n."conversation_id" THEN ARRAY[o."conversation_id"::text]
                    ELSE ARRAY[o."conversation_id"::text, n."conversation_id"::text]
                END
            FROM old_rows AS o
            CROSS JOIN new_rows AS n
            WHERE ROW(o."conversation_id", o."agent_id", o."customer_phone", o."created_at", o."last_message_at", o."is_active")::record *<> ROW(n."conversation_id", n."agent_id", n."customer_phone", n."created_at", n."last_message_at", n."is_active")::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['conversations']);
        RETURN NULL;
    ELSE
        IF TG_OP = 'INSERT' THEN
            PERFORM projector.queue_keys('conversations', ARRAY[NEW."conversation_id"::text]);
        ELSIF TG_OP = 'DELETE' THEN
            PERFORM projector.queue_keys('conversations', ARRAY[OLD."conversation_id"::text]);
        ELSIF ROW(OLD."conversation_id", OLD."agent_id", OLD."customer_phone", OLD."created_at", OLD."last_message_at", OLD."is_active")::record *<> ROW(NEW."conversation_id", NEW."agent_id", NEW."customer_phone", NEW."created_at", NEW."last_message_at", NEW."is_active")::record THEN
            PERFORM projector.queue_keys('conversations', ARRAY[OLD."conversation_id"::text, NEW."conversation_id"::text]);
        END IF;
        RETURN NULL;
    END IF;
    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'conversations', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                n."conversation_id"::text AS key,
                (hashtext(coalesce(n."conversation_id", '')) & 2147483647) % pieces AS bucket
            FROM new_rows AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'conversations', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                o."conversation_id"::text AS key,
                (hashtext(coalesce(o."conversation_id", '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'conversations', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                either.key::text AS key,
                (hashtext(coalesce(either.key, '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
            FULL JOIN new_rows AS n ON n."conversation_id" = o."conversation_id"
            CROSS JOIN LATERAL (VALUES (o."conversation_id"), (n."conversation_id")) AS either (key)
            WHERE either.key IS NOT NULL AND ROW(o."conversation_id", o."agent_id", o."customer_phone", o."created_at", o."last_message_at", o."is_active")::record *<> ROW(n."conversation_id", n."agent_id", n."customer_phone", n."created_at", n."last_message_at", n."is_active")::record
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
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT projector.shard_of(n."conversation_id"::text), 'extractions', ARRAY[n."conversation_id"::text]
            FROM new_rows AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                projector.shard_of(o."conversation_id"::text),
                'extractions',
                CASE
                    WHEN o."conversation_id" = n."conversation_id" THEN ARRAY[o."conversation_id"::text]
                    ELSE ARRAY[o."conversation_id"::text, n."conversation_id"::text]
                END
            FROM old_rows AS o
            CROSS JOIN new_rows AS n
            WHERE ROW(o."extraction_id", o."conversation_id", o."extracted_at", o."is_latest", o."name", o."email", o."company", o."intent_score", o."urgency_score", o."budget_score", o."fit_score", o."engagement_score", o."total_score", o."lead_status_tag")::record *<> ROW(n."extraction_id", n."conversation_id", n."extracted_at", n."is_latest", n."name", n."email", n."company", n."intent_score", n."urgency_score", n."budget_score", n."fit_score", n."engagement_score", n."total_score", n."lead_status_tag")::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['extractions']);
        RETURN NULL;
    ELSE
        IF TG_OP = 'INSERT' THEN
            PERFORM projector.queue_keys('extractions', ARRAY[NEW."conversation_id"::text]);
        ELSIF TG_OP = 'DELETE' THEN
            PERFORM projector.queue_keys('extractions', ARRAY[OLD."conversation_id"::text]);
        ELSIF ROW(OLD."extraction_id", OLD."conversation_id", OLD."extracted_at", OLD."is_latest", OLD."name", OLD."email", OLD."company", OLD."intent_score", OLD."urgency_score", OLD."budget_score", OLD."fit_score", OLD."engagement_score", OLD."total_score", OLD."lead_status_tag")::record *<> ROW(NEW."extraction_id", NEW."conversation_id", NEW."extracted_at", NEW."is_latest", NEW."name", NEW."email", NEW."company", NEW."intent_score", NEW."urgency_score", NEW."budget_score", NEW."fit_score", NEW."engagement_score", NEW."total_score", NEW."lead_status_tag")::record THEN
            PERFORM projector.queue_keys('extractions', ARRAY[OLD."conversation_id"::text, NEW."conversation_id"::text]);
        END IF;
        RETURN NULL;
    END IF;
    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'extractions', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                n."conversation_id"::text AS key,
                (hashtext(coalesce(n."conversation_id", '')) & 2147483647) % pieces AS bucket
            FROM new_rows AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'extractions', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                o."conversation_id"::text AS key,
                (hashtext(coalesce(o."conversation_id", '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'extractions', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                either.key::text AS key,
                (hashtext(coalesce(either.key, '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
            FULL JOIN new_rows AS n ON n."extraction_id" = o."extraction_id"
            CROSS JOIN LATERAL (VALUES (o."conversation_id"), (n."conversation_id")) AS either (key)
            WHERE either.key IS NOT NULL AND ROW(o."extraction_id", o."conversation_id", o."extracted_at", o."is_latest", o."name", o."email", o."company", o."intent_score", o."urgency_score", o."budget_score", o."fit_score", o."engagement_score", o."total_score", o."lead_status_tag")::record *<> ROW(n."extraction_id", n."conversation_id", n."extracted_at", n."is_latest", n."name", n."email", n."company", n."intent_score", n."urgency_score", n."budget_score", n."fit_score", n."engagement_score", n."total_score", n."lead_status_tag")::record
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
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys, message_ids)
            SELECT projector.shard_of(n.conversation_id), 'messages', ARRAY[n.conversation_id], ARRAY[n.message_id]
            FROM new_rows AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys, message_ids)
            SELECT
                projector.shard_of(o.conversation_id),
                'messages',
                CASE
                    WHEN o.conversation_id = n.conversation_id THEN ARRAY[o.conversation_id]
                    ELSE ARRAY[o.conversation_id, n.conversation_id]
                END,
                CASE
                    WHEN o.message_id = n.message_id THEN ARRAY[o.message_id]
                    ELSE ARRAY[o.message_id, n.message_id]
                END
            FROM old_rows AS o
            CROSS JOIN new_rows AS n
            WHERE ROW(o.message_id, o.conversation_id, o.sender, o.text, o.timestamp, o.status, o.sequence_no)::record
                *<>
                ROW(n.message_id, n.conversation_id, n.sender, n.text, n.timestamp, n.status, n.sequence_no)::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['messages']);
        RETURN NULL;
    ELSE
        IF TG_OP = 'INSERT' THEN
            PERFORM projector.queue_keys(
                'messages', ARRAY[NEW.conversation_id::text], ARRAY[NEW.message_id::text]
            );
        ELSIF TG_OP = 'DELETE' THEN
            PERFORM projector.queue_keys(
                'messages', ARRAY[OLD.conversation_id::text], ARRAY[OLD.message_id::text]
            );
        ELSIF ROW(OLD.message_id, OLD.conversation_id, OLD.sender, OLD.text, OLD.timestamp, OLD.status, OLD.sequence_no)::record
            *<>
            ROW(NEW.message_id, NEW.conversation_id, NEW.sender, NEW.text, NEW.timestamp, NEW.status, NEW.sequence_no)::record
        THEN
            PERFORM projector.queue_keys(
                'messages',
                ARRAY[OLD.conversation_id::text, NEW.conversation_id::text],
                ARRAY[OLD.message_id::text, NEW.message_id::text]
            );
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
                (cut.bucket & 3)::smallint,
                true,
                'messages',
                array_agg(DISTINCT cut.conversation_id::text),
                array_agg(cut.message_id::text)
            FROM (
                SELECT
                    hashed.*,
                    (row_number() OVER (PARTITION BY hashed.bucket) - 1) / 1000 AS part
                FROM (
                    SELECT
                        changed.conversation_id,
                        changed.message_id,
                        (hashtext(coalesce(changed.conversation_id, '')) & 2147483647) %% %s AS bucket
                    FROM (%s) AS changed
                ) AS hashed
            ) AS cut
            GROUP BY cut.bucket, cut.part
            $query$,
            pieces,
            CASE TG_OP
                WHEN 'INSERT' THEN 'SELECT conversation_id, message_id FROM new_rows'
                WHEN 'DELETE' THEN 'SELECT conversation_id, message_id FROM old_rows'
                ELSE
                    'SELECT either.conversation_id, either.message_id'
                    ' FROM old_rows AS o FULL JOIN new_rows AS n ON n.message_id = o.message_id'
                    ' CROSS JOIN LATERAL (SELECT o.conversation_id, o.message_id WHERE o.message_id IS NOT NULL'
                    ' UNION SELECT n.conversation_id, n.message_id WHERE n.message_id IS NOT NULL) AS either'
                    ' WHERE ROW(o.message_id, o.conversation_id, o.sender, o.text, o.timestamp, o.status, o.sequence_no)::record'
                    ' *<>'
                    ' ROW(n.message_id, n.conversation_id, n.sender, n.text, n.timestamp, n.status, n.sequence_no)::record'
            END
        );
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids)
        SELECT
            (hashed.bucket & 3)::smallint,
            changed_rows > 100,
            'messages',
            array_agg(DISTINCT hashed.conversation_id),
            array_agg(hashed.message_id)
        FROM (
            SELECT
                n.conversation_id::text AS conversation_id,
                n.message_id::text AS message_id,
                (hashtext(coalesce(n.conversation_id, '')) & 2147483647) % pieces AS bucket
            FROM new_rows AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids)
        SELECT
            (hashed.bucket & 3)::smallint,
            changed_rows > 100,
            'messages',
            array_agg(DISTINCT hashed.conversation_id),
            array_agg(hashed.message_id)
        FROM (
            SELECT
                o.conversation_id::text AS conversation_id,
                o.message_id::text AS message_id,
                (hashtext(coalesce(o.conversation_id, '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys, message_ids)
        SELECT
            (hashed.bucket & 3)::smallint,
            changed_rows > 100,
            'messages',
            array_agg(DISTINCT hashed.conversation_id),
            array_agg(DISTINCT hashed.message_id)
        FROM (
            SELECT
                either.conversation_id::text AS conversation_id,
                either.message_id::text AS message_id,
                (hashtext(coalesce(either.conversation_id, '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
            FULL JOIN new_rows AS n ON n.message_id = o.message_id
            CROSS JOIN LATERAL (
                VALUES (o.conversation_id, o.message_id), (n.conversation_id, n.message_id)
            ) AS either (conversation_id, message_id)
            WHERE either.message_id IS NOT NULL
                AND ROW(o.message_id, o.conversation_id, o.sender, o.text, o.timestamp, o.status, o.sequence_no)::record
                *<>
                ROW(n.message_id, n.conversation_id, n.sender, n.text, n.timestamp, n.status, n.sequence_no)::record
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
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT projector.shard_of(n."id"::text), 'phone_numbers', ARRAY[n."id"::text]
            FROM new_rows AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                projector.shard_of(o."id"::text),
                'phone_numbers',
                CASE
                    WHEN o."id" = n."id" THEN ARRAY[o."id"::text]
                    ELSE ARRAY[o."id"::text, n."id"::text]
                END
            FROM old_rows AS o
            CROSS JOIN new_rows AS n
            WHERE ROW(o."id", o."platform")::record *<> ROW(n."id", n."platform")::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['phone_numbers']);
        RETURN NULL;
    ELSE
        IF TG_OP = 'INSERT' THEN
            PERFORM projector.queue_keys('phone_numbers', ARRAY[NEW."id"::text]);
        ELSIF TG_OP = 'DELETE' THEN
            PERFORM projector.queue_keys('phone_numbers', ARRAY[OLD."id"::text]);
        ELSIF ROW(OLD."id", OLD."platform")::record *<> ROW(NEW."id", NEW."platform")::record THEN
            PERFORM projector.queue_keys('phone_numbers', ARRAY[OLD."id"::text, NEW."id"::text]);
        END IF;
        RETURN NULL;
    END IF;
    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'phone_numbers', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                n."id"::text AS key,
                (hashtext(coalesce(n."id", '')) & 2147483647) % pieces AS bucket
            FROM new_rows AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'phone_numbers', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                o."id"::text AS key,
                (hashtext(coalesce(o."id", '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'phone_numbers', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                either.key::text AS key,
                (hashtext(coalesce(either.key, '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
            FULL JOIN new_rows AS n ON n."id" = o."id"
            CROSS JOIN LATERAL (VALUES (o."id"), (n."id")) AS either (key)
            WHERE either.key IS NOT NULL AND ROW(o."id", o."platform")::record *<> ROW(n."id", n."platform")::record
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
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT projector.shard_of(n."send_id"::text), 'template_sends', ARRAY[n."send_id"::text]
            FROM new_rows AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                projector.shard_of(o."send_id"::text),
                'template_sends',
                CASE
                    WHEN o."send_id" = n."send_id" THEN ARRAY[o."send_id"::text]
                    ELSE ARRAY[o."send_id"::text, n."send_id"::text]
                END
            FROM old_rows AS o
            CROSS JOIN new_rows AS n
            WHERE ROW(o."send_id", o."template_id", o."customer_phone", o."status", o."sent_at", o."created_at")::record *<> ROW(n."send_id", n."template_id", n."customer_phone", n."status", n."sent_at", n."created_at")::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['template_sends']);
        RETURN NULL;
    ELSE
        IF TG_OP = 'INSERT' THEN
            PERFORM projector.queue_keys('template_sends', ARRAY[NEW."send_id"::text]);
        ELSIF TG_OP = 'DELETE' THEN
            PERFORM projector.queue_keys('template_sends', ARRAY[OLD."send_id"::text]);
        ELSIF ROW(OLD."send_id", OLD."template_id", OLD."customer_phone", OLD."status", OLD."sent_at", OLD."created_at")::record *<> ROW(NEW."send_id", NEW."template_id", NEW."customer_phone", NEW."status", NEW."sent_at", NEW."created_at")::record THEN
            PERFORM projector.queue_keys('template_sends', ARRAY[OLD."send_id"::text, NEW."send_id"::text]);
        END IF;
        RETURN NULL;
    END IF;
    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'template_sends', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                n."send_id"::text AS key,
                (hashtext(coalesce(n."send_id", '')) & 2147483647) % pieces AS bucket
            FROM new_rows AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'template_sends', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                o."send_id"::text AS key,
                (hashtext(coalesce(o."send_id", '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'template_sends', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                either.key::text AS key,
                (hashtext(coalesce(either.key, '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
            FULL JOIN new_rows AS n ON n."send_id" = o."send_id"
            CROSS JOIN LATERAL (VALUES (o."send_id"), (n."send_id")) AS either (key)
            WHERE either.key IS NOT NULL AND ROW(o."send_id", o."template_id", o."customer_phone", o."status", o."sent_at", o."created_at")::record *<> ROW(n."send_id", n."template_id", n."customer_phone", n."status", n."sent_at", n."created_at")::record
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
BEGIN
    IF TG_OP = 'INSERT' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM new_rows OFFSET 4;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT projector.shard_of(n."template_id"::text), 'templates', ARRAY[n."template_id"::text]
            FROM new_rows AS n;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM new_rows;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM FROM old_rows OFFSET 1;
        IF NOT FOUND THEN
            INSERT INTO projector.changes (shard, kind, keys)
            SELECT
                projector.shard_of(o."template_id"::text),
                'templates',
                CASE
                    WHEN o."template_id" = n."template_id" THEN ARRAY[o."template_id"::text]
                    ELSE ARRAY[o."template_id"::text, n."template_id"::text]
                END
            FROM old_rows AS o
            CROSS JOIN new_rows AS n
            WHERE ROW(o."template_id", o."user_id", o."phone_number_id")::record *<> ROW(n."template_id", n."user_id", n."phone_number_id")::record;
            RETURN NULL;
        END IF;
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'DELETE' AND TG_LEVEL = 'STATEMENT' THEN
        SELECT count(*) INTO changed_rows FROM old_rows;
    ELSIF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY['templates']);
        RETURN NULL;
    ELSE
        IF TG_OP = 'INSERT' THEN
            PERFORM projector.queue_keys('templates', ARRAY[NEW."template_id"::text]);
        ELSIF TG_OP = 'DELETE' THEN
            PERFORM projector.queue_keys('templates', ARRAY[OLD."template_id"::text]);
        ELSIF ROW(OLD."template_id", OLD."user_id", OLD."phone_number_id")::record *<> ROW(NEW."template_id", NEW."user_id", NEW."phone_number_id")::record THEN
            PERFORM projector.queue_keys('templates', ARRAY[OLD."template_id"::text, NEW."template_id"::text]);
        END IF;
        RETURN NULL;
    END IF;
    pieces := 4 * (changed_rows / 1000 + 1);
    IF changed_rows = 0 THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'templates', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                n."template_id"::text AS key,
                (hashtext(coalesce(n."template_id", '')) & 2147483647) % pieces AS bucket
            FROM new_rows AS n
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'templates', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                o."template_id"::text AS key,
                (hashtext(coalesce(o."template_id", '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
        ) AS hashed
        GROUP BY hashed.bucket;
    ELSE
        INSERT INTO projector.changes (shard, bulk, kind, keys)
        SELECT (hashed.bucket & 3)::smallint, changed_rows > 100, 'templates', array_agg(DISTINCT hashed.key)
        FROM (
            SELECT
                either.key::text AS key,
                (hashtext(coalesce(either.key, '')) & 2147483647) % pieces AS bucket
            FROM old_rows AS o
            FULL JOIN new_rows AS n ON n."template_id" = o."template_id"
            CROSS JOIN LATERAL (VALUES (o."template_id"), (n."template_id")) AS either (key)
            WHERE either.key IS NOT NULL AND ROW(o."template_id", o."user_id", o."phone_number_id")::record *<> ROW(n."template_id", n."user_id", n."phone_number_id")::record
        ) AS hashed
        GROUP BY hashed.bucket;
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION projector.cut_time(value timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN (value < '0001-01-01 00:00:00+00'::timestamp with time zone) THEN '0001-01-01 00:00:00+00'::timestamp with time zone WHEN (value > '9999-12-31 23:59:59.999+00'::timestamp with time zone) THEN '9999-12-31 23:59:59.999+00'::timestamp with time zone ELSE date_trunc('milliseconds'::text, value) END;
CREATE FUNCTION projector.filled(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN NULLIF(btrim(value, ' 	
 '::text), ''::text);
CREATE FUNCTION projector.lead_status(tag text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE lower(btrim(tag, ' 	
 '::text)) WHEN 'hot'::text THEN 'Hot'::text WHEN 'warm'::text THEN 'Warm'::text WHEN 'cold'::text THEN 'Cold'::text ELSE NULL::text END;
CREATE FUNCTION projector.printed_time(value timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN to_char((value AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'::text);
CREATE FUNCTION projector.shard_of(key text) RETURNS smallint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((hashtext(COALESCE(key, ''::text)) & 3))::smallint;
SET default_tablespace = '';
SET default_table_access_method = heap;
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
COMMENT ON TABLE projector.changes IS 'The queue: what is stale, appended by the triggers inside the writer''s transaction and deleted by the refresh that took it.';
COMMENT ON COLUMN projector.changes.change_id IS 'Order of insertion, which is not the order of commit.';
COMMENT ON COLUMN projector.changes.shard IS 'Hash of a key: whoever owns the shard''s lock may take its rows.';
COMMENT ON COLUMN projector.changes.bulk IS 'Part of a mass change, which gives way to single changes.';
COMMENT ON COLUMN projector.changes.kind IS 'messages, conversations, extractions, resync, contacts, template_sends, agents, phone_numbers, templates, truncate: what the keys are.';
COMMENT ON COLUMN projector.changes.keys IS 'Keys of the changed rows, old and new; for messages, extractions and resync the ids of their conversations; for truncate the name of the table.';
COMMENT ON COLUMN projector.changes.message_ids IS 'For messages: which of them changed.';
COMMENT ON COLUMN projector.changes.queued_at IS 'When the writer queued it, before its commit.';
CREATE FUNCTION projector.queue_keys(change_kind text, changed_keys text[], changed_ids text[] DEFAULT NULL::text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 INSERT INTO projector.changes (shard, kind, keys, message_ids)
   VALUES (projector.shard_of((queue_keys.changed_keys)[1]), queue_keys.change_kind, queue_keys.changed_keys, queue_keys.changed_ids);
END;
CREATE VIEW projector.capture_fingerprints AS
 SELECT ((c.relname)::text COLLATE "C") AS table_name,
    ((t.tgname)::text COLLATE "C") AS trigger_name,
    (concat_ws(':'::text, c.oid, t.oid, t.xmin, t.tgenabled, p.oid, p.xmin, ( SELECT q.xmin
           FROM pg_proc q
          WHERE (q.oid = (to_regprocedure('projector.queue_keys(text, text[], text[])'::text))::oid))) COLLATE "C") AS fingerprint
   FROM ((pg_trigger t
     JOIN pg_class c ON ((c.oid = t.tgrelid)))
     JOIN pg_proc p ON ((p.oid = t.tgfoid)))
  WHERE ((t.tgname ~~ 'leads\_capture\_%'::text) AND (t.tgparentid = (0)::oid) AND pg_table_is_visible(c.oid));
COMMENT ON VIEW projector.capture_fingerprints IS 'The capture triggers as the catalog has them now, with a fingerprint of each.';
CREATE TABLE projector.capture_triggers (
    table_name text NOT NULL COLLATE pg_catalog."C",
    trigger_name text NOT NULL COLLATE pg_catalog."C",
    fingerprint text NOT NULL COLLATE pg_catalog."C"
);
COMMENT ON TABLE projector.capture_triggers IS 'The triggers as they were installed. The catalog must still say the same, else changes may have been missed.';
COMMENT ON COLUMN projector.capture_triggers.table_name IS 'The source table.';
COMMENT ON COLUMN projector.capture_triggers.trigger_name IS 'The trigger.';
COMMENT ON COLUMN projector.capture_triggers.fingerprint IS 'Object ids, state and catalog row versions of the trigger, its table and its function.';
CREATE VIEW projector.broken_capture AS
 SELECT
        CASE
            WHEN ((NOT (EXISTS ( SELECT
               FROM projector.capture_triggers))) OR (EXISTS ( SELECT
               FROM projector.capture_triggers e
              WHERE (NOT ((e.table_name, e.fingerprint) IN ( SELECT n.table_name,
                        n.fingerprint
                       FROM projector.capture_fingerprints n)))))) THEN ( SELECT
                    CASE
                        WHEN COALESCE(bool_and(one.never), true) THEN 'no capture trigger was ever installed'::text
                        WHEN bool_and((one.missing = one.triggers)) THEN 'all capture triggers are missing'::text
                        ELSE string_agg(one.reason, ', '::text ORDER BY one.table_name)
                    END AS string_agg
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
COMMENT ON VIEW projector.broken_capture IS 'What is wrong with capture: one row, its reason null while every trigger is as it was installed.';
CREATE TABLE projector.capture_gaps (
    gap_id bigint NOT NULL,
    noticed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    reason text NOT NULL,
    reinstalled_at timestamp with time zone,
    healed_at timestamp with time zone
);
COMMENT ON TABLE projector.capture_gaps IS 'Times in which changes may have been missed. One without healed_at is open.';
COMMENT ON COLUMN projector.capture_gaps.gap_id IS 'Order of notice.';
COMMENT ON COLUMN projector.capture_gaps.noticed_at IS 'When a refresh noticed it, or an operator asked for it.';
COMMENT ON COLUMN projector.capture_gaps.reason IS 'What was found.';
COMMENT ON COLUMN projector.capture_gaps.reinstalled_at IS 'When the triggers stood again.';
COMMENT ON COLUMN projector.capture_gaps.healed_at IS 'When the rebuild that followed was done.';
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
CREATE TABLE projector.contact_keys (
    contact_id text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    customer_phone text NOT NULL COLLATE pg_catalog."C"
);
COMMENT ON TABLE projector.contact_keys IS 'As conversation_keys, for contacts, whose phones have no index in canonical form.';
COMMENT ON COLUMN projector.contact_keys.contact_id IS 'The contact.';
COMMENT ON COLUMN projector.contact_keys.user_id IS 'The tenant of its lead.';
COMMENT ON COLUMN projector.contact_keys.customer_phone IS 'The canonical phone of its lead, which need not exist.';
CREATE TABLE projector.conversation_keys (
    conversation_id text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    customer_phone text NOT NULL COLLATE pg_catalog."C"
);
COMMENT ON TABLE projector.conversation_keys IS 'Which lead the read model last knew a conversation under: a moved or deleted row dirties its old lead too.';
COMMENT ON COLUMN projector.conversation_keys.conversation_id IS 'The conversation.';
COMMENT ON COLUMN projector.conversation_keys.user_id IS 'The tenant of its lead.';
COMMENT ON COLUMN projector.conversation_keys.customer_phone IS 'The canonical phone of its lead.';
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
COMMENT ON TABLE projector.dead_letters IS 'Keys whose refresh failed alone: set aside with the error, retried with growing pauses.';
COMMENT ON COLUMN projector.dead_letters.kind IS 'Kind of change, as in changes; messages are retried as resync.';
COMMENT ON COLUMN projector.dead_letters.key IS 'The key that failed.';
COMMENT ON COLUMN projector.dead_letters.user_id IS 'Tenant of the lead that it belongs to, where that could be told.';
COMMENT ON COLUMN projector.dead_letters.customer_phone IS 'The lead that it belongs to, where that could be told.';
COMMENT ON COLUMN projector.dead_letters.error IS 'What PostgreSQL said at the last attempt.';
COMMENT ON COLUMN projector.dead_letters.attempts IS 'How often it was tried.';
COMMENT ON COLUMN projector.dead_letters.first_failed_at IS 'When it failed first.';
COMMENT ON COLUMN projector.dead_letters.retry_at IS 'When it is queued again.';
CREATE TABLE projector.rebuild_tenants (
    user_id text NOT NULL COLLATE pg_catalog."C",
    requested_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    cursor_phone text COLLATE pg_catalog."C",
    whole_rebuild boolean NOT NULL
);
COMMENT ON TABLE projector.rebuild_tenants IS 'Tenants that a rebuild has still to do, and how far it came: an interrupted rebuild goes on here.';
COMMENT ON COLUMN projector.rebuild_tenants.user_id IS 'The tenant.';
COMMENT ON COLUMN projector.rebuild_tenants.requested_at IS 'When the rebuild was asked for.';
COMMENT ON COLUMN projector.rebuild_tenants.cursor_phone IS 'Leads up to this one are done.';
COMMENT ON COLUMN projector.rebuild_tenants.whole_rebuild IS 'Part of a rebuild of everything.';
CREATE TABLE projector.replay (
    change_id bigint,
    shard smallint NOT NULL,
    bulk boolean NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    keys text[] NOT NULL COLLATE pg_catalog."C",
    message_ids text[] COLLATE pg_catalog."C",
    queued_at timestamp with time zone NOT NULL
);
ALTER TABLE ONLY projector.replay REPLICA IDENTITY FULL;
COMMENT ON TABLE projector.replay IS 'Changes that refreshes took while everything is rebuilt beside: they are applied there too before the swap.';
COMMENT ON COLUMN projector.replay.change_id IS 'As in changes; null for a piece of a mass change.';
COMMENT ON COLUMN projector.replay.shard IS 'As in changes.';
COMMENT ON COLUMN projector.replay.bulk IS 'As in changes.';
COMMENT ON COLUMN projector.replay.kind IS 'As in changes.';
COMMENT ON COLUMN projector.replay.keys IS 'As in changes.';
COMMENT ON COLUMN projector.replay.message_ids IS 'As in changes.';
COMMENT ON COLUMN projector.replay.queued_at IS 'As in changes.';
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
COMMENT ON TABLE projector.runs IS 'The run log: one row for each batch of a refresh that had work, each rebuild and each verify.';
COMMENT ON COLUMN projector.runs.run_id IS 'Order of start.';
COMMENT ON COLUMN projector.runs.kind IS 'refresh, rebuild or verify.';
COMMENT ON COLUMN projector.runs.started_at IS 'When it started.';
COMMENT ON COLUMN projector.runs.finished_at IS 'When it ended; null while it runs.';
COMMENT ON COLUMN projector.runs.outcome IS 'running, done, failed, or interrupted where the process ended before the run.';
COMMENT ON COLUMN projector.runs.tenants IS 'The tenants it was asked for; null for all.';
COMMENT ON COLUMN projector.runs.changes IS 'Queue rows taken.';
COMMENT ON COLUMN projector.runs.leads IS 'Leads recomputed.';
COMMENT ON COLUMN projector.runs.messages IS 'Rows of lead_messages written or deleted.';
COMMENT ON COLUMN projector.runs.leads_total IS 'For a rebuild: how many leads it has to recompute.';
COMMENT ON COLUMN projector.runs.note IS 'The error of a failed run, or what a verify found.';
ALTER TABLE projector.runs ALTER COLUMN run_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME projector.runs_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE projector.send_keys (
    send_id text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    customer_phone text NOT NULL COLLATE pg_catalog."C"
);
COMMENT ON TABLE projector.send_keys IS 'As conversation_keys, for template sends, counted or not.';
COMMENT ON COLUMN projector.send_keys.send_id IS 'The template send.';
COMMENT ON COLUMN projector.send_keys.user_id IS 'The tenant of its lead.';
COMMENT ON COLUMN projector.send_keys.customer_phone IS 'The canonical phone of its lead.';
CREATE TABLE projector.settings (
    name text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL
);
COMMENT ON TABLE projector.settings IS 'What has to outlive a process: where the platform''s tables are, whether capture was switched off on purpose, and whether everything is being rebuilt beside.';
COMMENT ON COLUMN projector.settings.name IS 'The setting.';
COMMENT ON COLUMN projector.settings.value IS 'Its value.';
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
    document text NOT NULL COLLATE pg_catalog."C"
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_insert_scale_factor='0.02');
COMMENT ON TABLE read_model.leads IS 'One row a lead: what a list filters and sorts by and each message may move, and the lead as it is printed.';
COMMENT ON COLUMN read_model.leads.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.leads.customer_phone IS 'Canonical: the digits of a phone, or any other identifier trimmed.';
COMMENT ON COLUMN read_model.leads.last_message_at IS 'Newest last_message_at of its conversations; without conversations, the newest counted template send.';
COMMENT ON COLUMN read_model.leads.first_contact_at IS 'Earliest of conversation start, message and counted template send.';
COMMENT ON COLUMN read_model.leads.total_messages IS 'Rows of lead_messages.';
COMMENT ON COLUMN read_model.leads.total_score IS 'Of the winning extraction, as stored; else the sum of the five scores where all are there.';
COMMENT ON COLUMN read_model.leads.lead_status IS 'Hot, Warm or Cold; null for anything else.';
COMMENT ON COLUMN read_model.leads.on_whatsapp IS 'A conversation or a counted template send of this lead is on whatsapp.';
COMMENT ON COLUMN read_model.leads.on_instagram IS 'A conversation or a counted template send of this lead is on instagram.';
COMMENT ON COLUMN read_model.leads.on_webchat IS 'A conversation or a counted template send of this lead is on webchat.';
COMMENT ON COLUMN read_model.leads.has_extraction IS 'Any extraction row of its conversations exists.';
COMMENT ON COLUMN read_model.leads.has_email IS 'The printed email is not null.';
COMMENT ON COLUMN read_model.leads.document IS 'The lead object of the API as compact JSON text, printed as it is.';
CREATE VIEW public.exported AS
 SELECT leads.user_id,
    leads.customer_phone
   FROM read_model.leads;
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
WITH (fillfactor='10');
COMMENT ON TABLE read_model.freshness IS 'One row, from the first rebuild of everything on. One and not one a shard, since an idle refresh writes it each second.';
COMMENT ON COLUMN read_model.freshness.only_row IS 'Holds the table to one row.';
COMMENT ON COLUMN read_model.freshness.as_of IS 'Every change committed before is contained in the read model, dead letters excepted: the least of shards.';
COMMENT ON COLUMN read_model.freshness.shards IS 'For each shard of projector.changes, the start of the last refresh that left nothing of it waiting, capture being intact.';
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
    noted_last_message_at timestamp with time zone,
    message_count integer NOT NULL,
    first_message_at timestamp with time zone,
    newest_message_at timestamp with time zone
)
WITH (fillfactor='85');
COMMENT ON TABLE read_model.lead_conversations IS 'One row a conversation of a lead, with what its messages add up to.';
COMMENT ON COLUMN read_model.lead_conversations.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.lead_conversations.customer_phone IS 'Canonical, as in leads.';
COMMENT ON COLUMN read_model.lead_conversations.conversation_id IS 'The conversation.';
COMMENT ON COLUMN read_model.lead_conversations.agent_id IS 'The AI agent of the conversation.';
COMMENT ON COLUMN read_model.lead_conversations.agent_name IS 'Name of the agent.';
COMMENT ON COLUMN read_model.lead_conversations.platform IS 'Platform of the agent''s channel, as stored.';
COMMENT ON COLUMN read_model.lead_conversations.phone_number_id IS 'The agent''s channel.';
COMMENT ON COLUMN read_model.lead_conversations.is_active IS 'As stored; null counts as false.';
COMMENT ON COLUMN read_model.lead_conversations.created_at IS 'Start of the conversation; null counts as 1970-01-01.';
COMMENT ON COLUMN read_model.lead_conversations.noted_last_message_at IS 'The platform''s own note of the last message, printed only while there is no message.';
COMMENT ON COLUMN read_model.lead_conversations.message_count IS 'Rows of lead_messages.';
COMMENT ON COLUMN read_model.lead_conversations.first_message_at IS 'Time of its earliest message; null without messages.';
COMMENT ON COLUMN read_model.lead_conversations.newest_message_at IS 'Time of its newest message; null without messages. Printed as last_message_at: coalesce(newest_message_at, noted_last_message_at).';
CREATE TABLE read_model.lead_day_stats (
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
WITH (fillfactor='70');
ALTER TABLE ONLY read_model.lead_day_stats REPLICA IDENTITY FULL;
COMMENT ON TABLE read_model.lead_day_stats IS 'lead_stats by the UTC day of last_message_at. The same totals within a window of time are sums of whole days plus the leads of its two edge days.';
COMMENT ON COLUMN read_model.lead_day_stats.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.lead_day_stats.day IS 'UTC day of last_message_at; leads without one stand in no row.';
COMMENT ON COLUMN read_model.lead_day_stats.lead_status IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_day_stats.total_score IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_day_stats.on_whatsapp IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_day_stats.on_instagram IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_day_stats.on_webchat IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_day_stats.has_extraction IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_day_stats.has_email IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_day_stats.leads IS 'Number of leads; a row that reached 0 is deleted.';
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
);
COMMENT ON TABLE read_model.lead_messages IS 'One row a message of a lead. Agent and platform stand in lead_conversations, so that a renamed agent rewrites no message.';
COMMENT ON COLUMN read_model.lead_messages.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.lead_messages.message_id IS 'The message.';
COMMENT ON COLUMN read_model.lead_messages.customer_phone IS 'Canonical, as in leads.';
COMMENT ON COLUMN read_model.lead_messages.conversation_id IS 'The conversation, a row of lead_conversations.';
COMMENT ON COLUMN read_model.lead_messages.sent_at IS 'Printed as timestamp; null in the source counts as 1970-01-01.';
COMMENT ON COLUMN read_model.lead_messages.sequence_no IS 'As stored. Order of messages: sent_at, conversation_id, sequence_no (null last), message_id.';
COMMENT ON COLUMN read_model.lead_messages.sender IS 'As stored: user or agent.';
COMMENT ON COLUMN read_model.lead_messages.status IS 'pending, failed, or sent for every other status of the source.';
COMMENT ON COLUMN read_model.lead_messages.text IS 'As stored.';
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
    search_text text NOT NULL COLLATE pg_catalog."C"
);
COMMENT ON TABLE read_model.lead_profiles IS 'One row a lead: what comes from extractions, contacts and template sends. No message changes it, so that its search index is not rewritten by each.';
COMMENT ON COLUMN read_model.lead_profiles.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.lead_profiles.customer_phone IS 'Canonical, as in leads.';
COMMENT ON COLUMN read_model.lead_profiles.name IS 'Of the winning extraction if not blank, else of the winning contact; trimmed.';
COMMENT ON COLUMN read_model.lead_profiles.email IS 'Chosen as name is.';
COMMENT ON COLUMN read_model.lead_profiles.company IS 'Chosen as name is.';
COMMENT ON COLUMN read_model.lead_profiles.lead_status IS 'Hot, Warm or Cold; null for anything else.';
COMMENT ON COLUMN read_model.lead_profiles.total_score IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_profiles.intent_score IS 'Of the winning extraction.';
COMMENT ON COLUMN read_model.lead_profiles.urgency_score IS 'Of the winning extraction.';
COMMENT ON COLUMN read_model.lead_profiles.budget_score IS 'Of the winning extraction.';
COMMENT ON COLUMN read_model.lead_profiles.fit_score IS 'Of the winning extraction.';
COMMENT ON COLUMN read_model.lead_profiles.engagement_score IS 'Of the winning extraction.';
COMMENT ON COLUMN read_model.lead_profiles.has_extraction IS 'Any extraction row of its conversations exists.';
COMMENT ON COLUMN read_model.lead_profiles.extraction_id IS 'The winning extraction.';
COMMENT ON COLUMN read_model.lead_profiles.template_sends_count IS 'Template sends that went out.';
COMMENT ON COLUMN read_model.lead_profiles.first_send_at IS 'Time of the earliest counted template send.';
COMMENT ON COLUMN read_model.lead_profiles.last_send_at IS 'Time of the newest counted template send.';
COMMENT ON COLUMN read_model.lead_profiles.sent_on_whatsapp IS 'A counted template send is on whatsapp.';
COMMENT ON COLUMN read_model.lead_profiles.sent_on_instagram IS 'A counted template send is on instagram.';
COMMENT ON COLUMN read_model.lead_profiles.sent_on_webchat IS 'A counted template send is on webchat.';
COMMENT ON COLUMN read_model.lead_profiles.name_key IS 'lower(name), what sort_by=name orders by.';
COMMENT ON COLUMN read_model.lead_profiles.search_text IS 'lower() of name, email, company and phone, a line feed between them.';
CREATE TABLE read_model.lead_span_stats (
    user_id text NOT NULL COLLATE pg_catalog."C",
    span text NOT NULL COLLATE pg_catalog."C",
    begins timestamp with time zone NOT NULL,
    leads integer NOT NULL,
    with_extraction integer NOT NULL,
    with_email integer NOT NULL,
    hot integer NOT NULL,
    warm integer NOT NULL,
    cold integer NOT NULL,
    on_whatsapp integer NOT NULL,
    on_instagram integer NOT NULL,
    on_webchat integer NOT NULL,
    CONSTRAINT lead_span_stats_span_check CHECK ((span = ANY (ARRAY['all'::text, 'day'::text, 'hour'::text])))
)
WITH (fillfactor='70');
COMMENT ON TABLE read_model.lead_span_stats IS 'One row a tenant and span of time: the numbers of the statistics, and the totals of lists with one filter. Windows that move with the clock are sums of whole days, whole hours and the leads of an edge; deep pages count by hours.';
COMMENT ON COLUMN read_model.lead_span_stats.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.lead_span_stats.span IS 'all: every lead of the tenant; day, hour: those whose last_message_at lies in this day or hour, UTC.';
COMMENT ON COLUMN read_model.lead_span_stats.begins IS 'Start of the day or hour; -infinity for all.';
COMMENT ON COLUMN read_model.lead_span_stats.leads IS 'Number of leads; a row that reached 0 is deleted.';
COMMENT ON COLUMN read_model.lead_span_stats.with_extraction IS 'How many of them have has_extraction.';
COMMENT ON COLUMN read_model.lead_span_stats.with_email IS 'How many of them have has_email.';
COMMENT ON COLUMN read_model.lead_span_stats.hot IS 'How many of them are Hot.';
COMMENT ON COLUMN read_model.lead_span_stats.warm IS 'How many of them are Warm.';
COMMENT ON COLUMN read_model.lead_span_stats.cold IS 'How many of them are Cold.';
COMMENT ON COLUMN read_model.lead_span_stats.on_whatsapp IS 'How many of them are on whatsapp.';
COMMENT ON COLUMN read_model.lead_span_stats.on_instagram IS 'How many of them are on instagram.';
COMMENT ON COLUMN read_model.lead_span_stats.on_webchat IS 'How many of them are on webchat.';
CREATE TABLE read_model.lead_stats (
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
WITH (fillfactor='70');
ALTER TABLE ONLY read_model.lead_stats REPLICA IDENTITY FULL;
COMMENT ON TABLE read_model.lead_stats IS 'One row a tenant and combination of facets: how many leads have it. Totals without a time bound are sums over these, where lead_span_stats does not know them.';
COMMENT ON COLUMN read_model.lead_stats.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.lead_stats.lead_status IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_stats.total_score IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_stats.on_whatsapp IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_stats.on_instagram IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_stats.on_webchat IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_stats.has_extraction IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_stats.has_email IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_stats.leads IS 'Number of leads; a row that reached 0 is deleted.';
CREATE TABLE read_model.projection (
    only_row boolean DEFAULT true NOT NULL,
    version integer NOT NULL,
    built_at timestamp with time zone,
    capture_gap text COLLATE pg_catalog."C",
    CONSTRAINT projection_only_row_check CHECK (only_row)
);
COMMENT ON TABLE read_model.projection IS 'One row: what the read model as a whole is.';
COMMENT ON COLUMN read_model.projection.only_row IS 'Holds the table to one row.';
COMMENT ON COLUMN read_model.projection.version IS 'Projection version that the rows were built with.';
COMMENT ON COLUMN read_model.projection.built_at IS 'End of the last rebuild of everything; null until there was one.';
COMMENT ON COLUMN read_model.projection.capture_gap IS 'Why changes may have been missed; null while capture is intact.';
CREATE TABLE read_model.tenants (
    user_id text NOT NULL COLLATE pg_catalog."C",
    version bigint DEFAULT 0 NOT NULL,
    dead_letters integer DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');
COMMENT ON TABLE read_model.tenants IS 'One row a tenant. Written last in a merge, and only where something of it changed; merges of one tenant take turns by an advisory lock.';
COMMENT ON COLUMN read_model.tenants.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.tenants.version IS 'Grows with every merge that changed a row of this tenant: by it a copy or a cache can tell that something changed.';
COMMENT ON COLUMN read_model.tenants.dead_letters IS 'Keys of this tenant that are set aside with an error; see projector.dead_letters.';
CREATE TABLE read_model_next.leads (
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
    document text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE read_model_old.lead_messages (
    user_id text NOT NULL COLLATE pg_catalog."C",
    message_id text NOT NULL COLLATE pg_catalog."C",
    customer_phone text NOT NULL COLLATE pg_catalog."C",
    conversation_id text NOT NULL COLLATE pg_catalog."C",
    sent_at timestamp with time zone NOT NULL,
    sequence_no integer,
    sender text COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    text text COLLATE pg_catalog."C"
);
INSERT INTO projector.capture_triggers VALUES ('phone_numbers', 'leads_capture_insert', '16394:17239:731:O:16712:726:726');
INSERT INTO projector.capture_triggers VALUES ('phone_numbers', 'leads_capture_update', '16394:17240:731:O:16712:726:726');
INSERT INTO projector.capture_triggers VALUES ('phone_numbers', 'leads_capture_delete', '16394:17241:731:O:16712:726:726');
INSERT INTO projector.capture_triggers VALUES ('phone_numbers', 'leads_capture_truncate', '16394:17242:731:A:16712:726:726');
INSERT INTO projector.capture_triggers VALUES ('phone_numbers', 'leads_capture_replica', '16394:17243:731:R:16712:726:726');
INSERT INTO projector.capture_triggers VALUES ('agents', 'leads_capture_insert', '16406:17244:732:O:16713:726:726');
INSERT INTO projector.capture_triggers VALUES ('agents', 'leads_capture_update', '16406:17245:732:O:16713:726:726');
INSERT INTO projector.capture_triggers VALUES ('agents', 'leads_capture_delete', '16406:17246:732:O:16713:726:726');
INSERT INTO projector.capture_triggers VALUES ('agents', 'leads_capture_truncate', '16406:17247:732:A:16713:726:726');
INSERT INTO projector.capture_triggers VALUES ('agents', 'leads_capture_replica', '16406:17248:732:R:16713:726:726');
INSERT INTO projector.capture_triggers VALUES ('conversations', 'leads_capture_insert', '16423:17249:733:O:16714:726:726');
INSERT INTO projector.capture_triggers VALUES ('conversations', 'leads_capture_update', '16423:17250:733:O:16714:726:726');
INSERT INTO projector.capture_triggers VALUES ('conversations', 'leads_capture_delete', '16423:17251:733:O:16714:726:726');
INSERT INTO projector.capture_triggers VALUES ('conversations', 'leads_capture_truncate', '16423:17252:733:A:16714:726:726');
INSERT INTO projector.capture_triggers VALUES ('conversations', 'leads_capture_replica', '16423:17253:733:R:16714:726:726');
INSERT INTO projector.capture_triggers VALUES ('messages', 'leads_capture_insert', '16437:17254:734:O:16711:726:726');
INSERT INTO projector.capture_triggers VALUES ('messages', 'leads_capture_update', '16437:17255:734:O:16711:726:726');
INSERT INTO projector.capture_triggers VALUES ('messages', 'leads_capture_delete', '16437:17256:734:O:16711:726:726');
INSERT INTO projector.capture_triggers VALUES ('messages', 'leads_capture_truncate', '16437:17257:734:A:16711:726:726');
INSERT INTO projector.capture_triggers VALUES ('messages', 'leads_capture_replica', '16437:17258:734:R:16711:726:726');
INSERT INTO projector.capture_triggers VALUES ('extractions', 'leads_capture_insert', '16453:17259:735:O:16715:726:726');
INSERT INTO projector.capture_triggers VALUES ('extractions', 'leads_capture_update', '16453:17260:735:O:16715:726:726');
INSERT INTO projector.capture_triggers VALUES ('extractions', 'leads_capture_delete', '16453:17261:735:O:16715:726:726');
INSERT INTO projector.capture_triggers VALUES ('extractions', 'leads_capture_truncate', '16453:17262:735:A:16715:726:726');
INSERT INTO projector.capture_triggers VALUES ('extractions', 'leads_capture_replica', '16453:17263:735:R:16715:726:726');
INSERT INTO projector.capture_triggers VALUES ('contacts', 'leads_capture_insert', '16468:17264:736:O:16716:726:726');
INSERT INTO projector.capture_triggers VALUES ('contacts', 'leads_capture_update', '16468:17265:736:O:16716:726:726');
INSERT INTO projector.capture_triggers VALUES ('contacts', 'leads_capture_delete', '16468:17266:736:O:16716:726:726');
INSERT INTO projector.capture_triggers VALUES ('contacts', 'leads_capture_truncate', '16468:17267:736:A:16716:726:726');
INSERT INTO projector.capture_triggers VALUES ('contacts', 'leads_capture_replica', '16468:17268:736:R:16716:726:726');
INSERT INTO projector.capture_triggers VALUES ('templates', 'leads_capture_insert', '16483:17269:737:O:16717:726:726');
INSERT INTO projector.capture_triggers VALUES ('templates', 'leads_capture_update', '16483:17270:737:O:16717:726:726');
INSERT INTO projector.capture_triggers VALUES ('templates', 'leads_capture_delete', '16483:17271:737:O:16717:726:726');
INSERT INTO projector.capture_triggers VALUES ('templates', 'leads_capture_truncate', '16483:17272:737:A:16717:726:726');
INSERT INTO projector.capture_triggers VALUES ('templates', 'leads_capture_replica', '16483:17273:737:R:16717:726:726');
INSERT INTO projector.capture_triggers VALUES ('template_sends', 'leads_capture_insert', '16499:17274:738:O:16718:726:726');
INSERT INTO projector.capture_triggers VALUES ('template_sends', 'leads_capture_update', '16499:17275:738:O:16718:726:726');
INSERT INTO projector.capture_triggers VALUES ('template_sends', 'leads_capture_delete', '16499:17276:738:O:16718:726:726');
INSERT INTO projector.capture_triggers VALUES ('template_sends', 'leads_capture_truncate', '16499:17277:738:A:16718:726:726');
INSERT INTO projector.capture_triggers VALUES ('template_sends', 'leads_capture_replica', '16499:17278:738:R:16718:726:726');
INSERT INTO projector.changes OVERRIDING SYSTEM VALUE VALUES (35, 1, false, 'messages', '{35f394a1-50f6-4c11-ad2a-c8ee863a9ab0,f7acca7f-c622-4816-ad60-13771e6891e8}', '{out-1721621981313-11meb5dbz,out-1735930342546-iim6eqee0}', '2026-11-25 22:10:24.49023+00');
INSERT INTO projector.changes OVERRIDING SYSTEM VALUE VALUES (36, 3, false, 'messages', '{e7d31f0e-7367-426a-9c5f-7e021584a363}', '{out-1738872387361-ls41vhccd}', '2026-11-25 22:10:24.490251+00');
INSERT INTO projector.changes OVERRIDING SYSTEM VALUE VALUES (37, 0, false, 'template_sends', '{13415279-dc23-4fd6-91e9-80828ae52235}', NULL, '2026-11-25 22:10:24.496793+00');
INSERT INTO projector.changes OVERRIDING SYSTEM VALUE VALUES (38, 3, true, 'resync', '{1348b8ad-2191-40b8-9c5d-54739e5a66d1}', NULL, '2026-11-25 22:10:24.498363+00');
INSERT INTO projector.changes OVERRIDING SYSTEM VALUE VALUES (39, 3, true, 'resync', '{1d20b74e-6f47-490c-bb53-0615d297aed8}', NULL, '2026-11-25 22:10:24.498378+00');
INSERT INTO projector.contact_keys VALUES ('a2e512ee-c6b8-4f2a-af6b-e85e8414312b', '245f1485-a020-59d0-852a-6e4532bbe900', '16937933157');
INSERT INTO projector.contact_keys VALUES ('0e617541-54e3-4574-bd6b-52bfc3b923d3', '245f1485-a020-59d0-852a-6e4532bbe900', '5511646137091');
INSERT INTO projector.contact_keys VALUES ('b9fd66f6-2efa-489b-93c2-3a04bd70e8d6', '245f1485-a020-59d0-852a-6e4532bbe900', '628792035124');
INSERT INTO projector.contact_keys VALUES ('889a3687-5255-4e12-bd36-8015a9b04833', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'web-fr8clp-fuimx5');
INSERT INTO projector.contact_keys VALUES ('37d73812-987a-4286-971c-2df0fa75a5e3', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '66385918435');
INSERT INTO projector.contact_keys VALUES ('91a15544-e3d0-47b5-9e41-29fb32efbb8d', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'web-fc5asz-6l7fjo');
INSERT INTO projector.conversation_keys VALUES ('26a34d17-5f26-49de-b37d-8439ab7d77ba', '245f1485-a020-59d0-852a-6e4532bbe900', '2348083831190');
INSERT INTO projector.conversation_keys VALUES ('1348b8ad-2191-40b8-9c5d-54739e5a66d1', '245f1485-a020-59d0-852a-6e4532bbe900', '525701865179');
INSERT INTO projector.conversation_keys VALUES ('35f394a1-50f6-4c11-ad2a-c8ee863a9ab0', '245f1485-a020-59d0-852a-6e4532bbe900', '905319899168');
INSERT INTO projector.conversation_keys VALUES ('1d20b74e-6f47-490c-bb53-0615d297aed8', '245f1485-a020-59d0-852a-6e4532bbe900', '17841435555967146');
INSERT INTO projector.conversation_keys VALUES ('e360b2ca-4080-4875-b5dd-0786773b994f', '245f1485-a020-59d0-852a-6e4532bbe900', '628174001135');
INSERT INTO projector.conversation_keys VALUES ('f7acca7f-c622-4816-ad60-13771e6891e8', '245f1485-a020-59d0-852a-6e4532bbe900', '628792035124');
INSERT INTO projector.conversation_keys VALUES ('34656f2b-d22c-4356-924b-95d865b2dfdf', '245f1485-a020-59d0-852a-6e4532bbe900', 'web-2k0gqi-708lne');
INSERT INTO projector.conversation_keys VALUES ('71f5ee32-0d87-4c4e-acba-fcd382e32b0c', '245f1485-a020-59d0-852a-6e4532bbe900', 'web-2k0gqi-708lne');
INSERT INTO projector.conversation_keys VALUES ('812d7138-6e0a-4812-b19e-c43f0756f4b5', '245f1485-a020-59d0-852a-6e4532bbe900', '905028103102');
INSERT INTO projector.conversation_keys VALUES ('7cc8cfbd-0342-4d20-b55c-98fd672fed1e', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '919059680512');
INSERT INTO projector.conversation_keys VALUES ('68e7a836-1460-48e5-84e4-6ec5df723e4f', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'web-fr8clp-fuimx5');
INSERT INTO projector.conversation_keys VALUES ('65774a8a-19a0-4904-9a06-1c76d39385b1', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '16295748490');
INSERT INTO projector.conversation_keys VALUES ('31ee78fa-c8f5-46a6-babe-7787b1d0c343', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '17841071913782479');
INSERT INTO projector.conversation_keys VALUES ('be3ee00b-ae6b-4f62-b007-247fcd283376', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '17841071913782479');
INSERT INTO projector.conversation_keys VALUES ('bb1d08d7-ea8f-47cc-ab9d-008a820d9c18', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '16531816468');
INSERT INTO projector.conversation_keys VALUES ('49181a11-99da-4d86-9810-e6c86f26a4f4', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '3538149850457');
INSERT INTO projector.conversation_keys VALUES ('69482333-b3d1-44c2-85b7-478cc825f35c', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '3538149850457');
INSERT INTO projector.conversation_keys VALUES ('e7d31f0e-7367-426a-9c5f-7e021584a363', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '971767884446');
INSERT INTO projector.conversation_keys VALUES ('e9041620-7aa6-4699-9b3f-dab61f2899a9', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'web-fc5asz-6l7fjo');
INSERT INTO projector.dead_letters VALUES ('resync', 'f7acca7f-c622-4816-ad60-13771e6891e8', '245f1485-a020-59d0-852a-6e4532bbe900', NULL, 'failed once', 1, '2025-06-01 00:00:00+00', '2025-06-01 00:00:00+00');
INSERT INTO projector.rebuild_tenants VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '2026-11-25 22:10:24.526139+00', NULL, true);
INSERT INTO projector.replay VALUES (35, 1, false, 'messages', '{35f394a1-50f6-4c11-ad2a-c8ee863a9ab0,f7acca7f-c622-4816-ad60-13771e6891e8}', '{out-1721621981313-11meb5dbz,out-1735930342546-iim6eqee0}', '2026-11-25 22:10:24.49023+00');
INSERT INTO projector.replay VALUES (36, 3, false, 'messages', '{e7d31f0e-7367-426a-9c5f-7e021584a363}', '{out-1738872387361-ls41vhccd}', '2026-11-25 22:10:24.490251+00');
INSERT INTO projector.runs OVERRIDING SYSTEM VALUE VALUES (1, 'rebuild', '2026-11-25 22:10:24.07128+00', '2026-11-25 22:10:24.414837+00', 'done', NULL, 0, 18, 37, NULL, NULL);
INSERT INTO projector.runs OVERRIDING SYSTEM VALUE VALUES (2, 'refresh', '2026-11-25 22:10:24.418757+00', '2026-11-25 22:10:24.447319+00', 'done', NULL, 1, 1, 0, NULL, NULL);
INSERT INTO projector.runs OVERRIDING SYSTEM VALUE VALUES (3, 'refresh', '2026-11-25 22:10:24.448866+00', '2026-11-25 22:10:24.457784+00', 'done', NULL, 1, 2, 0, NULL, NULL);
INSERT INTO projector.runs OVERRIDING SYSTEM VALUE VALUES (4, 'refresh', '2026-11-25 22:10:24.459133+00', '2026-11-25 22:10:24.472944+00', 'done', NULL, 1, 1, 0, NULL, NULL);
INSERT INTO projector.runs OVERRIDING SYSTEM VALUE VALUES (5, 'refresh', '2026-11-25 22:10:24.475132+00', '2026-11-25 22:10:24.481857+00', 'done', NULL, 1, 2, 0, NULL, NULL);
INSERT INTO projector.send_keys VALUES ('f3bc608d-0008-455b-88c2-2eab1f1b6807', '245f1485-a020-59d0-852a-6e4532bbe900', '525701865179');
INSERT INTO projector.send_keys VALUES ('13415279-dc23-4fd6-91e9-80828ae52235', '245f1485-a020-59d0-852a-6e4532bbe900', '16937933157');
INSERT INTO projector.send_keys VALUES ('626cc684-28a8-4ca0-8ff7-756ae1888829', '245f1485-a020-59d0-852a-6e4532bbe900', '16937933157');
INSERT INTO projector.send_keys VALUES ('d81d0733-63cb-43c2-ab54-9cce9d3a9e88', '245f1485-a020-59d0-852a-6e4532bbe900', '16937933157');
INSERT INTO projector.send_keys VALUES ('8b07d2a5-2ad1-4693-b6f5-22553471fec7', '245f1485-a020-59d0-852a-6e4532bbe900', '16937933157');
INSERT INTO projector.send_keys VALUES ('bbed4524-a0b0-4b1a-9123-4e4fa5d93e6d', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '3538149850457');
INSERT INTO projector.send_keys VALUES ('a11bb14d-0fa3-4721-9f5c-a02754e03bdf', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '66385918435');
INSERT INTO projector.send_keys VALUES ('5d24f9f4-398d-48aa-9f9c-9d5f62f8796a', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '66385918435');
INSERT INTO projector.send_keys VALUES ('b9c29690-a478-4f33-b5bd-96f722a3aa5c', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '66385918435');
INSERT INTO projector.settings VALUES ('source_schemas', '{public}');
INSERT INTO projector.settings VALUES ('rebuilding_beside', 'on');
INSERT INTO public.agents VALUES ('7f2354f8-b05a-434d-9253-47c8ce26b9fd', '245f1485-a020-59d0-852a-6e4532bbe900', '2640269e-0efd-4420-abdf-6a39a75df7fd', 'Sales assistant');
INSERT INTO public.agents VALUES ('3fbb419e-f99a-46f4-8c70-747d8dd150b6', '245f1485-a020-59d0-852a-6e4532bbe900', '5891af36-998e-40e3-9f7a-1cc1f9211403', 'Support assistant');
INSERT INTO public.agents VALUES ('47186a18-76b2-4567-a05c-02c19e874452', '245f1485-a020-59d0-852a-6e4532bbe900', 'dea35597-7220-446d-961e-5a59d59641d4', 'Social assistant');
INSERT INTO public.agents VALUES ('6bd56886-eb58-4818-a044-96ce669cb330', '245f1485-a020-59d0-852a-6e4532bbe900', '845e8fa6-d98d-47bf-9116-d1a2fb27fab6', 'Website assistant');
INSERT INTO public.agents VALUES ('7e585b23-346e-4cc2-a8c6-4d83c3079eba', '245f1485-a020-59d0-852a-6e4532bbe900', 'db684feb-7969-408e-8ba3-3c2e7b02d1e1', 'Campaign assistant 🚀');
INSERT INTO public.agents VALUES ('b9a539fd-8168-4f44-8760-e5da9d52cc81', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'fef3f9bf-4283-4eb1-944d-38d96bdd6afe', 'Sales assistant');
INSERT INTO public.agents VALUES ('750839e6-ff69-4120-932d-0c7cd1ed2c69', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '36807015-21db-4351-87d5-0e3d42ae9164', 'Support assistant');
INSERT INTO public.agents VALUES ('8aff2901-46e2-4c13-b330-47e1a5dc7682', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '5d78ef8b-ace1-478e-b905-cc766cee65d9', 'Social assistant');
INSERT INTO public.agents VALUES ('e8376427-6b6d-487c-8616-9a23ec9bf61c', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'e294b802-dfb4-459a-a8f7-723e425c5474', 'Website assistant');
INSERT INTO public.agents VALUES ('4b7379b0-6315-4b8c-b42b-fabbfcc4e19e', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '643665b3-6176-43c7-8717-edffeec37b93', 'Campaign assistant 🚀');
INSERT INTO public.contacts VALUES ('a2e512ee-c6b8-4f2a-af6b-e85e8414312b', '245f1485-a020-59d0-852a-6e4532bbe900', '+16937933157', 'Ethan Robinson jr.', 'ethan.robinson84@hotmail.com', ' ', '2025-05-08 08:26:15.134029');
INSERT INTO public.contacts VALUES ('0e617541-54e3-4574-bd6b-52bfc3b923d3', '245f1485-a020-59d0-852a-6e4532bbe900', '5511646137091', 'Luís Magalhães jr.', 'luis_magalhaes78@yahoo.com', NULL, '2025-05-30 22:01:11.339725');
INSERT INTO public.contacts VALUES ('b9fd66f6-2efa-489b-93c2-3a04bd70e8d6', '245f1485-a020-59d0-852a-6e4532bbe900', '+628792035124', 'Budi Pratama jr.', NULL, 'Kaveri Foods Pvt. Ltd.', '2025-01-06 11:27:23.591207');
INSERT INTO public.contacts VALUES ('889a3687-5255-4e12-bd36-8015a9b04833', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'web-fr8clp-fuimx5', 'João Magalhães jr.', 'joaomagalhaes76@outlook.com', 'Panadería La Niña', '2025-05-20 21:53:19.730771');
INSERT INTO public.contacts VALUES ('37d73812-987a-4286-971c-2df0fa75a5e3', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '+66385918435', 'กมล ศรีสุข jr.', 'kamon_srisuk62@example.org', ' ', '2024-07-22 05:07:41.954611');
INSERT INTO public.contacts VALUES ('91a15544-e3d0-47b5-9e41-29fb32efbb8d', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'web-fc5asz-6l7fjo', 'Gaurav Joshi jr.', 'gauravjoshi@proton.me', 'Zenith Motors', '2025-04-11 17:02:25.702683');
INSERT INTO public.conversations VALUES ('26a34d17-5f26-49de-b37d-8439ab7d77ba', '7f2354f8-b05a-434d-9253-47c8ce26b9fd', '2348083831190', '2024-06-08 00:29:20.201', NULL, true);
INSERT INTO public.conversations VALUES ('1348b8ad-2191-40b8-9c5d-54739e5a66d1', '3fbb419e-f99a-46f4-8c70-747d8dd150b6', '525701865179', '2024-08-09 03:14:10.381', NULL, true);
INSERT INTO public.conversations VALUES ('35f394a1-50f6-4c11-ad2a-c8ee863a9ab0', '7f2354f8-b05a-434d-9253-47c8ce26b9fd', '905319899168', '2024-07-22 04:19:22.687', '2024-07-22 08:25:29.95', false);
INSERT INTO public.conversations VALUES ('1d20b74e-6f47-490c-bb53-0615d297aed8', '47186a18-76b2-4567-a05c-02c19e874452', '17841435555967146', '2025-05-31 13:06:25.08', '2025-05-31 13:06:25.798', true);
INSERT INTO public.conversations VALUES ('e360b2ca-4080-4875-b5dd-0786773b994f', '3fbb419e-f99a-46f4-8c70-747d8dd150b6', '628174001135', '2025-03-05 01:13:48.286', '2025-03-05 22:50:05.568', false);
INSERT INTO public.conversations VALUES ('34656f2b-d22c-4356-924b-95d865b2dfdf', '7e585b23-346e-4cc2-a8c6-4d83c3079eba', 'web-2k0gqi-708lne', '2025-02-07 05:05:22.938', '2025-02-07 05:05:23.3', false);
INSERT INTO public.conversations VALUES ('71f5ee32-0d87-4c4e-acba-fcd382e32b0c', '7e585b23-346e-4cc2-a8c6-4d83c3079eba', 'web-2k0gqi-708lne', '2025-02-01 13:35:08.593', '2025-02-01 13:35:08.68', NULL);
INSERT INTO public.conversations VALUES ('812d7138-6e0a-4812-b19e-c43f0756f4b5', '3fbb419e-f99a-46f4-8c70-747d8dd150b6', '+905 02810-3102', '2025-04-06 23:04:29.899', '2025-04-06 23:10:15.344', true);
INSERT INTO public.conversations VALUES ('7cc8cfbd-0342-4d20-b55c-98fd672fed1e', '750839e6-ff69-4120-932d-0c7cd1ed2c69', '919059680512', '2025-05-26 19:06:08.47', '2025-05-26 19:11:14.567', true);
INSERT INTO public.conversations VALUES ('68e7a836-1460-48e5-84e4-6ec5df723e4f', 'e8376427-6b6d-487c-8616-9a23ec9bf61c', 'web-fr8clp-fuimx5', '2024-12-14 20:42:33.556', '2024-12-14 20:42:34.031', true);
INSERT INTO public.conversations VALUES ('65774a8a-19a0-4904-9a06-1c76d39385b1', '750839e6-ff69-4120-932d-0c7cd1ed2c69', '16295748490', '2025-02-19 00:51:22.713', '2025-02-19 01:00:11.452', false);
INSERT INTO public.conversations VALUES ('31ee78fa-c8f5-46a6-babe-7787b1d0c343', '8aff2901-46e2-4c13-b330-47e1a5dc7682', '17841071913782479', '2025-05-31 21:37:32.846', '2025-05-31 21:37:41.16', true);
INSERT INTO public.conversations VALUES ('be3ee00b-ae6b-4f62-b007-247fcd283376', '4b7379b0-6315-4b8c-b42b-fabbfcc4e19e', '17841071913782479', '2025-04-13 00:02:28.13', NULL, false);
INSERT INTO public.conversations VALUES ('bb1d08d7-ea8f-47cc-ab9d-008a820d9c18', 'b9a539fd-8168-4f44-8760-e5da9d52cc81', '+16531816468', '2025-05-31 22:50:45.086', NULL, true);
INSERT INTO public.conversations VALUES ('49181a11-99da-4d86-9810-e6c86f26a4f4', '750839e6-ff69-4120-932d-0c7cd1ed2c69', '+3538149850457', '2025-05-31 23:52:52.89', '2025-05-31 23:53:12.848', true);
INSERT INTO public.conversations VALUES ('69482333-b3d1-44c2-85b7-478cc825f35c', 'e8376427-6b6d-487c-8616-9a23ec9bf61c', '+3538149850457', '2025-05-05 23:15:44', '2025-05-05 23:15:44.265', false);
INSERT INTO public.conversations VALUES ('e7d31f0e-7367-426a-9c5f-7e021584a363', '750839e6-ff69-4120-932d-0c7cd1ed2c69', '971767884446', '2025-02-06 20:06:08.244', '2025-02-06 20:06:27.361', true);
INSERT INTO public.conversations VALUES ('e9041620-7aa6-4699-9b3f-dab61f2899a9', 'e8376427-6b6d-487c-8616-9a23ec9bf61c', 'web-fc5asz-6l7fjo', '2025-04-30 10:02:49.994', '2025-04-30 10:02:50.451', true);
INSERT INTO public.conversations VALUES ('f7acca7f-c622-4816-ad60-13771e6891e8', '7f2354f8-b05a-434d-9253-47c8ce26b9fd', '+49 151 7777', '2025-01-03 18:52:16.634', '2025-01-03 18:52:22.546', true);
INSERT INTO public.extractions VALUES ('8fae81ce-ebae-4a6c-a908-df3824853d3e', '26a34d17-5f26-49de-b37d-8439ab7d77ba', '245f1485-a020-59d0-852a-6e4532bbe900', '2348083831190', '2024-06-08 00:29:20.281689', false, NULL, NULL, NULL, 1, 1, 1, 3, 2, 8, 'Cold  ');
INSERT INTO public.extractions VALUES ('452af5ec-b24c-48fe-8631-ba163c24d027', '26a34d17-5f26-49de-b37d-8439ab7d77ba', '245f1485-a020-59d0-852a-6e4532bbe900', '2348083831190', '2024-06-08 00:29:28.218351', true, 'Amara Okafor', NULL, '', 3, 2, 2, 2, 3, 12, 'Hot');
INSERT INTO public.extractions VALUES ('e0145340-bb49-446a-b3bc-a8fbf82399f6', '35f394a1-50f6-4c11-ad2a-c8ee863a9ab0', '245f1485-a020-59d0-852a-6e4532bbe900', '905319899168', '2024-07-22 08:25:51.03134', true, 'Işıl Öztürk', 'isil_ozturk@gmail.com', 'Copper Kettle Catering', 1, 2, 2, 1, 1, 7, 'Cold  ');
INSERT INTO public.extractions VALUES ('80097891-bce0-4a96-9adb-d58e58518451', '1d20b74e-6f47-490c-bb53-0615d297aed8', '245f1485-a020-59d0-852a-6e4532bbe900', '17841435555967146', '2025-05-31 13:06:37.730925', true, NULL, 'kavya.yadav@fastmail.com', 'Delhi Furniture House', 1, 2, 1, 1, 3, 8, 'COLD');
INSERT INTO public.extractions VALUES ('c2ebcfb6-1c63-4699-b1e0-21a58a128558', 'e360b2ca-4080-4875-b5dd-0786773b994f', '245f1485-a020-59d0-852a-6e4532bbe900', '628174001135', '2025-03-05 22:50:42.503569', true, 'Sari Setiawan', 'sari.setiawan58@example.org', 'Kaveri Foods Pvt. Ltd.', 2, 3, 1, 2, 2, 10, 'Warm
');
INSERT INTO public.extractions VALUES ('2c2c3c44-b694-42b2-bfcd-5bf7f7ddae1f', '34656f2b-d22c-4356-924b-95d865b2dfdf', '245f1485-a020-59d0-852a-6e4532bbe900', 'web-2k0gqi-708lne', '2025-02-07 05:05:23.300947', false, NULL, NULL, NULL, 3, 1, 1, 1, 1, 7, 'Not interested');
INSERT INTO public.extractions VALUES ('a06e1ee7-9c31-4b71-905c-b91f738a5ce7', '34656f2b-d22c-4356-924b-95d865b2dfdf', '245f1485-a020-59d0-852a-6e4532bbe900', 'web-2k0gqi-708lne', '2025-02-07 05:05:23.300016', false, '  ', 'zuzanna.dabrowski@gmail.com', NULL, 1, 2, 3, 1, 1, 8, 'COLD');
INSERT INTO public.extractions VALUES ('e0d12c62-ddd6-48fb-8769-150cf88350f1', '34656f2b-d22c-4356-924b-95d865b2dfdf', '245f1485-a020-59d0-852a-6e4532bbe900', 'web-2k0gqi-708lne', '2025-02-07 05:05:50.386778', true, 'Zuzanna Dąbrowski', 'zuzanna.dabrowski@gmail.com', NULL, 3, 1, 2, 1, 1, 8, 'Cold');
INSERT INTO public.extractions VALUES ('535cb956-ac78-41d0-9724-bf04d14eb842', '812d7138-6e0a-4812-b19e-c43f0756f4b5', '245f1485-a020-59d0-852a-6e4532bbe900', '905028103102', '2025-04-06 23:07:22.980332', false, 'Işıl Aydın', NULL, 'Mumbai Spice Co.', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.extractions VALUES ('5618ba6e-eaf6-4e9f-914d-78d8e1577f2d', '812d7138-6e0a-4812-b19e-c43f0756f4b5', '245f1485-a020-59d0-852a-6e4532bbe900', '905028103102', '2025-04-06 23:10:23.798636', true, 'Işıl', '', 'Mumbai Spice Co.', 2, 3, 3, 2, 3, 12, 'Hot');
INSERT INTO public.extractions VALUES ('cfeaa264-697a-4c2e-9f5f-85337f34cad2', '7cc8cfbd-0342-4d20-b55c-98fd672fed1e', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '919059680512', '2025-05-26 19:11:35.231419', true, 'Rohan', NULL, NULL, 2, 3, 3, 2, 2, 12, ' Hot ');
INSERT INTO public.extractions VALUES ('5632f0de-149f-4828-8b9c-b523de646b46', '68e7a836-1460-48e5-84e4-6ec5df723e4f', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'web-fr8clp-fuimx5', '2024-12-14 20:43:13.51115', true, NULL, 'joaomagalhaes76@outlook.com', NULL, 1, 1, 1, 1, 2, 6, 'Cold');
INSERT INTO public.extractions VALUES ('d67ba7b7-c955-47e1-9573-026e63dc6ff5', '65774a8a-19a0-4904-9a06-1c76d39385b1', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '16295748490', '2025-02-19 01:00:42.382981', false, 'Emma Martinez', '', 'Fresh Fold Laundry', 1, 2, 1, 2, 2, 8, ' cold');
INSERT INTO public.extractions VALUES ('927e8876-ad71-48b0-8c7c-c37b7f8fc7a7', '31ee78fa-c8f5-46a6-babe-7787b1d0c343', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '17841071913782479', '2025-05-31 21:38:16.091836', true, 'กมล', 'kamon.wongthai21@proton.me', NULL, 1, 3, 1, 1, 1, 7, 'cold');
INSERT INTO public.extractions VALUES ('57d7ff37-ff28-48f3-af94-4c905a3c014a', 'be3ee00b-ae6b-4f62-b007-247fcd283376', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '17841071913782479', '2025-04-13 00:02:52.576105', false, 'กมล', 'kamon.wongthai21@proton.me', '	', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.extractions VALUES ('dee52e04-8ef2-4da3-afc9-5f7b4d7f8665', 'bb1d08d7-ea8f-47cc-ab9d-008a820d9c18', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '16531816468', '2025-05-31 22:50:45.597274', true, 'Dana Carter', 'danacarter2@yahoo.com', NULL, 2, 2, 2, 1, 1, 8, 'Cold');
INSERT INTO public.extractions VALUES ('5f5633ac-6a9b-425d-9377-37790efabc14', '69482333-b3d1-44c2-85b7-478cc825f35c', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '3538149850457', '2025-05-05 23:15:44.265968', false, 'Niamh', NULL, '', 2, 1, 2, 1, 1, 7, '');
INSERT INTO public.extractions VALUES ('b78fef54-7abf-46bb-abc7-64d24f31ba2a', '69482333-b3d1-44c2-85b7-478cc825f35c', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '3538149850457', '2025-05-05 23:15:44.265528', false, NULL, NULL, 'Café Été', 2, 1, 2, 2, 2, 9, 'Warm');
INSERT INTO public.extractions VALUES ('08295a57-6777-4312-85b6-3b67169aa5d6', '69482333-b3d1-44c2-85b7-478cc825f35c', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '3538149850457', '2025-05-05 23:15:44.265923', false, '', NULL, NULL, 1, 1, 2, 2, 1, 7, 'Cold');
INSERT INTO public.extractions VALUES ('ace3492b-bb53-4e63-a026-1786fa6e7868', '69482333-b3d1-44c2-85b7-478cc825f35c', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '3538149850457', '2025-05-05 23:15:44.265512', false, 'Niamh Murphy', 'niamh.murphy@icloud.com', 'Café Été', 2, 1, 2, 1, 2, 8, 'Cold');
INSERT INTO public.extractions VALUES ('c8ed3573-f2ea-4bd5-801a-d96a0b19fd59', '69482333-b3d1-44c2-85b7-478cc825f35c', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '3538149850457', '2025-05-05 23:16:05.192987', true, 'Niamh Murphy', NULL, '', 1, 1, 1, 3, 2, 8, 'Cold');
INSERT INTO public.extractions VALUES ('0fcc59b1-21be-42ba-b687-6a55f5f33cc6', 'e7d31f0e-7367-426a-9c5f-7e021584a363', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '971767884446', '2025-02-06 20:06:53.01345', true, 'محمد النجار', 'mohammed.alnajjar13@hotmail.com', 'Globex', 2, 3, 1, 1, 3, 10, 'Warm');
INSERT INTO public.extractions VALUES ('60155e38-1008-44c1-8914-7c03e5b5ba2b', 'e9041620-7aa6-4699-9b3f-dab61f2899a9', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'web-fc5asz-6l7fjo', '2025-04-30 10:03:06.397713', true, 'Gaurav Joshi', 'gauravjoshi@proton.me', NULL, 3, 2, 3, 1, 3, 12, 'Hot');
INSERT INTO public.messages VALUES ('wamid.HBgMOTA1MzE5ODk5MTY4FQIAEhgUMDMxNUEzMTdFQ0RDOTg1MzgzOTAA', '35f394a1-50f6-4c11-ad2a-c8ee863a9ab0', 'user', 'Interested, please call me back', '2024-07-22 04:19:23.25', 'sent', 1);
INSERT INTO public.messages VALUES ('wamid.HBgMOTA1MzE5ODk5MTY4FQIAEhgUMDFDNTMzM0I2OEYxN0RBNjRDNDgA', '35f394a1-50f6-4c11-ad2a-c8ee863a9ab0', 'user', 'My budget is around $49', '2024-07-22 08:25:29.988', 'sent', 3);
INSERT INTO public.messages VALUES ('wamid.HBgRMTc4NDE0MzU1NTU5NjcxNDYVAgASGBQ2MjRFMjJBNTVENUVCMkREQzY4NwA=', '1d20b74e-6f47-490c-bb53-0615d297aed8', 'user', 'नमस्ते, मेरा नाम काव्या है', '2025-05-31 13:06:25.791', 'sent', 1);
INSERT INTO public.messages VALUES ('wamid.HBgMNjI4MTc0MDAxMTM1FQIAEhgUMjU1RUM2NjdEQzZCODgyMEU1NjAA', 'e360b2ca-4080-4875-b5dd-0786773b994f', 'user', 'hello, i saw your ad on instagram', '2025-03-05 01:13:48.394', 'sent', 1);
INSERT INTO public.messages VALUES ('out-1741137232016-noca3deow', 'e360b2ca-4080-4875-b5dd-0786773b994f', 'agent', 'Hi Sari! Great that you found us. Which of our offers caught your eye?', '2025-03-05 01:13:52.016', 'read', 2);
INSERT INTO public.messages VALUES ('wamid.HBgMNjI4MTc0MDAxMTM1FQIAEhgUNDY2N0QyRDlENURGMDBENkNDOUIA', 'e360b2ca-4080-4875-b5dd-0786773b994f', 'user', 'How long is the warranty on the espresso machine?', '2025-03-05 01:21:06.811', 'read', 3);
INSERT INTO public.messages VALUES ('out-1741137683258-cx8fyip1e', 'e360b2ca-4080-4875-b5dd-0786773b994f', 'agent', 'Two years on the espresso machine, extendable to five. I can send you the terms as a PDF.', '2025-03-05 01:21:23.258', 'delivered', 4);
INSERT INTO public.messages VALUES ('wamid.HBgMNjI4MTc0MDAxMTM1FQIAEhgUNDdBREY1QjNDN0MwQTQ3ODMyRjMA', 'e360b2ca-4080-4875-b5dd-0786773b994f', 'user', 'How long is the warranty on the family tour?', '2025-03-05 01:26:43.444', 'sent', 5);
INSERT INTO public.messages VALUES ('out-1741138018508-bhgfybkz9', 'e360b2ca-4080-4875-b5dd-0786773b994f', 'agent', 'Two years on the family tour, extendable to five. I can send you the terms as a PDF.', '2025-03-05 01:26:58.508', 'read', 6);
INSERT INTO public.messages VALUES ('wamid.HBgMNjI4MTc0MDAxMTM1FQIAEhgUNjVBQUEyN0RDM0VBQ0Y1MDk3QzcA', 'e360b2ca-4080-4875-b5dd-0786773b994f', 'user', 'Is the offer from last week still valid?', '2025-03-05 22:50:05.568', 'sent', 7);
INSERT INTO public.messages VALUES ('wamid.HBgMNjI4NzkyMDM1MTI0FQIAEhgURjBCMTVCOTdCMTA0QTc0RDgzQzgA', 'f7acca7f-c622-4816-ad60-13771e6891e8', 'user', 'I got your number from a friend', '2025-01-03 18:52:17.381', 'sent', 1);
INSERT INTO public.messages VALUES ('wamid.HBgMOTA1MDI4MTAzMTAyFQIAEhgUNDY2RTkwNjQ4MTBDOTc1RTVFNkYA', '812d7138-6e0a-4812-b19e-c43f0756f4b5', 'user', 'Hi, this is Işıl', '2025-04-06 23:04:30.616', 'sent', 1);
INSERT INTO public.messages VALUES ('out-1743980685144-0r306zp5q', '812d7138-6e0a-4812-b19e-c43f0756f4b5', 'agent', 'Hello Işıl! 👋 Thanks for reaching out. What are you looking for today?', '2025-04-06 23:04:45.144', 'sent', 2);
INSERT INTO public.messages VALUES ('wamid.HBgMOTA1MDI4MTAzMTAyFQIAEhgUNUUzQzY2ODZCMDBDM0U4ODc2RTgA', '812d7138-6e0a-4812-b19e-c43f0756f4b5', 'user', 'Not interested right now, maybe later', '2025-04-06 23:10:03.625', 'sent', 3);
INSERT INTO public.messages VALUES ('out-1743981015344-l467sn2lv', '812d7138-6e0a-4812-b19e-c43f0756f4b5', 'agent', 'No problem at all. May I check in with you again in a month?', '2025-04-06 23:10:15.344', 'sent', 4);
INSERT INTO public.messages VALUES ('wamid.HBgMOTE5MDU5NjgwNTEyFQIAEhgUM0UyMUVFMDY5MDFBMzdCMkU3MkQA', '7cc8cfbd-0342-4d20-b55c-98fd672fed1e', 'user', 'Hi, my name is Rohan. I would like some information please.', '2025-05-26 19:06:08.568', 'sent', 1);
INSERT INTO public.messages VALUES ('out-1748286379403-f14gypfwl', '7cc8cfbd-0342-4d20-b55c-98fd672fed1e', 'agent', 'Thanks, Rohan! How can I help you today? May I have your email to send detailed docs?', '2025-05-26 19:06:19.403', 'read', 2);
INSERT INTO public.messages VALUES ('wamid.HBgMOTE5MDU5NjgwNTEyFQIAEhgUMzk4MkVDMDA1ODAwNzlCMDQyRDMA', '7cc8cfbd-0342-4d20-b55c-98fd672fed1e', 'user', 'Who will be our contact after signing?', '2025-05-26 19:11:14.56', 'sent', 3);
INSERT INTO public.messages VALUES ('wamid.HBgRd2ViLWZyOGNscC1mdWlteDUVAgASGBQwQURENUM2NTkxQTRCQTBCNkQ0NAA=', '68e7a836-1460-48e5-84e4-6ec5df723e4f', 'user', 'Olá, meu nome é João', '2024-12-14 20:42:34.031', 'sent', 1);
INSERT INTO public.messages VALUES ('wamid.HBgLMTYyOTU3NDg0OTAVAgASGBRCQUZEQzEzREYzNUVCRDk5NkQyQQA=', '65774a8a-19a0-4904-9a06-1c76d39385b1', 'user', 'Hi, this is there', '2025-02-19 00:51:23.416', 'sent', 1);
INSERT INTO public.messages VALUES ('out-1739926287758-m60je9o0q', '65774a8a-19a0-4904-9a06-1c76d39385b1', 'agent', 'Hello there! 👋 Thanks for reaching out. What are you looking for today?', '2025-02-19 00:51:27.758', 'delivered', 2);
INSERT INTO public.messages VALUES ('wamid.HBgLMTYyOTU3NDg0OTAVAgASGBQ2QkQ5OUU5OTA5N0Y2MTZGOENGQQA=', '65774a8a-19a0-4904-9a06-1c76d39385b1', 'user', 'We need the 2 BHK apartment for about 40 people, is that possible?', '2025-02-19 00:54:58.052', 'sent', 3);
INSERT INTO public.messages VALUES ('out-1739926514456-fym2ewkun', '65774a8a-19a0-4904-9a06-1c76d39385b1', 'agent', 'Yes, that is quite a usual size for us. What is your date, and is the venue in Mumbai?', '2025-02-19 00:55:14.456', 'read', 4);
INSERT INTO public.messages VALUES ('wamid.HBgLMTYyOTU3NDg0OTAVAgASGBQyMDE3QjIzOTU4NDRDRTU4OTYzQwA=', '65774a8a-19a0-4904-9a06-1c76d39385b1', 'user', 'thanks a lot, that was quick!', '2025-02-19 00:58:22.436', 'sent', 5);
INSERT INTO public.messages VALUES ('out-1739926707370-3rzce53x4', '65774a8a-19a0-4904-9a06-1c76d39385b1', 'agent', 'You''re very welcome! Is there anything else I can help you with? 😊', '2025-02-19 00:58:27.37', 'read', 6);
INSERT INTO public.messages VALUES ('wamid.HBgLMTYyOTU3NDg0OTAVAgASGBQ4NzcyRkQ4RDAyNUU0ODc4RUIzNQA=', '65774a8a-19a0-4904-9a06-1c76d39385b1', 'user', 'Can you deliver to Dubai?', '2025-02-19 00:59:52.805', 'sent', 7);
INSERT INTO public.messages VALUES ('out-1739926811452-09ee087fr', '65774a8a-19a0-4904-9a06-1c76d39385b1', 'agent', 'We deliver to Dubai twice a week. Which area is it exactly?', '2025-02-19 01:00:11.452', 'sent', 8);
INSERT INTO public.messages VALUES ('wamid.HBgRMTc4NDEwNzE5MTM3ODI0NzkVAgASGBQ5NEMyRTgyQzY1RTMxNjFFMjU0QgA=', '31ee78fa-c8f5-46a6-babe-7787b1d0c343', 'user', 'Good morning, is anybody there?', '2025-05-31 21:37:33.583', 'sent', 1);
INSERT INTO public.messages VALUES ('out-1748727461160-ozjhxfkfr', '31ee78fa-c8f5-46a6-babe-7787b1d0c343', 'agent', 'Good morning! I''m the assistant here, happy to help. May I know your name?', '2025-05-31 21:37:41.16', 'read', 2);
INSERT INTO public.messages VALUES ('wamid.HBgNMzUzODE0OTg1MDQ1NxUCABIYFDJFRTEyNzU5ODFCMUE2QkYzMTM4AA==', '49181a11-99da-4d86-9810-e6c86f26a4f4', 'user', 'Good morning, is anybody there?', '2025-05-31 23:52:53.609', 'sent', 1);
INSERT INTO public.messages VALUES ('out-1748735575756-k0zowri4q', '49181a11-99da-4d86-9810-e6c86f26a4f4', 'agent', 'Good morning! I''m the assistant here, happy to help. May I know your name?', '2025-05-31 23:52:55.756', 'failed', 2);
INSERT INTO public.messages VALUES ('wamid.HBgNMzUzODE0OTg1MDQ1NxUCABIYFDE2ODUzQ0Q3NDZBRUY3QjQ2RTdGAA==', '49181a11-99da-4d86-9810-e6c86f26a4f4', 'user', 'Do you offer monthly instalments?', '2025-05-31 23:53:12.848', 'sent', 3);
INSERT INTO public.messages VALUES ('wamid.HBgNMzUzODE0OTg1MDQ1NxUCABIYFDI3QTc1Mjc0NUZGNTcwODY2RTk5AA==', '69482333-b3d1-44c2-85b7-478cc825f35c', 'user', 'Hi, my name is Niamh. I would like some information please.', '2025-05-05 23:15:44.265', 'sent', 1);
INSERT INTO public.messages VALUES ('wamid.HBgMOTcxNzY3ODg0NDQ2FQIAEhgURDdCRDNEMDhDNEM5MjA3RDk4QUIA', 'e7d31f0e-7367-426a-9c5f-7e021584a363', 'user', 'مرحبا، أريد الاستفسار عن الأسعار', '2025-02-06 20:06:09.188', 'sent', 1);
INSERT INTO public.messages VALUES ('out-1738872387361-ls41vhccd', 'e7d31f0e-7367-426a-9c5f-7e021584a363', 'agent', 'أهلاً محمد! يسعدنا تواصلك معنا. ما هو المنتج الذي تبحث عنه؟', '2025-02-06 20:06:27.361', 'failed', 2);
INSERT INTO public.messages VALUES ('out-1735930342546-iim6eqee0', 'f7acca7f-c622-4816-ad60-13771e6891e8', 'agent', 'That''s lovely to hear! Please thank them from us. What can I do for you, Budi?', '2025-01-03 18:52:22.546', 'failed', 2);
INSERT INTO public.messages VALUES ('out-1721621981313-11meb5dbz', '35f394a1-50f6-4c11-ad2a-c8ee863a9ab0', 'agent', 'Of course! When would be a good time to call, and what should we talk about?', '2024-07-22 04:19:41.313', 'failed', 2);
INSERT INTO public.phone_numbers VALUES ('2640269e-0efd-4420-abdf-6a39a75df7fd', '245f1485-a020-59d0-852a-6e4532bbe900', 'whatsapp', '102267137018742', NULL, 'Sales');
INSERT INTO public.phone_numbers VALUES ('5891af36-998e-40e3-9f7a-1cc1f9211403', '245f1485-a020-59d0-852a-6e4532bbe900', 'whatsapp', '102175281314512', NULL, 'Support');
INSERT INTO public.phone_numbers VALUES ('dea35597-7220-446d-961e-5a59d59641d4', '245f1485-a020-59d0-852a-6e4532bbe900', 'instagram', '108290411681815', NULL, 'Instagram');
INSERT INTO public.phone_numbers VALUES ('845e8fa6-d98d-47bf-9116-d1a2fb27fab6', '245f1485-a020-59d0-852a-6e4532bbe900', 'webchat', '103302723576100', NULL, 'Website');
INSERT INTO public.phone_numbers VALUES ('db684feb-7969-408e-8ba3-3c2e7b02d1e1', '245f1485-a020-59d0-852a-6e4532bbe900', 'webchat', '106672296947066', NULL, 'Landing page');
INSERT INTO public.phone_numbers VALUES ('fef3f9bf-4283-4eb1-944d-38d96bdd6afe', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'whatsapp', '101155251677471', NULL, 'Sales');
INSERT INTO public.phone_numbers VALUES ('36807015-21db-4351-87d5-0e3d42ae9164', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'whatsapp', '108673483141810', NULL, 'Support');
INSERT INTO public.phone_numbers VALUES ('5d78ef8b-ace1-478e-b905-cc766cee65d9', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'instagram', '108491724722781', NULL, 'Instagram');
INSERT INTO public.phone_numbers VALUES ('e294b802-dfb4-459a-a8f7-723e425c5474', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'webchat', '106214269849158', NULL, 'Website');
INSERT INTO public.phone_numbers VALUES ('643665b3-6176-43c7-8717-edffeec37b93', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'webchat', '108415558626295', NULL, 'Landing page');
INSERT INTO public.template_sends VALUES ('f3bc608d-0008-455b-88c2-2eab1f1b6807', 'ea8c768b-5e97-4e25-a531-d928f16d3ab3', '1348b8ad-2191-40b8-9c5d-54739e5a66d1', '+525701865179', 'DELIVERED', '2024-08-18 07:33:18.840811', '2024-08-18 07:33:18.255');
INSERT INTO public.template_sends VALUES ('626cc684-28a8-4ca0-8ff7-756ae1888829', '63230523-73ca-4d07-9fca-aafc9fa02862', NULL, '16937933157', 'DELIVERED', '2024-05-15 09:31:43.632513', '2024-05-15 09:31:32.718');
INSERT INTO public.template_sends VALUES ('d81d0733-63cb-43c2-ab54-9cce9d3a9e88', 'ea8c768b-5e97-4e25-a531-d928f16d3ab3', NULL, '+16937933157', 'FAILED', NULL, '2024-05-19 00:25:37.39');
INSERT INTO public.template_sends VALUES ('8b07d2a5-2ad1-4693-b6f5-22553471fec7', '63230523-73ca-4d07-9fca-aafc9fa02862', NULL, '16937933157', 'PENDING', NULL, '2024-05-13 06:01:16.469');
INSERT INTO public.template_sends VALUES ('bbed4524-a0b0-4b1a-9123-4e4fa5d93e6d', '5e33b798-a5ba-4389-97fe-92f679dedfab', NULL, '3538149850457', 'DELIVERED', '2025-05-31 23:57:36.046275', '2025-05-31 23:57:16.977');
INSERT INTO public.template_sends VALUES ('a11bb14d-0fa3-4721-9f5c-a02754e03bdf', '5e33b798-a5ba-4389-97fe-92f679dedfab', NULL, '66385918435', 'SENT', '2024-09-11 04:37:30.731482', '2024-09-11 04:37:12.01');
INSERT INTO public.template_sends VALUES ('5d24f9f4-398d-48aa-9f9c-9d5f62f8796a', '26893193-50a1-42fc-9bba-8729656dbdd7', NULL, '+66385918435', 'DELIVERED', '2024-07-18 21:09:48.587454', '2024-07-18 21:09:32.343');
INSERT INTO public.template_sends VALUES ('b9c29690-a478-4f33-b5bd-96f722a3aa5c', '26893193-50a1-42fc-9bba-8729656dbdd7', NULL, '+66385918435', 'READ', '2024-09-05 20:51:57.313155', '2024-09-05 20:51:52.136');
INSERT INTO public.templates VALUES ('ea8c768b-5e97-4e25-a531-d928f16d3ab3', '245f1485-a020-59d0-852a-6e4532bbe900', '5891af36-998e-40e3-9f7a-1cc1f9211403', 'welcome_offer');
INSERT INTO public.templates VALUES ('52b10677-da69-431d-b491-c5d4035a3312', '245f1485-a020-59d0-852a-6e4532bbe900', '2640269e-0efd-4420-abdf-6a39a75df7fd', 'order_update');
INSERT INTO public.templates VALUES ('63230523-73ca-4d07-9fca-aafc9fa02862', '245f1485-a020-59d0-852a-6e4532bbe900', '5891af36-998e-40e3-9f7a-1cc1f9211403', 'festival_sale');
INSERT INTO public.templates VALUES ('d234478b-bf5d-4335-8bf7-2a4a0199e973', '245f1485-a020-59d0-852a-6e4532bbe900', '5891af36-998e-40e3-9f7a-1cc1f9211403', 'appointment_reminder');
INSERT INTO public.templates VALUES ('ec25a74f-8e07-46db-aa46-d46ff37d97d2', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'fef3f9bf-4283-4eb1-944d-38d96bdd6afe', 'welcome_offer');
INSERT INTO public.templates VALUES ('14eeaaea-c6bf-408a-b8bb-496cde711cb8', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', 'fef3f9bf-4283-4eb1-944d-38d96bdd6afe', 'order_update');
INSERT INTO public.templates VALUES ('5e33b798-a5ba-4389-97fe-92f679dedfab', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '36807015-21db-4351-87d5-0e3d42ae9164', 'festival_sale');
INSERT INTO public.templates VALUES ('26893193-50a1-42fc-9bba-8729656dbdd7', 'd35aef6b-8f8d-5f63-968a-5e9f3381921e', '36807015-21db-4351-87d5-0e3d42ae9164', 'appointment_reminder');
INSERT INTO public.users VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'owner@245f1485.example', 'Benchmark tenant 1', '2024-04-27 00:00:00', '2024-04-27 00:00:00');
INSERT INTO public.users VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'owner@d35aef6b.example', 'Benchmark tenant 2', '2024-04-27 00:00:00', '2024-04-27 00:00:00');
INSERT INTO read_model.freshness VALUES (true, '2026-11-25 22:10:24.418757+00', '{"2026-11-25 22:10:24.418757+00","2026-11-25 22:10:24.448866+00","2026-11-25 22:10:24.459133+00","2026-11-25 22:10:24.475132+00"}');
INSERT INTO read_model.lead_conversations VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '2348083831190', '26a34d17-5f26-49de-b37d-8439ab7d77ba', '7f2354f8-b05a-434d-9253-47c8ce26b9fd', 'Sales assistant', 'whatsapp', '2640269e-0efd-4420-abdf-6a39a75df7fd', true, '2024-06-08 00:29:20.201+00', NULL, 0, NULL, NULL);
INSERT INTO read_model.lead_conversations VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '525701865179', '1348b8ad-2191-40b8-9c5d-54739e5a66d1', '3fbb419e-f99a-46f4-8c70-747d8dd150b6', 'Support assistant', 'whatsapp', '5891af36-998e-40e3-9f7a-1cc1f9211403', true, '2024-08-09 03:14:10.381+00', NULL, 0, NULL, NULL);
INSERT INTO read_model.lead_conversations VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '905319899168', '35f394a1-50f6-4c11-ad2a-c8ee863a9ab0', '7f2354f8-b05a-434d-9253-47c8ce26b9fd', 'Sales assistant', 'whatsapp', '2640269e-0efd-4420-abdf-6a39a75df7fd', false, '2024-07-22 04:19:22.687+00', '2024-07-22 08:25:29.95+00', 3, '2024-07-22 04:19:23.25+00', '2024-07-22 08:25:29.988+00');
INSERT INTO read_model.lead_conversations VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '17841435555967146', '1d20b74e-6f47-490c-bb53-0615d297aed8', '47186a18-76b2-4567-a05c-02c19e874452', 'Social assistant', 'instagram', 'dea35597-7220-446d-961e-5a59d59641d4', true, '2025-05-31 13:06:25.08+00', '2025-05-31 13:06:25.798+00', 1, '2025-05-31 13:06:25.791+00', '2025-05-31 13:06:25.791+00');
INSERT INTO read_model.lead_conversations VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '628174001135', 'e360b2ca-4080-4875-b5dd-0786773b994f', '3fbb419e-f99a-46f4-8c70-747d8dd150b6', 'Support assistant', 'whatsapp', '5891af36-998e-40e3-9f7a-1cc1f9211403', false, '2025-03-05 01:13:48.286+00', '2025-03-05 22:50:05.568+00', 7, '2025-03-05 01:13:48.394+00', '2025-03-05 22:50:05.568+00');
INSERT INTO read_model.lead_conversations VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '628792035124', 'f7acca7f-c622-4816-ad60-13771e6891e8', '7f2354f8-b05a-434d-9253-47c8ce26b9fd', 'Sales assistant', 'whatsapp', '2640269e-0efd-4420-abdf-6a39a75df7fd', true, '2025-01-03 18:52:16.634+00', '2025-01-03 18:52:22.546+00', 2, '2025-01-03 18:52:17.381+00', '2025-01-03 18:52:22.546+00');
INSERT INTO read_model.lead_conversations VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'web-2k0gqi-708lne', '34656f2b-d22c-4356-924b-95d865b2dfdf', '7e585b23-346e-4cc2-a8c6-4d83c3079eba', 'Campaign assistant 🚀', 'webchat', 'db684feb-7969-408e-8ba3-3c2e7b02d1e1', false, '2025-02-07 05:05:22.938+00', '2025-02-07 05:05:23.3+00', 0, NULL, NULL);
INSERT INTO read_model.lead_conversations VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'web-2k0gqi-708lne', '71f5ee32-0d87-4c4e-acba-fcd382e32b0c', '7e585b23-346e-4cc2-a8c6-4d83c3079eba', 'Campaign assistant 🚀', 'webchat', 'db684feb-7969-408e-8ba3-3c2e7b02d1e1', false, '2025-02-01 13:35:08.593+00', '2025-02-01 13:35:08.68+00', 0, NULL, NULL);
INSERT INTO read_model.lead_conversations VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '905028103102', '812d7138-6e0a-4812-b19e-c43f0756f4b5', '3fbb419e-f99a-46f4-8c70-747d8dd150b6', 'Support assistant', 'whatsapp', '5891af36-998e-40e3-9f7a-1cc1f9211403', true, '2025-04-06 23:04:29.899+00', '2025-04-06 23:10:15.344+00', 4, '2025-04-06 23:04:30.616+00', '2025-04-06 23:10:15.344+00');
INSERT INTO read_model.lead_conversations VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '919059680512', '7cc8cfbd-0342-4d20-b55c-98fd672fed1e', '750839e6-ff69-4120-932d-0c7cd1ed2c69', 'Support assistant', 'whatsapp', '36807015-21db-4351-87d5-0e3d42ae9164', true, '2025-05-26 19:06:08.47+00', '2025-05-26 19:11:14.567+00', 3, '2025-05-26 19:06:08.568+00', '2025-05-26 19:11:14.56+00');
INSERT INTO read_model.lead_conversations VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'web-fr8clp-fuimx5', '68e7a836-1460-48e5-84e4-6ec5df723e4f', 'e8376427-6b6d-487c-8616-9a23ec9bf61c', 'Website assistant', 'webchat', 'e294b802-dfb4-459a-a8f7-723e425c5474', true, '2024-12-14 20:42:33.556+00', '2024-12-14 20:42:34.031+00', 1, '2024-12-14 20:42:34.031+00', '2024-12-14 20:42:34.031+00');
INSERT INTO read_model.lead_conversations VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '16295748490', '65774a8a-19a0-4904-9a06-1c76d39385b1', '750839e6-ff69-4120-932d-0c7cd1ed2c69', 'Support assistant', 'whatsapp', '36807015-21db-4351-87d5-0e3d42ae9164', false, '2025-02-19 00:51:22.713+00', '2025-02-19 01:00:11.452+00', 8, '2025-02-19 00:51:23.416+00', '2025-02-19 01:00:11.452+00');
INSERT INTO read_model.lead_conversations VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '17841071913782479', '31ee78fa-c8f5-46a6-babe-7787b1d0c343', '8aff2901-46e2-4c13-b330-47e1a5dc7682', 'Social assistant', 'instagram', '5d78ef8b-ace1-478e-b905-cc766cee65d9', true, '2025-05-31 21:37:32.846+00', '2025-05-31 21:37:41.16+00', 2, '2025-05-31 21:37:33.583+00', '2025-05-31 21:37:41.16+00');
INSERT INTO read_model.lead_conversations VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '17841071913782479', 'be3ee00b-ae6b-4f62-b007-247fcd283376', '4b7379b0-6315-4b8c-b42b-fabbfcc4e19e', 'Campaign assistant 🚀', 'webchat', '643665b3-6176-43c7-8717-edffeec37b93', false, '2025-04-13 00:02:28.13+00', NULL, 0, NULL, NULL);
INSERT INTO read_model.lead_conversations VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '16531816468', 'bb1d08d7-ea8f-47cc-ab9d-008a820d9c18', 'b9a539fd-8168-4f44-8760-e5da9d52cc81', 'Sales assistant', 'whatsapp', 'fef3f9bf-4283-4eb1-944d-38d96bdd6afe', true, '2025-05-31 22:50:45.086+00', NULL, 0, NULL, NULL);
INSERT INTO read_model.lead_conversations VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '3538149850457', '49181a11-99da-4d86-9810-e6c86f26a4f4', '750839e6-ff69-4120-932d-0c7cd1ed2c69', 'Support assistant', 'whatsapp', '36807015-21db-4351-87d5-0e3d42ae9164', true, '2025-05-31 23:52:52.89+00', '2025-05-31 23:53:12.848+00', 3, '2025-05-31 23:52:53.609+00', '2025-05-31 23:53:12.848+00');
INSERT INTO read_model.lead_conversations VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '3538149850457', '69482333-b3d1-44c2-85b7-478cc825f35c', 'e8376427-6b6d-487c-8616-9a23ec9bf61c', 'Website assistant', 'webchat', 'e294b802-dfb4-459a-a8f7-723e425c5474', false, '2025-05-05 23:15:44+00', '2025-05-05 23:15:44.265+00', 1, '2025-05-05 23:15:44.265+00', '2025-05-05 23:15:44.265+00');
INSERT INTO read_model.lead_conversations VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '971767884446', 'e7d31f0e-7367-426a-9c5f-7e021584a363', '750839e6-ff69-4120-932d-0c7cd1ed2c69', 'Support assistant', 'whatsapp', '36807015-21db-4351-87d5-0e3d42ae9164', true, '2025-02-06 20:06:08.244+00', '2025-02-06 20:06:27.361+00', 2, '2025-02-06 20:06:09.188+00', '2025-02-06 20:06:27.361+00');
INSERT INTO read_model.lead_conversations VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'web-fc5asz-6l7fjo', 'e9041620-7aa6-4699-9b3f-dab61f2899a9', 'e8376427-6b6d-487c-8616-9a23ec9bf61c', 'Website assistant', 'webchat', 'e294b802-dfb4-459a-a8f7-723e425c5474', true, '2025-04-30 10:02:49.994+00', '2025-04-30 10:02:50.451+00', 0, NULL, NULL);
INSERT INTO read_model.lead_day_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '2024-05-19', NULL, NULL, true, false, false, false, true, 1);
INSERT INTO read_model.lead_day_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '2024-07-22', 'Cold', 7, true, false, false, true, true, 1);
INSERT INTO read_model.lead_day_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '2025-01-03', NULL, NULL, true, false, false, false, false, 1);
INSERT INTO read_model.lead_day_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '2025-02-07', 'Cold', 8, false, false, true, true, true, 1);
INSERT INTO read_model.lead_day_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '2025-03-05', 'Warm', 10, true, false, false, true, true, 1);
INSERT INTO read_model.lead_day_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '2025-04-06', 'Hot', 12, true, false, false, true, false, 1);
INSERT INTO read_model.lead_day_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '2025-05-31', 'Cold', 8, false, true, false, true, true, 1);
INSERT INTO read_model.lead_day_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '2024-09-11', NULL, NULL, true, false, false, false, true, 1);
INSERT INTO read_model.lead_day_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '2024-12-14', 'Cold', 6, false, false, true, true, true, 1);
INSERT INTO read_model.lead_day_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '2025-02-06', 'Warm', 10, true, false, false, true, true, 1);
INSERT INTO read_model.lead_day_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '2025-02-19', 'Cold', 8, true, false, false, true, false, 1);
INSERT INTO read_model.lead_day_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '2025-04-30', 'Hot', 12, false, false, true, true, true, 1);
INSERT INTO read_model.lead_day_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '2025-05-26', 'Hot', 12, true, false, false, true, false, 1);
INSERT INTO read_model.lead_day_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '2025-05-31', 'Cold', 7, false, true, true, true, true, 1);
INSERT INTO read_model.lead_day_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '2025-05-31', 'Cold', 8, true, false, true, true, false, 1);
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'wamid.HBgMOTA1MzE5ODk5MTY4FQIAEhgUMDMxNUEzMTdFQ0RDOTg1MzgzOTAA', '905319899168', '35f394a1-50f6-4c11-ad2a-c8ee863a9ab0', '2024-07-22 04:19:23.25+00', 1, 'user', 'sent', 'Interested, please call me back');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'out-1721621981313-11meb5dbz', '905319899168', '35f394a1-50f6-4c11-ad2a-c8ee863a9ab0', '2024-07-22 04:19:41.313+00', 2, 'agent', 'sent', 'Of course! When would be a good time to call, and what should we talk about?');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'wamid.HBgMOTA1MzE5ODk5MTY4FQIAEhgUMDFDNTMzM0I2OEYxN0RBNjRDNDgA', '905319899168', '35f394a1-50f6-4c11-ad2a-c8ee863a9ab0', '2024-07-22 08:25:29.988+00', 3, 'user', 'sent', 'My budget is around $49');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'wamid.HBgRMTc4NDE0MzU1NTU5NjcxNDYVAgASGBQ2MjRFMjJBNTVENUVCMkREQzY4NwA=', '17841435555967146', '1d20b74e-6f47-490c-bb53-0615d297aed8', '2025-05-31 13:06:25.791+00', 1, 'user', 'sent', 'नमस्ते, मेरा नाम काव्या है');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'wamid.HBgMNjI4MTc0MDAxMTM1FQIAEhgUMjU1RUM2NjdEQzZCODgyMEU1NjAA', '628174001135', 'e360b2ca-4080-4875-b5dd-0786773b994f', '2025-03-05 01:13:48.394+00', 1, 'user', 'sent', 'hello, i saw your ad on instagram');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'out-1741137232016-noca3deow', '628174001135', 'e360b2ca-4080-4875-b5dd-0786773b994f', '2025-03-05 01:13:52.016+00', 2, 'agent', 'sent', 'Hi Sari! Great that you found us. Which of our offers caught your eye?');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'wamid.HBgMNjI4MTc0MDAxMTM1FQIAEhgUNDY2N0QyRDlENURGMDBENkNDOUIA', '628174001135', 'e360b2ca-4080-4875-b5dd-0786773b994f', '2025-03-05 01:21:06.811+00', 3, 'user', 'sent', 'How long is the warranty on the espresso machine?');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'out-1741137683258-cx8fyip1e', '628174001135', 'e360b2ca-4080-4875-b5dd-0786773b994f', '2025-03-05 01:21:23.258+00', 4, 'agent', 'sent', 'Two years on the espresso machine, extendable to five. I can send you the terms as a PDF.');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'wamid.HBgMNjI4MTc0MDAxMTM1FQIAEhgUNDdBREY1QjNDN0MwQTQ3ODMyRjMA', '628174001135', 'e360b2ca-4080-4875-b5dd-0786773b994f', '2025-03-05 01:26:43.444+00', 5, 'user', 'sent', 'How long is the warranty on the family tour?');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'out-1741138018508-bhgfybkz9', '628174001135', 'e360b2ca-4080-4875-b5dd-0786773b994f', '2025-03-05 01:26:58.508+00', 6, 'agent', 'sent', 'Two years on the family tour, extendable to five. I can send you the terms as a PDF.');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'wamid.HBgMNjI4MTc0MDAxMTM1FQIAEhgUNjVBQUEyN0RDM0VBQ0Y1MDk3QzcA', '628174001135', 'e360b2ca-4080-4875-b5dd-0786773b994f', '2025-03-05 22:50:05.568+00', 7, 'user', 'sent', 'Is the offer from last week still valid?');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'wamid.HBgMNjI4NzkyMDM1MTI0FQIAEhgURjBCMTVCOTdCMTA0QTc0RDgzQzgA', '628792035124', 'f7acca7f-c622-4816-ad60-13771e6891e8', '2025-01-03 18:52:17.381+00', 1, 'user', 'sent', 'I got your number from a friend');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'out-1735930342546-iim6eqee0', '628792035124', 'f7acca7f-c622-4816-ad60-13771e6891e8', '2025-01-03 18:52:22.546+00', 2, 'agent', 'sent', 'That''s lovely to hear! Please thank them from us. What can I do for you, Budi?');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'wamid.HBgMOTA1MDI4MTAzMTAyFQIAEhgUNDY2RTkwNjQ4MTBDOTc1RTVFNkYA', '905028103102', '812d7138-6e0a-4812-b19e-c43f0756f4b5', '2025-04-06 23:04:30.616+00', 1, 'user', 'sent', 'Hi, this is Işıl');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'out-1743980685144-0r306zp5q', '905028103102', '812d7138-6e0a-4812-b19e-c43f0756f4b5', '2025-04-06 23:04:45.144+00', 2, 'agent', 'sent', 'Hello Işıl! 👋 Thanks for reaching out. What are you looking for today?');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'wamid.HBgMOTA1MDI4MTAzMTAyFQIAEhgUNUUzQzY2ODZCMDBDM0U4ODc2RTgA', '905028103102', '812d7138-6e0a-4812-b19e-c43f0756f4b5', '2025-04-06 23:10:03.625+00', 3, 'user', 'sent', 'Not interested right now, maybe later');
INSERT INTO read_model.lead_messages VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'out-1743981015344-l467sn2lv', '905028103102', '812d7138-6e0a-4812-b19e-c43f0756f4b5', '2025-04-06 23:10:15.344+00', 4, 'agent', 'sent', 'No problem at all. May I check in with you again in a month?');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'wamid.HBgMOTE5MDU5NjgwNTEyFQIAEhgUM0UyMUVFMDY5MDFBMzdCMkU3MkQA', '919059680512', '7cc8cfbd-0342-4d20-b55c-98fd672fed1e', '2025-05-26 19:06:08.568+00', 1, 'user', 'sent', 'Hi, my name is Rohan. I would like some information please.');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'out-1748286379403-f14gypfwl', '919059680512', '7cc8cfbd-0342-4d20-b55c-98fd672fed1e', '2025-05-26 19:06:19.403+00', 2, 'agent', 'sent', 'Thanks, Rohan! How can I help you today? May I have your email to send detailed docs?');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'wamid.HBgMOTE5MDU5NjgwNTEyFQIAEhgUMzk4MkVDMDA1ODAwNzlCMDQyRDMA', '919059680512', '7cc8cfbd-0342-4d20-b55c-98fd672fed1e', '2025-05-26 19:11:14.56+00', 3, 'user', 'sent', 'Who will be our contact after signing?');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'wamid.HBgRd2ViLWZyOGNscC1mdWlteDUVAgASGBQwQURENUM2NTkxQTRCQTBCNkQ0NAA=', 'web-fr8clp-fuimx5', '68e7a836-1460-48e5-84e4-6ec5df723e4f', '2024-12-14 20:42:34.031+00', 1, 'user', 'sent', 'Olá, meu nome é João');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'wamid.HBgLMTYyOTU3NDg0OTAVAgASGBRCQUZEQzEzREYzNUVCRDk5NkQyQQA=', '16295748490', '65774a8a-19a0-4904-9a06-1c76d39385b1', '2025-02-19 00:51:23.416+00', 1, 'user', 'sent', 'Hi, this is there');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'out-1739926287758-m60je9o0q', '16295748490', '65774a8a-19a0-4904-9a06-1c76d39385b1', '2025-02-19 00:51:27.758+00', 2, 'agent', 'sent', 'Hello there! 👋 Thanks for reaching out. What are you looking for today?');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'wamid.HBgLMTYyOTU3NDg0OTAVAgASGBQ2QkQ5OUU5OTA5N0Y2MTZGOENGQQA=', '16295748490', '65774a8a-19a0-4904-9a06-1c76d39385b1', '2025-02-19 00:54:58.052+00', 3, 'user', 'sent', 'We need the 2 BHK apartment for about 40 people, is that possible?');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'out-1739926514456-fym2ewkun', '16295748490', '65774a8a-19a0-4904-9a06-1c76d39385b1', '2025-02-19 00:55:14.456+00', 4, 'agent', 'sent', 'Yes, that is quite a usual size for us. What is your date, and is the venue in Mumbai?');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'wamid.HBgLMTYyOTU3NDg0OTAVAgASGBQyMDE3QjIzOTU4NDRDRTU4OTYzQwA=', '16295748490', '65774a8a-19a0-4904-9a06-1c76d39385b1', '2025-02-19 00:58:22.436+00', 5, 'user', 'sent', 'thanks a lot, that was quick!');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'out-1739926707370-3rzce53x4', '16295748490', '65774a8a-19a0-4904-9a06-1c76d39385b1', '2025-02-19 00:58:27.37+00', 6, 'agent', 'sent', 'You''re very welcome! Is there anything else I can help you with? 😊');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'wamid.HBgLMTYyOTU3NDg0OTAVAgASGBQ4NzcyRkQ4RDAyNUU0ODc4RUIzNQA=', '16295748490', '65774a8a-19a0-4904-9a06-1c76d39385b1', '2025-02-19 00:59:52.805+00', 7, 'user', 'sent', 'Can you deliver to Dubai?');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'out-1739926811452-09ee087fr', '16295748490', '65774a8a-19a0-4904-9a06-1c76d39385b1', '2025-02-19 01:00:11.452+00', 8, 'agent', 'sent', 'We deliver to Dubai twice a week. Which area is it exactly?');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'wamid.HBgRMTc4NDEwNzE5MTM3ODI0NzkVAgASGBQ5NEMyRTgyQzY1RTMxNjFFMjU0QgA=', '17841071913782479', '31ee78fa-c8f5-46a6-babe-7787b1d0c343', '2025-05-31 21:37:33.583+00', 1, 'user', 'sent', 'Good morning, is anybody there?');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'out-1748727461160-ozjhxfkfr', '17841071913782479', '31ee78fa-c8f5-46a6-babe-7787b1d0c343', '2025-05-31 21:37:41.16+00', 2, 'agent', 'sent', 'Good morning! I''m the assistant here, happy to help. May I know your name?');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'wamid.HBgNMzUzODE0OTg1MDQ1NxUCABIYFDJFRTEyNzU5ODFCMUE2QkYzMTM4AA==', '3538149850457', '49181a11-99da-4d86-9810-e6c86f26a4f4', '2025-05-31 23:52:53.609+00', 1, 'user', 'sent', 'Good morning, is anybody there?');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'out-1748735575756-k0zowri4q', '3538149850457', '49181a11-99da-4d86-9810-e6c86f26a4f4', '2025-05-31 23:52:55.756+00', 2, 'agent', 'failed', 'Good morning! I''m the assistant here, happy to help. May I know your name?');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'wamid.HBgNMzUzODE0OTg1MDQ1NxUCABIYFDE2ODUzQ0Q3NDZBRUY3QjQ2RTdGAA==', '3538149850457', '49181a11-99da-4d86-9810-e6c86f26a4f4', '2025-05-31 23:53:12.848+00', 3, 'user', 'sent', 'Do you offer monthly instalments?');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'wamid.HBgNMzUzODE0OTg1MDQ1NxUCABIYFDI3QTc1Mjc0NUZGNTcwODY2RTk5AA==', '3538149850457', '69482333-b3d1-44c2-85b7-478cc825f35c', '2025-05-05 23:15:44.265+00', 1, 'user', 'sent', 'Hi, my name is Niamh. I would like some information please.');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'wamid.HBgMOTcxNzY3ODg0NDQ2FQIAEhgURDdCRDNEMDhDNEM5MjA3RDk4QUIA', '971767884446', 'e7d31f0e-7367-426a-9c5f-7e021584a363', '2025-02-06 20:06:09.188+00', 1, 'user', 'sent', 'مرحبا، أريد الاستفسار عن الأسعار');
INSERT INTO read_model.lead_messages VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'out-1738872387361-ls41vhccd', '971767884446', 'e7d31f0e-7367-426a-9c5f-7e021584a363', '2025-02-06 20:06:27.361+00', 2, 'agent', 'sent', 'أهلاً محمد! يسعدنا تواصلك معنا. ما هو المنتج الذي تبحث عنه؟');
INSERT INTO read_model.lead_profiles VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '2348083831190', 'Amara Okafor', NULL, NULL, 'Hot', 12, 3, 2, 2, 2, 3, true, '452af5ec-b24c-48fe-8631-ba163c24d027', 0, NULL, NULL, false, false, false, 'amara okafor', 'amara okafor
2348083831190');
INSERT INTO read_model.lead_profiles VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '905319899168', 'Işıl Öztürk', 'isil_ozturk@gmail.com', 'Copper Kettle Catering', 'Cold', 7, 1, 2, 2, 1, 1, true, 'e0145340-bb49-446a-b3bc-a8fbf82399f6', 0, NULL, NULL, false, false, false, 'işıl öztürk', 'işıl öztürk
isil_ozturk@gmail.com
copper kettle catering
905319899168');
INSERT INTO read_model.lead_profiles VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '16531816468', 'Dana Carter', 'danacarter2@yahoo.com', NULL, 'Cold', 8, 2, 2, 2, 1, 1, true, 'dee52e04-8ef2-4da3-afc9-5f7b4d7f8665', 0, NULL, NULL, false, false, false, 'dana carter', 'dana carter
danacarter2@yahoo.com
16531816468');
INSERT INTO read_model.lead_profiles VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '3538149850457', 'Niamh Murphy', NULL, NULL, 'Cold', 8, 1, 1, 1, 3, 2, true, 'c8ed3573-f2ea-4bd5-801a-d96a0b19fd59', 1, '2025-05-31 23:57:36.046+00', '2025-05-31 23:57:36.046+00', true, false, false, 'niamh murphy', 'niamh murphy
3538149850457');
INSERT INTO read_model.lead_profiles VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '971767884446', 'محمد النجار', 'mohammed.alnajjar13@hotmail.com', 'Globex', 'Warm', 10, 2, 3, 1, 1, 3, true, '0fcc59b1-21be-42ba-b687-6a55f5f33cc6', 0, NULL, NULL, false, false, false, 'محمد النجار', 'محمد النجار
mohammed.alnajjar13@hotmail.com
globex
971767884446');
INSERT INTO read_model.lead_profiles VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '905028103102', 'Işıl', NULL, 'Mumbai Spice Co.', 'Hot', 12, 2, 3, 3, 2, 3, true, '5618ba6e-eaf6-4e9f-914d-78d8e1577f2d', 0, NULL, NULL, false, false, false, 'işıl', 'işıl
mumbai spice co.
905028103102');
INSERT INTO read_model.lead_profiles VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '628174001135', 'Sari Setiawan', 'sari.setiawan58@example.org', 'Kaveri Foods Pvt. Ltd.', 'Warm', 10, 2, 3, 1, 2, 2, true, 'c2ebcfb6-1c63-4699-b1e0-21a58a128558', 0, NULL, NULL, false, false, false, 'sari setiawan', 'sari setiawan
sari.setiawan58@example.org
kaveri foods pvt. ltd.
628174001135');
INSERT INTO read_model.lead_profiles VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '919059680512', 'Rohan', NULL, NULL, 'Hot', 12, 2, 3, 3, 2, 2, true, 'cfeaa264-697a-4c2e-9f5f-85337f34cad2', 0, NULL, NULL, false, false, false, 'rohan', 'rohan
919059680512');
INSERT INTO read_model.lead_profiles VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '16295748490', 'Emma Martinez', NULL, 'Fresh Fold Laundry', 'Cold', 8, 1, 2, 1, 2, 2, true, 'd67ba7b7-c955-47e1-9573-026e63dc6ff5', 0, NULL, NULL, false, false, false, 'emma martinez', 'emma martinez
fresh fold laundry
16295748490');
INSERT INTO read_model.lead_profiles VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'web-2k0gqi-708lne', 'Zuzanna Dąbrowski', 'zuzanna.dabrowski@gmail.com', NULL, 'Cold', 8, 3, 1, 2, 1, 1, true, 'e0d12c62-ddd6-48fb-8769-150cf88350f1', 0, NULL, NULL, false, false, false, 'zuzanna dąbrowski', 'zuzanna dąbrowski
zuzanna.dabrowski@gmail.com
web-2k0gqi-708lne');
INSERT INTO read_model.lead_profiles VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '17841071913782479', 'กมล', 'kamon.wongthai21@proton.me', NULL, 'Cold', 7, 1, 3, 1, 1, 1, true, '927e8876-ad71-48b0-8c7c-c37b7f8fc7a7', 0, NULL, NULL, false, false, false, 'กมล', 'กมล
kamon.wongthai21@proton.me
17841071913782479');
INSERT INTO read_model.lead_profiles VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '17841435555967146', NULL, 'kavya.yadav@fastmail.com', 'Delhi Furniture House', 'Cold', 8, 1, 2, 1, 1, 3, true, '80097891-bce0-4a96-9adb-d58e58518451', 0, NULL, NULL, false, false, false, NULL, 'kavya.yadav@fastmail.com
delhi furniture house
17841435555967146');
INSERT INTO read_model.lead_profiles VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'web-fc5asz-6l7fjo', 'Gaurav Joshi', 'gauravjoshi@proton.me', 'Zenith Motors', 'Hot', 12, 3, 2, 3, 1, 3, true, '60155e38-1008-44c1-8914-7c03e5b5ba2b', 0, NULL, NULL, false, false, false, 'gaurav joshi', 'gaurav joshi
gauravjoshi@proton.me
zenith motors
web-fc5asz-6l7fjo');
INSERT INTO read_model.lead_profiles VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '525701865179', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, 1, '2024-08-18 07:33:18.84+00', '2024-08-18 07:33:18.84+00', true, false, false, NULL, '525701865179');
INSERT INTO read_model.lead_profiles VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '66385918435', 'กมล ศรีสุข jr.', 'kamon_srisuk62@example.org', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, 3, '2024-07-18 21:09:48.587+00', '2024-09-11 04:37:30.731+00', true, false, false, 'กมล ศรีสุข jr.', 'กมล ศรีสุข jr.
kamon_srisuk62@example.org
66385918435');
INSERT INTO read_model.lead_profiles VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'web-fr8clp-fuimx5', 'João Magalhães jr.', 'joaomagalhaes76@outlook.com', 'Panadería La Niña', 'Cold', 6, 1, 1, 1, 1, 2, true, '5632f0de-149f-4828-8b9c-b523de646b46', 0, NULL, NULL, false, false, false, 'joão magalhães jr.', 'joão magalhães jr.
joaomagalhaes76@outlook.com
panadería la niña
web-fr8clp-fuimx5');
INSERT INTO read_model.lead_profiles VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '16937933157', 'Ethan Robinson jr.', 'ethan.robinson84@hotmail.com', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, 2, '2024-05-15 09:31:43.632+00', '2024-05-19 07:16:19.67+00', true, false, false, 'ethan robinson jr.', 'ethan robinson jr.
ethan.robinson84@hotmail.com
16937933157');
INSERT INTO read_model.lead_profiles VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '628792035124', 'Budi Pratama jr.', NULL, 'Kaveri Foods Pvt. Ltd.', NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, 0, NULL, NULL, false, false, false, 'budi pratama jr.', 'budi pratama jr.
kaveri foods pvt. ltd.
628792035124');
INSERT INTO read_model.lead_span_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'all', '-infinity', 9, 6, 5, 2, 1, 3, 7, 1, 1);
INSERT INTO read_model.lead_span_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'day', '2024-05-19 00:00:00+00', 1, 0, 1, 0, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'day', '2024-07-22 00:00:00+00', 1, 1, 1, 0, 0, 1, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'day', '2025-01-03 00:00:00+00', 1, 0, 0, 0, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'day', '2025-02-07 00:00:00+00', 1, 1, 1, 0, 0, 1, 0, 0, 1);
INSERT INTO read_model.lead_span_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'day', '2025-03-05 00:00:00+00', 1, 1, 1, 0, 1, 0, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'day', '2025-04-06 00:00:00+00', 1, 1, 0, 1, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'day', '2025-05-31 00:00:00+00', 1, 1, 1, 0, 0, 1, 0, 1, 0);
INSERT INTO read_model.lead_span_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'hour', '2024-05-19 07:00:00+00', 1, 0, 1, 0, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'hour', '2024-07-22 08:00:00+00', 1, 1, 1, 0, 0, 1, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'hour', '2025-01-03 18:00:00+00', 1, 0, 0, 0, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'hour', '2025-02-07 05:00:00+00', 1, 1, 1, 0, 0, 1, 0, 0, 1);
INSERT INTO read_model.lead_span_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'hour', '2025-03-05 22:00:00+00', 1, 1, 1, 0, 1, 0, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'hour', '2025-04-06 23:00:00+00', 1, 1, 0, 1, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'hour', '2025-05-31 13:00:00+00', 1, 1, 1, 0, 0, 1, 0, 1, 0);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'all', '-infinity', 9, 8, 6, 2, 1, 5, 6, 1, 4);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'day', '2024-09-11 00:00:00+00', 1, 0, 1, 0, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'day', '2024-12-14 00:00:00+00', 1, 1, 1, 0, 0, 1, 0, 0, 1);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'day', '2025-02-06 00:00:00+00', 1, 1, 1, 0, 1, 0, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'day', '2025-02-19 00:00:00+00', 1, 1, 0, 0, 0, 1, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'day', '2025-04-30 00:00:00+00', 1, 1, 1, 1, 0, 0, 0, 0, 1);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'day', '2025-05-26 00:00:00+00', 1, 1, 0, 1, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'day', '2025-05-31 00:00:00+00', 2, 2, 1, 0, 0, 2, 1, 1, 2);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'hour', '2024-09-11 04:00:00+00', 1, 0, 1, 0, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'hour', '2024-12-14 20:00:00+00', 1, 1, 1, 0, 0, 1, 0, 0, 1);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'hour', '2025-02-06 20:00:00+00', 1, 1, 1, 0, 1, 0, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'hour', '2025-02-19 01:00:00+00', 1, 1, 0, 0, 0, 1, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'hour', '2025-04-30 10:00:00+00', 1, 1, 1, 1, 0, 0, 0, 0, 1);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'hour', '2025-05-26 19:00:00+00', 1, 1, 0, 1, 0, 0, 1, 0, 0);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'hour', '2025-05-31 21:00:00+00', 1, 1, 1, 0, 0, 1, 0, 1, 1);
INSERT INTO read_model.lead_span_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'hour', '2025-05-31 23:00:00+00', 1, 1, 0, 0, 0, 1, 1, 0, 1);
INSERT INTO read_model.lead_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'Cold', 7, true, false, false, true, true, 1);
INSERT INTO read_model.lead_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'Cold', 8, false, false, true, true, true, 1);
INSERT INTO read_model.lead_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'Cold', 8, false, true, false, true, true, 1);
INSERT INTO read_model.lead_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'Hot', 12, true, false, false, true, false, 2);
INSERT INTO read_model.lead_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'Warm', 10, true, false, false, true, true, 1);
INSERT INTO read_model.lead_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', NULL, NULL, true, false, false, false, false, 2);
INSERT INTO read_model.lead_stats VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', NULL, NULL, true, false, false, false, true, 1);
INSERT INTO read_model.lead_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'Cold', 6, false, false, true, true, true, 1);
INSERT INTO read_model.lead_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'Cold', 7, false, true, true, true, true, 1);
INSERT INTO read_model.lead_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'Cold', 8, true, false, false, true, false, 1);
INSERT INTO read_model.lead_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'Cold', 8, true, false, false, true, true, 1);
INSERT INTO read_model.lead_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'Cold', 8, true, false, true, true, false, 1);
INSERT INTO read_model.lead_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'Hot', 12, false, false, true, true, true, 1);
INSERT INTO read_model.lead_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'Hot', 12, true, false, false, true, false, 1);
INSERT INTO read_model.lead_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'Warm', 10, true, false, false, true, true, 1);
INSERT INTO read_model.lead_stats VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', NULL, NULL, true, false, false, false, true, 1);
INSERT INTO read_model.leads VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '2348083831190', NULL, '2024-06-08 00:29:20.201+00', 0, 12, 'Hot', true, false, false, true, false, '{"customer_phone":"2348083831190","name":"Amara Okafor","email":null,"company":null,"lead_status":"Hot","total_score":12,"intent_score":3,"urgency_score":2,"budget_score":2,"fit_score":2,"engagement_score":3,"platforms":["whatsapp"],"conversation_count":1,"total_messages":0,"template_sends_count":0,"last_message_at":null,"last_message_text":null,"last_message_sender":null,"first_contact_at":"2024-06-08T00:29:20.201Z","has_extraction":true,"extraction_id":"452af5ec-b24c-48fe-8631-ba163c24d027","conversations":[{"conversation_id":"26a34d17-5f26-49de-b37d-8439ab7d77ba","agent_id":"7f2354f8-b05a-434d-9253-47c8ce26b9fd","agent_name":"Sales assistant","platform":"whatsapp","phone_number_id":"2640269e-0efd-4420-abdf-6a39a75df7fd","message_count":0,"is_active":true,"created_at":"2024-06-08T00:29:20.201Z","last_message_at":null}]}');
INSERT INTO read_model.leads VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '905319899168', '2024-07-22 08:25:29.988+00', '2024-07-22 04:19:22.687+00', 3, 7, 'Cold', true, false, false, true, true, '{"customer_phone":"905319899168","name":"Işıl Öztürk","email":"isil_ozturk@gmail.com","company":"Copper Kettle Catering","lead_status":"Cold","total_score":7,"intent_score":1,"urgency_score":2,"budget_score":2,"fit_score":1,"engagement_score":1,"platforms":["whatsapp"],"conversation_count":1,"total_messages":3,"template_sends_count":0,"last_message_at":"2024-07-22T08:25:29.988Z","last_message_text":"My budget is around $49","last_message_sender":"user","first_contact_at":"2024-07-22T04:19:22.687Z","has_extraction":true,"extraction_id":"e0145340-bb49-446a-b3bc-a8fbf82399f6","conversations":[{"conversation_id":"35f394a1-50f6-4c11-ad2a-c8ee863a9ab0","agent_id":"7f2354f8-b05a-434d-9253-47c8ce26b9fd","agent_name":"Sales assistant","platform":"whatsapp","phone_number_id":"2640269e-0efd-4420-abdf-6a39a75df7fd","message_count":3,"is_active":false,"created_at":"2024-07-22T04:19:22.687Z","last_message_at":"2024-07-22T08:25:29.988Z"}]}');
INSERT INTO read_model.leads VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '16531816468', NULL, '2025-05-31 22:50:45.086+00', 0, 8, 'Cold', true, false, false, true, true, '{"customer_phone":"16531816468","name":"Dana Carter","email":"danacarter2@yahoo.com","company":null,"lead_status":"Cold","total_score":8,"intent_score":2,"urgency_score":2,"budget_score":2,"fit_score":1,"engagement_score":1,"platforms":["whatsapp"],"conversation_count":1,"total_messages":0,"template_sends_count":0,"last_message_at":null,"last_message_text":null,"last_message_sender":null,"first_contact_at":"2025-05-31T22:50:45.086Z","has_extraction":true,"extraction_id":"dee52e04-8ef2-4da3-afc9-5f7b4d7f8665","conversations":[{"conversation_id":"bb1d08d7-ea8f-47cc-ab9d-008a820d9c18","agent_id":"b9a539fd-8168-4f44-8760-e5da9d52cc81","agent_name":"Sales assistant","platform":"whatsapp","phone_number_id":"fef3f9bf-4283-4eb1-944d-38d96bdd6afe","message_count":0,"is_active":true,"created_at":"2025-05-31T22:50:45.086Z","last_message_at":null}]}');
INSERT INTO read_model.leads VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '3538149850457', '2025-05-31 23:53:12.848+00', '2025-05-05 23:15:44+00', 4, 8, 'Cold', true, false, true, true, false, '{"customer_phone":"3538149850457","name":"Niamh Murphy","email":null,"company":null,"lead_status":"Cold","total_score":8,"intent_score":1,"urgency_score":1,"budget_score":1,"fit_score":3,"engagement_score":2,"platforms":["whatsapp","webchat"],"conversation_count":2,"total_messages":4,"template_sends_count":1,"last_message_at":"2025-05-31T23:53:12.848Z","last_message_text":"Do you offer monthly instalments?","last_message_sender":"user","first_contact_at":"2025-05-05T23:15:44.000Z","has_extraction":true,"extraction_id":"c8ed3573-f2ea-4bd5-801a-d96a0b19fd59","conversations":[{"conversation_id":"49181a11-99da-4d86-9810-e6c86f26a4f4","agent_id":"750839e6-ff69-4120-932d-0c7cd1ed2c69","agent_name":"Support assistant","platform":"whatsapp","phone_number_id":"36807015-21db-4351-87d5-0e3d42ae9164","message_count":3,"is_active":true,"created_at":"2025-05-31T23:52:52.890Z","last_message_at":"2025-05-31T23:53:12.848Z"},{"conversation_id":"69482333-b3d1-44c2-85b7-478cc825f35c","agent_id":"e8376427-6b6d-487c-8616-9a23ec9bf61c","agent_name":"Website assistant","platform":"webchat","phone_number_id":"e294b802-dfb4-459a-a8f7-723e425c5474","message_count":1,"is_active":false,"created_at":"2025-05-05T23:15:44.000Z","last_message_at":"2025-05-05T23:15:44.265Z"}]}');
INSERT INTO read_model.leads VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '971767884446', '2025-02-06 20:06:27.361+00', '2025-02-06 20:06:08.244+00', 2, 10, 'Warm', true, false, false, true, true, '{"customer_phone":"971767884446","name":"محمد النجار","email":"mohammed.alnajjar13@hotmail.com","company":"Globex","lead_status":"Warm","total_score":10,"intent_score":2,"urgency_score":3,"budget_score":1,"fit_score":1,"engagement_score":3,"platforms":["whatsapp"],"conversation_count":1,"total_messages":2,"template_sends_count":0,"last_message_at":"2025-02-06T20:06:27.361Z","last_message_text":"أهلاً محمد! يسعدنا تواصلك معنا. ما هو المنتج الذي تبحث عنه؟","last_message_sender":"agent","first_contact_at":"2025-02-06T20:06:08.244Z","has_extraction":true,"extraction_id":"0fcc59b1-21be-42ba-b687-6a55f5f33cc6","conversations":[{"conversation_id":"e7d31f0e-7367-426a-9c5f-7e021584a363","agent_id":"750839e6-ff69-4120-932d-0c7cd1ed2c69","agent_name":"Support assistant","platform":"whatsapp","phone_number_id":"36807015-21db-4351-87d5-0e3d42ae9164","message_count":2,"is_active":true,"created_at":"2025-02-06T20:06:08.244Z","last_message_at":"2025-02-06T20:06:27.361Z"}]}');
INSERT INTO read_model.leads VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '905028103102', '2025-04-06 23:10:15.344+00', '2025-04-06 23:04:29.899+00', 4, 12, 'Hot', true, false, false, true, false, '{"customer_phone":"905028103102","name":"Işıl","email":null,"company":"Mumbai Spice Co.","lead_status":"Hot","total_score":12,"intent_score":2,"urgency_score":3,"budget_score":3,"fit_score":2,"engagement_score":3,"platforms":["whatsapp"],"conversation_count":1,"total_messages":4,"template_sends_count":0,"last_message_at":"2025-04-06T23:10:15.344Z","last_message_text":"No problem at all. May I check in with you again in a month?","last_message_sender":"agent","first_contact_at":"2025-04-06T23:04:29.899Z","has_extraction":true,"extraction_id":"5618ba6e-eaf6-4e9f-914d-78d8e1577f2d","conversations":[{"conversation_id":"812d7138-6e0a-4812-b19e-c43f0756f4b5","agent_id":"3fbb419e-f99a-46f4-8c70-747d8dd150b6","agent_name":"Support assistant","platform":"whatsapp","phone_number_id":"5891af36-998e-40e3-9f7a-1cc1f9211403","message_count":4,"is_active":true,"created_at":"2025-04-06T23:04:29.899Z","last_message_at":"2025-04-06T23:10:15.344Z"}]}');
INSERT INTO read_model.leads VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '628174001135', '2025-03-05 22:50:05.568+00', '2025-03-05 01:13:48.286+00', 7, 10, 'Warm', true, false, false, true, true, '{"customer_phone":"628174001135","name":"Sari Setiawan","email":"sari.setiawan58@example.org","company":"Kaveri Foods Pvt. Ltd.","lead_status":"Warm","total_score":10,"intent_score":2,"urgency_score":3,"budget_score":1,"fit_score":2,"engagement_score":2,"platforms":["whatsapp"],"conversation_count":1,"total_messages":7,"template_sends_count":0,"last_message_at":"2025-03-05T22:50:05.568Z","last_message_text":"Is the offer from last week still valid?","last_message_sender":"user","first_contact_at":"2025-03-05T01:13:48.286Z","has_extraction":true,"extraction_id":"c2ebcfb6-1c63-4699-b1e0-21a58a128558","conversations":[{"conversation_id":"e360b2ca-4080-4875-b5dd-0786773b994f","agent_id":"3fbb419e-f99a-46f4-8c70-747d8dd150b6","agent_name":"Support assistant","platform":"whatsapp","phone_number_id":"5891af36-998e-40e3-9f7a-1cc1f9211403","message_count":7,"is_active":false,"created_at":"2025-03-05T01:13:48.286Z","last_message_at":"2025-03-05T22:50:05.568Z"}]}');
INSERT INTO read_model.leads VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '919059680512', '2025-05-26 19:11:14.56+00', '2025-05-26 19:06:08.47+00', 3, 12, 'Hot', true, false, false, true, false, '{"customer_phone":"919059680512","name":"Rohan","email":null,"company":null,"lead_status":"Hot","total_score":12,"intent_score":2,"urgency_score":3,"budget_score":3,"fit_score":2,"engagement_score":2,"platforms":["whatsapp"],"conversation_count":1,"total_messages":3,"template_sends_count":0,"last_message_at":"2025-05-26T19:11:14.560Z","last_message_text":"Who will be our contact after signing?","last_message_sender":"user","first_contact_at":"2025-05-26T19:06:08.470Z","has_extraction":true,"extraction_id":"cfeaa264-697a-4c2e-9f5f-85337f34cad2","conversations":[{"conversation_id":"7cc8cfbd-0342-4d20-b55c-98fd672fed1e","agent_id":"750839e6-ff69-4120-932d-0c7cd1ed2c69","agent_name":"Support assistant","platform":"whatsapp","phone_number_id":"36807015-21db-4351-87d5-0e3d42ae9164","message_count":3,"is_active":true,"created_at":"2025-05-26T19:06:08.470Z","last_message_at":"2025-05-26T19:11:14.560Z"}]}');
INSERT INTO read_model.leads VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '16295748490', '2025-02-19 01:00:11.452+00', '2025-02-19 00:51:22.713+00', 8, 8, 'Cold', true, false, false, true, false, '{"customer_phone":"16295748490","name":"Emma Martinez","email":null,"company":"Fresh Fold Laundry","lead_status":"Cold","total_score":8,"intent_score":1,"urgency_score":2,"budget_score":1,"fit_score":2,"engagement_score":2,"platforms":["whatsapp"],"conversation_count":1,"total_messages":8,"template_sends_count":0,"last_message_at":"2025-02-19T01:00:11.452Z","last_message_text":"We deliver to Dubai twice a week. Which area is it exactly?","last_message_sender":"agent","first_contact_at":"2025-02-19T00:51:22.713Z","has_extraction":true,"extraction_id":"d67ba7b7-c955-47e1-9573-026e63dc6ff5","conversations":[{"conversation_id":"65774a8a-19a0-4904-9a06-1c76d39385b1","agent_id":"750839e6-ff69-4120-932d-0c7cd1ed2c69","agent_name":"Support assistant","platform":"whatsapp","phone_number_id":"36807015-21db-4351-87d5-0e3d42ae9164","message_count":8,"is_active":false,"created_at":"2025-02-19T00:51:22.713Z","last_message_at":"2025-02-19T01:00:11.452Z"}]}');
INSERT INTO read_model.leads VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 'web-2k0gqi-708lne', '2025-02-07 05:05:23.3+00', '2025-02-01 13:35:08.593+00', 0, 8, 'Cold', false, false, true, true, true, '{"customer_phone":"web-2k0gqi-708lne","name":"Zuzanna Dąbrowski","email":"zuzanna.dabrowski@gmail.com","company":null,"lead_status":"Cold","total_score":8,"intent_score":3,"urgency_score":1,"budget_score":2,"fit_score":1,"engagement_score":1,"platforms":["webchat"],"conversation_count":2,"total_messages":0,"template_sends_count":0,"last_message_at":"2025-02-07T05:05:23.300Z","last_message_text":null,"last_message_sender":null,"first_contact_at":"2025-02-01T13:35:08.593Z","has_extraction":true,"extraction_id":"e0d12c62-ddd6-48fb-8769-150cf88350f1","conversations":[{"conversation_id":"34656f2b-d22c-4356-924b-95d865b2dfdf","agent_id":"7e585b23-346e-4cc2-a8c6-4d83c3079eba","agent_name":"Campaign assistant 🚀","platform":"webchat","phone_number_id":"db684feb-7969-408e-8ba3-3c2e7b02d1e1","message_count":0,"is_active":false,"created_at":"2025-02-07T05:05:22.938Z","last_message_at":"2025-02-07T05:05:23.300Z"},{"conversation_id":"71f5ee32-0d87-4c4e-acba-fcd382e32b0c","agent_id":"7e585b23-346e-4cc2-a8c6-4d83c3079eba","agent_name":"Campaign assistant 🚀","platform":"webchat","phone_number_id":"db684feb-7969-408e-8ba3-3c2e7b02d1e1","message_count":0,"is_active":false,"created_at":"2025-02-01T13:35:08.593Z","last_message_at":"2025-02-01T13:35:08.680Z"}]}');
INSERT INTO read_model.leads VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '17841071913782479', '2025-05-31 21:37:41.16+00', '2025-04-13 00:02:28.13+00', 2, 7, 'Cold', false, true, true, true, true, '{"customer_phone":"17841071913782479","name":"กมล","email":"kamon.wongthai21@proton.me","company":null,"lead_status":"Cold","total_score":7,"intent_score":1,"urgency_score":3,"budget_score":1,"fit_score":1,"engagement_score":1,"platforms":["instagram","webchat"],"conversation_count":2,"total_messages":2,"template_sends_count":0,"last_message_at":"2025-05-31T21:37:41.160Z","last_message_text":"Good morning! I''m the assistant here, happy to help. May I know your name?","last_message_sender":"agent","first_contact_at":"2025-04-13T00:02:28.130Z","has_extraction":true,"extraction_id":"927e8876-ad71-48b0-8c7c-c37b7f8fc7a7","conversations":[{"conversation_id":"31ee78fa-c8f5-46a6-babe-7787b1d0c343","agent_id":"8aff2901-46e2-4c13-b330-47e1a5dc7682","agent_name":"Social assistant","platform":"instagram","phone_number_id":"5d78ef8b-ace1-478e-b905-cc766cee65d9","message_count":2,"is_active":true,"created_at":"2025-05-31T21:37:32.846Z","last_message_at":"2025-05-31T21:37:41.160Z"},{"conversation_id":"be3ee00b-ae6b-4f62-b007-247fcd283376","agent_id":"4b7379b0-6315-4b8c-b42b-fabbfcc4e19e","agent_name":"Campaign assistant 🚀","platform":"webchat","phone_number_id":"643665b3-6176-43c7-8717-edffeec37b93","message_count":0,"is_active":false,"created_at":"2025-04-13T00:02:28.130Z","last_message_at":null}]}');
INSERT INTO read_model.leads VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', '66385918435', '2024-09-11 04:37:30.731+00', '2024-07-18 21:09:48.587+00', 0, NULL, NULL, true, false, false, false, true, '{"customer_phone":"66385918435","name":"กมล ศรีสุข jr.","email":"kamon_srisuk62@example.org","company":null,"lead_status":null,"total_score":null,"intent_score":null,"urgency_score":null,"budget_score":null,"fit_score":null,"engagement_score":null,"platforms":["whatsapp"],"conversation_count":0,"total_messages":0,"template_sends_count":3,"last_message_at":"2024-09-11T04:37:30.731Z","last_message_text":null,"last_message_sender":null,"first_contact_at":"2024-07-18T21:09:48.587Z","has_extraction":false,"extraction_id":null,"conversations":[]}');
INSERT INTO read_model.leads VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '16937933157', '2024-05-19 07:16:19.67+00', '2024-05-15 09:31:43.632+00', 0, NULL, NULL, true, false, false, false, true, '{"customer_phone":"16937933157","name":"Ethan Robinson jr.","email":"ethan.robinson84@hotmail.com","company":null,"lead_status":null,"total_score":null,"intent_score":null,"urgency_score":null,"budget_score":null,"fit_score":null,"engagement_score":null,"platforms":["whatsapp"],"conversation_count":0,"total_messages":0,"template_sends_count":2,"last_message_at":"2024-05-19T07:16:19.670Z","last_message_text":null,"last_message_sender":null,"first_contact_at":"2024-05-15T09:31:43.632Z","has_extraction":false,"extraction_id":null,"conversations":[]}');
INSERT INTO read_model.leads VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '17841435555967146', '2025-05-31 13:06:25.791+00', '2025-05-31 13:06:25.08+00', 1, 8, 'Cold', false, true, false, true, true, '{"customer_phone":"17841435555967146","name":null,"email":"kavya.yadav@fastmail.com","company":"Delhi Furniture House","lead_status":"Cold","total_score":8,"intent_score":1,"urgency_score":2,"budget_score":1,"fit_score":1,"engagement_score":3,"platforms":["instagram"],"conversation_count":1,"total_messages":1,"template_sends_count":0,"last_message_at":"2025-05-31T13:06:25.791Z","last_message_text":"नमस्ते, मेरा नाम काव्या है","last_message_sender":"user","first_contact_at":"2025-05-31T13:06:25.080Z","has_extraction":true,"extraction_id":"80097891-bce0-4a96-9adb-d58e58518451","conversations":[{"conversation_id":"1d20b74e-6f47-490c-bb53-0615d297aed8","agent_id":"47186a18-76b2-4567-a05c-02c19e874452","agent_name":"Social assistant","platform":"instagram","phone_number_id":"dea35597-7220-446d-961e-5a59d59641d4","message_count":1,"is_active":true,"created_at":"2025-05-31T13:06:25.080Z","last_message_at":"2025-05-31T13:06:25.791Z"}]}');
INSERT INTO read_model.leads VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'web-fc5asz-6l7fjo', '2025-04-30 10:02:50.451+00', '2025-04-30 10:02:49.994+00', 0, 12, 'Hot', false, false, true, true, true, '{"customer_phone":"web-fc5asz-6l7fjo","name":"Gaurav Joshi","email":"gauravjoshi@proton.me","company":"Zenith Motors","lead_status":"Hot","total_score":12,"intent_score":3,"urgency_score":2,"budget_score":3,"fit_score":1,"engagement_score":3,"platforms":["webchat"],"conversation_count":1,"total_messages":0,"template_sends_count":0,"last_message_at":"2025-04-30T10:02:50.451Z","last_message_text":null,"last_message_sender":null,"first_contact_at":"2025-04-30T10:02:49.994Z","has_extraction":true,"extraction_id":"60155e38-1008-44c1-8914-7c03e5b5ba2b","conversations":[{"conversation_id":"e9041620-7aa6-4699-9b3f-dab61f2899a9","agent_id":"e8376427-6b6d-487c-8616-9a23ec9bf61c","agent_name":"Website assistant","platform":"webchat","phone_number_id":"e294b802-dfb4-459a-a8f7-723e425c5474","message_count":0,"is_active":true,"created_at":"2025-04-30T10:02:49.994Z","last_message_at":"2025-04-30T10:02:50.451Z"}]}');
INSERT INTO read_model.leads VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '525701865179', NULL, '2024-08-09 03:14:10.381+00', 0, NULL, NULL, true, false, false, false, false, '{"customer_phone":"525701865179","name":null,"email":null,"company":null,"lead_status":null,"total_score":null,"intent_score":null,"urgency_score":null,"budget_score":null,"fit_score":null,"engagement_score":null,"platforms":["whatsapp"],"conversation_count":1,"total_messages":0,"template_sends_count":1,"last_message_at":null,"last_message_text":null,"last_message_sender":null,"first_contact_at":"2024-08-09T03:14:10.381Z","has_extraction":false,"extraction_id":null,"conversations":[{"conversation_id":"1348b8ad-2191-40b8-9c5d-54739e5a66d1","agent_id":"3fbb419e-f99a-46f4-8c70-747d8dd150b6","agent_name":"Support assistant","platform":"whatsapp","phone_number_id":"5891af36-998e-40e3-9f7a-1cc1f9211403","message_count":0,"is_active":true,"created_at":"2024-08-09T03:14:10.381Z","last_message_at":null}]}');
INSERT INTO read_model.leads VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 'web-fr8clp-fuimx5', '2024-12-14 20:42:34.031+00', '2024-12-14 20:42:33.556+00', 1, 6, 'Cold', false, false, true, true, true, '{"customer_phone":"web-fr8clp-fuimx5","name":"João Magalhães jr.","email":"joaomagalhaes76@outlook.com","company":"Panadería La Niña","lead_status":"Cold","total_score":6,"intent_score":1,"urgency_score":1,"budget_score":1,"fit_score":1,"engagement_score":2,"platforms":["webchat"],"conversation_count":1,"total_messages":1,"template_sends_count":0,"last_message_at":"2024-12-14T20:42:34.031Z","last_message_text":"Olá, meu nome é João","last_message_sender":"user","first_contact_at":"2024-12-14T20:42:33.556Z","has_extraction":true,"extraction_id":"5632f0de-149f-4828-8b9c-b523de646b46","conversations":[{"conversation_id":"68e7a836-1460-48e5-84e4-6ec5df723e4f","agent_id":"e8376427-6b6d-487c-8616-9a23ec9bf61c","agent_name":"Website assistant","platform":"webchat","phone_number_id":"e294b802-dfb4-459a-a8f7-723e425c5474","message_count":1,"is_active":true,"created_at":"2024-12-14T20:42:33.556Z","last_message_at":"2024-12-14T20:42:34.031Z"}]}');
INSERT INTO read_model.leads VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', '628792035124', '2025-01-03 18:52:22.546+00', '2025-01-03 18:52:16.634+00', 2, NULL, NULL, true, false, false, false, false, '{"customer_phone":"628792035124","name":"Budi Pratama jr.","email":null,"company":"Kaveri Foods Pvt. Ltd.","lead_status":null,"total_score":null,"intent_score":null,"urgency_score":null,"budget_score":null,"fit_score":null,"engagement_score":null,"platforms":["whatsapp"],"conversation_count":1,"total_messages":2,"template_sends_count":0,"last_message_at":"2025-01-03T18:52:22.546Z","last_message_text":"That''s lovely to hear! Please thank them from us. What can I do for you, Budi?","last_message_sender":"agent","first_contact_at":"2025-01-03T18:52:16.634Z","has_extraction":false,"extraction_id":null,"conversations":[{"conversation_id":"f7acca7f-c622-4816-ad60-13771e6891e8","agent_id":"7f2354f8-b05a-434d-9253-47c8ce26b9fd","agent_name":"Sales assistant","platform":"whatsapp","phone_number_id":"2640269e-0efd-4420-abdf-6a39a75df7fd","message_count":2,"is_active":true,"created_at":"2025-01-03T18:52:16.634Z","last_message_at":"2025-01-03T18:52:22.546Z"}]}');
INSERT INTO read_model.projection VALUES (true, 2, '2026-11-25 22:10:24.411093+00', NULL);
INSERT INTO read_model.tenants VALUES ('d35aef6b-8f8d-5f63-968a-5e9f3381921e', 2, 0);
INSERT INTO read_model.tenants VALUES ('245f1485-a020-59d0-852a-6e4532bbe900', 3, 0);
SELECT pg_catalog.setval('projector.capture_gaps_gap_id_seq', 1, false);
SELECT pg_catalog.setval('projector.changes_change_id_seq', 40, true);
SELECT pg_catalog.setval('projector.runs_run_id_seq', 5, true);
ALTER TABLE ONLY projector.capture_gaps
    ADD CONSTRAINT capture_gaps_pkey PRIMARY KEY (gap_id);
ALTER TABLE ONLY projector.capture_triggers
    ADD CONSTRAINT capture_triggers_pkey PRIMARY KEY (table_name, trigger_name);
ALTER TABLE ONLY projector.contact_keys
    ADD CONSTRAINT contact_keys_pkey PRIMARY KEY (contact_id);
ALTER TABLE ONLY projector.conversation_keys
    ADD CONSTRAINT conversation_keys_pkey PRIMARY KEY (conversation_id);
ALTER TABLE ONLY projector.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (kind, key);
ALTER TABLE ONLY projector.rebuild_tenants
    ADD CONSTRAINT rebuild_tenants_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY projector.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (run_id);
ALTER TABLE ONLY projector.send_keys
    ADD CONSTRAINT send_keys_pkey PRIMARY KEY (send_id);
ALTER TABLE ONLY projector.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (name);
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
ALTER TABLE ONLY read_model.lead_span_stats
    ADD CONSTRAINT lead_span_stats_pkey PRIMARY KEY (user_id, span, begins);
ALTER TABLE ONLY read_model.leads
    ADD CONSTRAINT leads_pkey PRIMARY KEY (user_id, customer_phone) INCLUDE (last_message_at, first_contact_at, total_messages, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email);
ALTER TABLE ONLY read_model.projection
    ADD CONSTRAINT projection_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY read_model.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (user_id);
CREATE INDEX changes_in_order ON projector.changes USING btree (shard, bulk, change_id);
CREATE INDEX contact_keys_of_lead ON projector.contact_keys USING btree (user_id, customer_phone);
CREATE INDEX conversation_keys_of_lead ON projector.conversation_keys USING btree (user_id, customer_phone);
CREATE INDEX runs_but_refreshes ON projector.runs USING btree (kind, run_id) WHERE (kind <> 'refresh'::text);
CREATE INDEX runs_by_started_at ON projector.runs USING btree (started_at);
CREATE INDEX send_keys_of_lead ON projector.send_keys USING btree (user_id, customer_phone);
CREATE INDEX extractions_conversation_id_idx ON public.extractions USING btree (conversation_id);
CREATE INDEX template_sends_conversation_id_idx ON public.template_sends USING btree (conversation_id);
CREATE INDEX template_sends_template_id_idx ON public.template_sends USING btree (template_id);
CREATE INDEX templates_phone_number_id_idx ON public.templates USING btree (phone_number_id);
CREATE UNIQUE INDEX lead_day_stats_key ON read_model.lead_day_stats USING btree (user_id, day, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email) NULLS NOT DISTINCT;
CREATE INDEX lead_messages_in_order ON read_model.lead_messages USING btree (user_id, customer_phone, sent_at);
CREATE INDEX lead_profiles_by_name ON read_model.lead_profiles USING btree (user_id, name_key, customer_phone);
CREATE INDEX lead_profiles_by_search_text ON read_model.lead_profiles USING gin (user_id, search_text public.gin_trgm_ops);
CREATE INDEX lead_profiles_by_total_score ON read_model.lead_profiles USING btree (user_id, total_score, customer_phone);
CREATE UNIQUE INDEX lead_stats_key ON read_model.lead_stats USING btree (user_id, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email) NULLS NOT DISTINCT;
CREATE INDEX leads_by_first_contact_at ON read_model.leads USING btree (user_id, first_contact_at, customer_phone);
CREATE INDEX leads_by_last_message_at ON read_model.leads USING btree (user_id, last_message_at DESC NULLS LAST, customer_phone DESC) INCLUDE (lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email);
CREATE INDEX leads_by_total_messages ON read_model.leads USING btree (user_id, total_messages, customer_phone);
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
GRANT SELECT ON TABLE read_model.leads TO leads_api;
GRANT SELECT ON TABLE read_model.freshness TO leads_api;
GRANT SELECT ON TABLE read_model.lead_conversations TO leads_api;
GRANT SELECT ON TABLE read_model.lead_day_stats TO leads_api;
GRANT SELECT ON TABLE read_model.lead_messages TO leads_api;
GRANT SELECT ON TABLE read_model.lead_profiles TO leads_api;
GRANT SELECT ON TABLE read_model.lead_span_stats TO leads_api;
GRANT SELECT ON TABLE read_model.lead_stats TO leads_api;
GRANT SELECT ON TABLE read_model.lead_stats TO pg_read_all_stats;
GRANT SELECT ON TABLE read_model.projection TO leads_api;
GRANT SELECT ON TABLE read_model.tenants TO leads_api;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA read_model GRANT SELECT ON TABLES  TO leads_api;
