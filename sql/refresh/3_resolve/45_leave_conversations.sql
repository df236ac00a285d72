-- Leave out the conversations that have moved to another lead since the key phase of a first build, and forget their
-- keys and the keys of conversations that are gone.
--
-- when: fills
-- A first build only writes the leads of its piece, of which nothing is stored. A change in the queue names each of
-- these conversations. The refresh that takes it may find the conversation back where it was. It then reads the whole
-- conversation, because the key is new.
WITH moved AS (
    DELETE FROM source_conversations AS c
    USING stale_keys AS s
    WHERE s.kind = 'conversation'
        AND s.key = c.conversation_id
        AND (s.old_user_id, s.old_customer_phone) IS DISTINCT FROM (c.user_id, c.customer_phone)
    RETURNING c.conversation_id
)

DELETE FROM projector.source_keys AS k
USING stale_keys AS s
LEFT JOIN source_conversations AS c ON c.conversation_id = s.key
LEFT JOIN moved AS m ON m.conversation_id = s.key
WHERE s.kind = 'conversation'
    AND k.kind = s.kind
    AND k.key = s.key
    AND (c.conversation_id IS NULL OR m.conversation_id IS NOT NULL);
