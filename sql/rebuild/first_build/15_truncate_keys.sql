-- Empty the keys, as the tables of the read model before.
DO $$
BEGIN
    IF EXISTS (
        SELECT
        FROM pg_catalog.pg_constraint AS c
        WHERE c.confrelid = 'projector.source_keys'::regclass AND c.contype = 'f'
    ) THEN
        DELETE FROM projector.source_keys;
    ELSE
        TRUNCATE projector.source_keys;
    END IF;
END
$$;
