-- Find the lead of each key of the taken changes, and make the key late there: the lead in projector.source_keys, and
-- that of the source if it is another.
--
-- A key that belongs to no lead, now or before, is left out, because no batch is about to write it. If it moves to a
-- lead later, a newer change reads it completely from the source.
--
-- A conversation with changed messages is read again completely, unless it is long: the changed messages of a long one
-- are read by their ids, in pieces of a thousand. So a key has one row, whatever changed, and is read once. If a rule
-- of the mapping does not name the messages (reload_messages), a long one is read completely too.
--
-- Parameter: careful, whether to leave out the keys that are set aside because a row cannot be read.
--
-- The kind of a late key covers what all changes of the key need. If there is no such kind, the NOT NULL of kind raises
-- an error, so that the key is not lost.
--
-- A conversation that the read model does not have is always read completely, so its length is not checked.
WITH named AS MATERIALIZED (
    SELECT
        t.change_id,
        t.kind,
        k.key,
        t.queued_at
    FROM taken_changes AS t
    CROSS JOIN LATERAL unnest(t.keys) AS k (key)
    WHERE k.key IS NOT NULL
),

changed AS MATERIALIZED (
    SELECT
        kinds.key_kind,
        n.key,
        bool_or(kinds.profile) AS profile,
        coalesce(bool_or(kinds.messages = 'named'), false) AS names_messages,
        coalesce(bool_or(kinds.messages = 'all'), false) AS all_messages,
        min(n.queued_at) AS queued_at
    FROM named AS n
    INNER JOIN projector.change_kinds AS kinds ON kinds.change_kind = n.kind AND kinds.dead_letter_kind IS NOT NULL
    WHERE NOT %(careful)s OR NOT EXISTS (
        SELECT FROM projector.dead_letters AS d WHERE d.kind = kinds.dead_letter_kind AND d.key = n.key COLLATE "C"
    )
    GROUP BY kinds.key_kind, n.key
),

found AS MATERIALIZED (
    SELECT
        c.*,
        c.names_messages AND NOT c.all_messages AND EXISTS (
            SELECT
            FROM projector.source_keys AS sk
            WHERE sk.kind = c.key_kind AND sk.key = c.key
        ) AND EXISTS (
            SELECT
            FROM projector.current_messages() AS m
            WHERE m.conversation_id = projector.conversation_id(c.key COLLATE "default")
            OFFSET 500
        ) AS is_long
    FROM changed AS c
),

sorted AS MATERIALIZED (
    SELECT
        f.*,
        lead.user_id,
        lead.customer_phone
    FROM found AS f
    CROSS JOIN LATERAL projector.leads_of_key(f.key_kind, f.key) AS lead
),

late AS (
    INSERT INTO projector.late_keys (user_id, customer_phone, kind, key, message_ids, queued_at)
    SELECT
        s.user_id,
        s.customer_phone,
        kinds.change_kind,
        s.key,
        NULL,
        s.queued_at
    FROM sorted AS s
    LEFT JOIN projector.change_kinds AS kinds
        ON kinds.key_kind = s.key_kind
        AND kinds.profile = s.profile
        AND (kinds.messages = 'all') IS NOT DISTINCT FROM CASE
            WHEN s.all_messages OR (s.names_messages AND NOT s.is_long) THEN true
        END
    UNION ALL
    SELECT
        s.user_id,
        s.customer_phone,
        kinds.change_kind,
        s.key,
        part.message_ids,
        s.queued_at
    FROM sorted AS s
    INNER JOIN projector.change_kinds AS kinds ON kinds.key_kind = s.key_kind AND kinds.messages = 'named'
    INNER JOIN named AS n ON n.kind = kinds.change_kind AND n.key = s.key
    INNER JOIN taken_changes AS t ON t.change_id = n.change_id
    CROSS JOIN LATERAL (
        SELECT array_agg(m.message_id) AS message_ids
        FROM unnest(t.message_ids) WITH ORDINALITY AS m (message_id, place)
        GROUP BY (m.place - 1) / 1000
    ) AS part
    WHERE s.is_long
    RETURNING user_id
)

INSERT INTO stale_tenants (user_id)
SELECT DISTINCT late.user_id
FROM late;
