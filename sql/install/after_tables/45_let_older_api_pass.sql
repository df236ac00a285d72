-- Note that the API of version 0.1 may still run: it names no tenant, and row security has to let it read.
--
-- The next version deletes the note.
DO $$
BEGIN
    IF to_regprocedure('projector.begin_again()') IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO projector.settings (name, value)
    VALUES ('row_security', 'lets the API of version 0.1 pass')
    ON CONFLICT (name) DO NOTHING;
END
$$;
