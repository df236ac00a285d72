-- The kinds that rows of these tables may have: the kinds of keys in sql/definition/kinds.sql, and the other items that
-- a verify compares. A different constraint, such as that of another version, is replaced.
DO $$
DECLARE
    replaced record;
BEGIN
    FOR replaced IN
        SELECT
            wanted.table_name,
            wanted.table_name || '_kind_check' AS constraint_name,
            (
                SELECT string_agg(quote_literal(k.kind), ', ' ORDER BY k.place)
                FROM unnest(wanted.kinds) WITH ORDINALITY AS k (kind, place)
            ) AS kinds
        FROM (
            VALUES
            ('source_keys', ARRAY[{kinds.of_keys}]),
            ('verify_left_out', ARRAY['lead', {kinds.of_keys}]),
            ('drift', ARRAY['lead', {kinds.of_keys}, 'statistics'])
        ) AS wanted (table_name, kinds)
        WHERE wanted.kinds IS DISTINCT FROM (
            SELECT ARRAY(SELECT m.said[1] FROM regexp_matches(pg_get_constraintdef(c.oid), '''(\w+)''', 'g') AS m (said))
            FROM pg_catalog.pg_constraint AS c
            WHERE c.conrelid = ('projector.' || wanted.table_name)::regclass
                AND c.conname = wanted.table_name || '_kind_check'
        )
    LOOP
        EXECUTE format(
            'ALTER TABLE projector.%1$I DROP CONSTRAINT IF EXISTS %2$I,'
            ' ADD CONSTRAINT %2$I CHECK (kind IN (%3$s)) NOT VALID',
            replaced.table_name, replaced.constraint_name, replaced.kinds
        );
        EXECUTE format('ALTER TABLE projector.%I VALIDATE CONSTRAINT %I', replaced.table_name, replaced.constraint_name);
    END LOOP;
END
$$;
