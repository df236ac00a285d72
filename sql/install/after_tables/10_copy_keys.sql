-- Copy the three key tables of version 0.1 into projector.source_keys, and drop them.
--
-- The keys tell which lead a row was under before it moved: nothing else remembers that, so they are never made anew.
DO $$
BEGIN
    IF to_regclass('projector.conversation_keys') IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO projector.source_keys (kind, key, user_id, customer_phone)
    SELECT 'conversation', k.conversation_id, k.user_id, k.customer_phone
    FROM projector.conversation_keys AS k
    UNION ALL
    SELECT 'contact', k.contact_id, k.user_id, k.customer_phone
    FROM projector.contact_keys AS k
    UNION ALL
    SELECT 'template_send', k.send_id, k.user_id, k.customer_phone
    FROM projector.send_keys AS k;
    DROP TABLE projector.conversation_keys, projector.contact_keys, projector.send_keys;
    ANALYZE projector.source_keys;
END
$$;
