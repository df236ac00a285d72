-- The leads of a key: the lead in projector.source_keys, and that of the source if it is another.
--
-- A conversation that moved or is gone has to change its old lead too. PostgreSQL inlines it, so that each key is one
-- look-up in each index, however many rows the planner expects in a staging table.
DROP FUNCTION IF EXISTS projector.leads_of_key(text, text);
CREATE FUNCTION projector.leads_of_key(of_kind text, of_key text)
RETURNS TABLE (user_id text, customer_phone text)
LANGUAGE sql
STABLE
AS $$
SELECT
    k.user_id,
    k.customer_phone
FROM projector.source_keys AS k
WHERE k.kind = of_kind AND k.key = of_key
UNION
SELECT
    d.user_id,
    d.customer_phone
FROM projector.current_key(of_kind, of_key) AS d
$$;
