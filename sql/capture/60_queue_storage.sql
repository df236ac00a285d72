-- Store the arrays of the queue as they are: to compress them is a third of what capture costs a COPY, and they are
-- deleted a moment later.
--
-- Looked at before it is set: to set it waits for every writer under way, and all others behind it.
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
