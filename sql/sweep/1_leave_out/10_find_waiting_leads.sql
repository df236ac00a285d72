-- Find the leads that may rightly differ from the definition, because a change of theirs waits or is a dead letter.
--
-- It shares the snapshot of the comparison, because a change is in the queue from the moment its writer commits until
-- its leads are written.
-- Returns: everything, whether every lead waits because a table was truncated.
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
    SELECT DISTINCT
        lead.user_id,
        lead.customer_phone
    FROM stale_keys AS s
    CROSS JOIN LATERAL projector.leads_of_key(s.kind, s.key) AS lead
)

SELECT EXISTS (SELECT 1 FROM waiting AS w WHERE w.kind = 'truncate') AS everything;
