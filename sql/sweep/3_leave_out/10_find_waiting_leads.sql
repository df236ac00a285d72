-- Find the leads that may rightly differ from the definition: something of theirs waits in the queue, or is a dead
-- letter.
--
-- In one snapshot with the comparison: a change is in the queue from the moment its writer commits until the moment
-- its leads are written. A key's lead is taken from the source as well as from projector.source_keys.
-- Returns: everything, whether every lead waits, since a table was truncated.
WITH waiting AS MATERIALIZED (
    SELECT
        c.kind,
        k.key COLLATE "C" AS key
    FROM projector.changes AS c
    CROSS JOIN LATERAL unnest(c.keys) AS k (key)
    UNION
    SELECT
        l.kind,
        l.key
    FROM projector.late_keys AS l
    UNION
    SELECT
        d.kind,
        d.key
    FROM projector.dead_letters AS d
),

stale_keys AS MATERIALIZED (
    SELECT DISTINCT
        k.kind,
        k.key COLLATE "C" AS key
    FROM waiting AS w
    CROSS JOIN LATERAL projector.keys_of_change(w.kind, w.key) AS k
    WHERE w.kind <> 'truncate'
),

stored AS (
    INSERT INTO waiting_leads (user_id, customer_phone)
    SELECT
        k.user_id,
        k.customer_phone
    FROM stale_keys AS s
    CROSS JOIN LATERAL (
        SELECT
            sk.user_id,
            sk.customer_phone
        FROM projector.source_keys AS sk
        WHERE sk.kind = s.kind AND sk.key = s.key
        OFFSET 0
    ) AS k
    UNION
    SELECT
        d.user_id,
        d.customer_phone
    FROM stale_keys AS s -- noqa: AL05
    CROSS JOIN LATERAL (
        SELECT
            d.user_id,
            d.customer_phone
        FROM projector.current_key(s.kind, s.key) AS d
        OFFSET 0
    ) AS d
)

SELECT EXISTS (SELECT 1 FROM waiting AS w WHERE w.kind = 'truncate') AS everything;
