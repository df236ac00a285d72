-- The trigger function of messages: queue what a statement, or under replica role a row, changed.
--
-- Columns of the row itself only, old and new, and no join: when a cascade deletes messages their conversation is
-- already gone. An update that changes nothing the projection reads queues nothing.
CREATE OR REPLACE FUNCTION projector.capture_messages()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM projector.queue_keys('truncate', ARRAY[TG_TABLE_NAME::text]);
    ELSIF TG_LEVEL = 'ROW' THEN
        IF TG_OP = 'INSERT' THEN
            PERFORM projector.queue_messages(ARRAY[NEW.conversation_id::text], ARRAY[NEW.message_id::text]);
        ELSIF TG_OP = 'DELETE' THEN
            PERFORM projector.queue_messages(ARRAY[OLD.conversation_id::text], ARRAY[OLD.message_id::text]);
        ELSIF (OLD.message_id, OLD.conversation_id, OLD.sender, OLD.text, OLD.timestamp, OLD.status, OLD.sequence_no)
            IS DISTINCT FROM
            (NEW.message_id, NEW.conversation_id, NEW.sender, NEW.text, NEW.timestamp, NEW.status, NEW.sequence_no)
        THEN
            PERFORM projector.queue_messages(
                ARRAY[OLD.conversation_id::text, NEW.conversation_id::text],
                ARRAY[OLD.message_id::text, NEW.message_id::text]
            );
        END IF;
    ELSIF TG_OP = 'INSERT' THEN
        PERFORM projector.queue_messages(array_agg(conversation_id::text), array_agg(message_id::text)) FROM new_rows;
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM projector.queue_messages(array_agg(conversation_id::text), array_agg(message_id::text)) FROM old_rows;
    ELSE
        PERFORM projector.queue_messages(array_agg(side.conversation_id::text), array_agg(side.message_id::text))
        FROM (
            SELECT DISTINCT either.conversation_id, either.message_id
            FROM old_rows AS o
            FULL JOIN new_rows AS n ON n.message_id = o.message_id
            CROSS JOIN LATERAL (
                VALUES (o.conversation_id, o.message_id), (n.conversation_id, n.message_id)
            ) AS either (conversation_id, message_id)
            WHERE either.message_id IS NOT NULL
                AND (o.message_id, o.conversation_id, o.sender, o.text, o.timestamp, o.status, o.sequence_no)
                IS DISTINCT FROM
                (n.message_id, n.conversation_id, n.sender, n.text, n.timestamp, n.status, n.sequence_no)
        ) AS side;
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION projector.capture_messages() FROM public;
