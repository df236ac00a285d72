-- The tables of the read model, and of the keys, whose statistics know fewer rows than the table has pages.
SELECT c.oid::regclass::text AS table_name
FROM pg_catalog.pg_class AS c
WHERE c.relkind = 'r'
    AND (
        c.relnamespace = 'read_model'::regnamespace
        OR c.oid = any(ARRAY[
            to_regclass('projector.conversation_keys'),
            to_regclass('projector.contact_keys'),
            to_regclass('projector.send_keys')
        ])
    )
    AND pg_relation_size(c.oid) > 20 * 8192
    AND c.reltuples < pg_relation_size(c.oid) / 8192;
