-- What each kind of change makes stale: which keys, the kind as which these are queued where a change is spread or a
-- table was truncated, and the kind as which one is set aside as a dead letter and read again as a whole.
--
-- Where letter_kind is null, the change names no such keys itself: projector.keys_of_change() finds them, by the rules
-- of the mapping.
CREATE OR REPLACE VIEW projector.change_kinds AS
SELECT
    k.change_kind COLLATE "C" AS change_kind,
    k.key_kind COLLATE "C" AS key_kind,
    k.queued_kind COLLATE "C" AS queued_kind,
    k.letter_kind COLLATE "C" AS letter_kind
FROM (
    VALUES
    ('messages', 'conversation', 'reload_conversations', 'reload_conversations'),
    ('reload_conversations', 'conversation', 'reload_conversations', 'reload_conversations'),
    ('reload_messages', 'conversation', 'reload_messages', 'reload_conversations'),
    ('conversations', 'conversation', 'conversations', 'reload_conversations'),
    ('extractions', 'conversation', 'extractions', 'reload_conversations'),
    ('contacts', 'contact', 'contacts', 'contacts'),
    ('template_sends', 'template_send', 'template_sends', 'template_sends')
) AS k (change_kind, key_kind, queued_kind, letter_kind)
UNION ALL
SELECT
    t.change_kind COLLATE "C",
    t.key_kind COLLATE "C",
    t.queued_kind COLLATE "C",
    NULL
FROM projector.touching_kinds AS t;
COMMENT ON VIEW projector.change_kinds IS 'What each kind of change makes stale.';

-- Whether a change of this kind has to be spread over other keys first: it is of none of the above, nor of a tenant, or
-- a truncate.
CREATE OR REPLACE FUNCTION projector.is_spread(of_kind text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
AS $$
SELECT of_kind NOT IN (
    'messages', 'reload_conversations', 'reload_messages', 'conversations', 'extractions', 'contacts', 'template_sends',
    'tenants'
)
$$;

-- Whether this version knows what a change of this kind makes stale.
CREATE OR REPLACE FUNCTION projector.is_known_kind(of_kind text)
RETURNS boolean
LANGUAGE sql
STABLE
AS $$
SELECT of_kind IN ('tenants', 'truncate')
    OR EXISTS (SELECT FROM projector.change_kinds AS k WHERE k.change_kind = of_kind)
$$;

-- Whether a key of a change of this kind is one that the platform can have: no id of numbers is written with letters.
CREATE OR REPLACE FUNCTION projector.is_key(of_kind text, of_key text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
AS $$
SELECT CASE
    WHEN of_kind = 'tenants' OR projector.is_spread(of_kind) THEN true
    WHEN of_kind = 'contacts' THEN projector.contact_id(of_key COLLATE "default") IS NOT NULL
    WHEN of_kind = 'template_sends' THEN projector.send_id(of_key COLLATE "default") IS NOT NULL
    ELSE projector.conversation_id(of_key COLLATE "default") IS NOT NULL
END
$$;

-- Whether a rule spreads a change of this kind to tenants, or may have spread one of a table that was truncated.
CREATE OR REPLACE FUNCTION projector.is_spread_to_tenants(of_kind text, of_keys text[])
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

-- Whether a change of this kind concerns names of tenants: of these, of rows that a rule spreads to these, or of all
-- where the table of either was truncated. PostgreSQL inlines it, and so asks for rules only where a kind is spread.
CREATE OR REPLACE FUNCTION projector.concerns_names(of_kind text, of_keys text[])
RETURNS boolean
LANGUAGE sql
STABLE
AS $$
SELECT of_kind = 'tenants'
    OR (of_kind = 'truncate' AND 'tenants' = any(of_keys))
    OR (projector.is_spread(of_kind) AND projector.is_spread_to_tenants(of_kind, of_keys))
$$;
