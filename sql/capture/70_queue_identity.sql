-- Set the replica identity of the queue, which has no key: under a publication of all tables PostgreSQL could
-- otherwise not delete its rows.
--
-- The setting is read before it is written, as for the storage.
DO $$
BEGIN
    IF EXISTS (
        SELECT 1
        FROM pg_catalog.pg_class AS c
        WHERE c.oid = 'projector.changes'::regclass AND c.relreplident <> 'f'
    ) THEN
        ALTER TABLE projector.changes REPLICA IDENTITY FULL;
    END IF;
END
$$;
