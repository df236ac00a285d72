-- Give the rows of the queue, which has no key, an identity: under a publication of all tables they could otherwise not
-- be deleted.
--
-- Looked at before it is set, as for store_uncompressed.
DO $$
BEGIN
    IF EXISTS (
        SELECT 1
        FROM pg_catalog.pg_class AS c
        WHERE c.oid IN ('projector.changes'::regclass, 'projector.replay'::regclass) AND c.relreplident <> 'f'
    ) THEN
        ALTER TABLE projector.changes REPLICA IDENTITY FULL;
        ALTER TABLE projector.replay REPLICA IDENTITY FULL;
    END IF;
END
$$;
