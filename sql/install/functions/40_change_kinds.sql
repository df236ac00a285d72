-- The kinds of sql/definition/kinds.sql, and what the rules of the mapping add to them.
--
-- If dead_letter_kind is null, the change itself names no key of a lead: projector.keys_of_change() finds those that a
-- rule makes stale.
CREATE OR REPLACE VIEW projector.change_kinds AS
SELECT
    k.kind COLLATE "C" AS change_kind,
    k.key_kind COLLATE "C" AS key_kind,
    k.queued_kind COLLATE "C" AS queued_kind,
    k.dead_letter_kind COLLATE "C" AS dead_letter_kind,
    k.profile,
    k.messages
FROM ({definition.kinds}) AS k
UNION ALL
SELECT
    t.change_kind COLLATE "C",
    t.key_kind COLLATE "C",
    t.queued_kind COLLATE "C",
    NULL,
    NULL,
    NULL
FROM projector.touching_kinds AS t;
COMMENT ON VIEW projector.change_kinds IS 'The kinds of changes, and what each makes stale.';

-- Whether this version knows what a change of this kind makes stale.
CREATE OR REPLACE FUNCTION projector.is_known_kind(of_kind text)
RETURNS boolean
LANGUAGE sql
STABLE
AS $$
SELECT of_kind IN ('truncate', {kinds.of_rows})
    OR EXISTS (SELECT FROM projector.touching_kinds AS t WHERE t.change_kind = of_kind)
$$;

-- Whether a change of this kind names the keys that it makes stale. PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION projector.names_keys(of_kind text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
AS $$
SELECT of_kind IN ({kinds.of_rows})
$$;

-- Whether a change of this kind has to be expanded to other keys first: it does not name the stale keys, or is a
-- truncate.
CREATE OR REPLACE FUNCTION projector.needs_expansion(of_kind text)
RETURNS boolean
LANGUAGE sql
STABLE
AS $$
SELECT NOT projector.names_keys(of_kind) AND projector.is_known_kind(of_kind)
$$;

-- Whether a rule expands a change of this kind to tenants, or may have expanded one of a table that was truncated.
CREATE OR REPLACE FUNCTION projector.expands_to_tenants(of_kind text, of_keys text[])
RETURNS boolean
LANGUAGE sql
STABLE
AS $$
SELECT EXISTS (
    SELECT
    FROM projector.touching_kinds AS t
    WHERE t.key_kind = 'tenant' AND (t.change_kind = of_kind OR (of_kind = 'truncate' AND t.change_kind = any(of_keys)))
)
$$;

-- Whether a change of this kind concerns names of tenants: of names, of rows that a rule expands to names, or a
-- truncate of one of their tables. PostgreSQL inlines it, and so looks for rules only if a kind needs expansion.
CREATE OR REPLACE FUNCTION projector.concerns_names(of_kind text, of_keys text[])
RETURNS boolean
LANGUAGE sql
STABLE
AS $$
SELECT of_kind = 'tenants'
    OR (of_kind = 'truncate' AND 'tenants' = any(of_keys))
    OR (projector.needs_expansion(of_kind) AND projector.expands_to_tenants(of_kind, of_keys))
$$;
