-- Store the arrays of the queue uncompressed: compression is a third of what capture costs a COPY, and the rows are
-- deleted a moment later.
--
-- The setting is read before it is written: ALTER TABLE waits for all transactions that use the queue, and all other
-- writers wait behind it.
DO $$
BEGIN
    IF EXISTS (
        SELECT 1
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = 'projector.changes'::regclass
            AND a.attname IN ('keys', 'message_ids')
            AND a.attstorage <> 'e'
    ) THEN
        ALTER TABLE projector.changes
        ALTER COLUMN keys SET STORAGE EXTERNAL,
        ALTER COLUMN message_ids SET STORAGE EXTERNAL;
    END IF;
END
$$;
