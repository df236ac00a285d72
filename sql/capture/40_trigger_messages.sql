-- The trigger function of messages: queues what a statement changed, or under the replica role a row.
--
-- It reads only columns of the row itself, old and new, and joins nothing: when a cascade deletes messages, their
-- conversation is already gone. An update queues nothing if it changes no column that the projection reads. Rows are
-- compared byte by byte (*<>), since a collation may call different texts equal.
--
-- The ids of the messages are queued, so that a refresh reads only the changed part of a long history. A row of the
-- queue holds about 250 ids of one shard, with all those of a conversation together. More than 100 messages of one
-- statement are a mass change (bulk), which waits for single changes. Of more than 100,000 messages each row holds at
-- most 1,000, even of one conversation: an array has a largest size.
--
-- Grouping costs more than inserting, and a platform mostly writes single rows. So each of up to four new messages,
-- and a message that is updated alone, has its own row of the queue. A key that the update does not change is in it
-- once.
CREATE OR REPLACE FUNCTION projector.capture_messages()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;
REVOKE EXECUTE ON FUNCTION projector.capture_messages() FROM public;
