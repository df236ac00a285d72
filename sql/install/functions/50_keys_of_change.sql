-- The keys that a key of a change makes stale: itself, those that the rules of the mapping find, or every key below a
-- truncated table, each by the kind of its changes.
--
-- A changed row also names its old values: the rows below may have another parent by now, or none. So a rule reads each
-- table by its references, and the changed row does not have to exist. PostgreSQL inlines it.
DROP FUNCTION IF EXISTS projector.keys_of_change(text, text);
CREATE FUNCTION projector.keys_of_change(of_kind text, of_key text)
RETURNS TABLE (kind text, key text, queued_kind text)
LANGUAGE sql
STABLE
AS $$
SELECT
    k.key_kind,
    of_key,
    k.queued_kind
FROM projector.change_kinds AS k
WHERE k.change_kind = of_kind AND k.dead_letter_kind IS NOT NULL
UNION ALL
SELECT
    t.kind,
    t.key,
    t.queued_kind
FROM projector.touched_keys(of_kind, of_key) AS t
UNION ALL
SELECT
    k.kind,
    k.key,
    t.queued_kind
FROM projector.change_kinds AS t
INNER JOIN projector.source_keys AS k ON k.kind = t.key_kind
WHERE of_kind = 'truncate' AND t.change_kind = of_key
$$;
