-- Every conversation and its lead, from the source.
--
-- The whole of sql/build/ runs in one REPEATABLE READ snapshot and fills tables without indexes in the schema
-- read_model_next: the set-based form of the definition, for everything at once. `verify` holds it equal to the form
-- that starts from keys.
INSERT INTO read_model_next.conversation_keys (conversation_id, user_id, customer_phone)
SELECT
    c.conversation_id,
    a.user_id,
    projector.canonical_phone(c.customer_phone)
FROM conversations AS c
INNER JOIN agents AS a ON a.agent_id = c.agent_id
WHERE projector.canonical_phone(c.customer_phone) IS NOT NULL;
