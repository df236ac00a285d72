-- Note the present lead of each stale key, and collect its old and its new lead as stale.
--
-- The old lead is part of every condition, and inserts do not tolerate a conflict. If two refreshes ever write one key
-- under different tenants, the second fails and is retried, instead of losing the lead of the first.
--
-- A key without a lead, known or in the source, is noted too, and deleted in the next step. So this batch waits for a
-- batch in progress that writes the same key and read its row before the row was deleted. Without that, the other batch
-- would commit a lead after this one had taken its deletion and found nothing to delete. If the mapping gives several
-- rows for a key, the subquery fails here.
--
-- when: write
WITH read_again AS (
    SELECT
        s.kind,
        s.key,
        s.reload_profile,
        s.old_user_id,
        s.old_customer_phone,
        c.user_id,
        c.customer_phone,
        (c.user_id, c.customer_phone) IS DISTINCT FROM (s.old_user_id, s.old_customer_phone) AS moved
    FROM stale_keys AS s
    LEFT JOIN source_conversations AS c ON c.conversation_id = s.key
    WHERE s.kind = 'conversation'
    UNION ALL
    SELECT
        s.kind,
        s.key,
        s.reload_profile,
        s.old_user_id,
        s.old_customer_phone,
        n.user_id,
        n.customer_phone,
        (n.user_id, n.customer_phone) IS DISTINCT FROM (s.old_user_id, s.old_customer_phone) AS moved
    FROM stale_keys AS s
    LEFT JOIN LATERAL (
        SELECT
            d.user_id,
            d.customer_phone
        FROM projector.current_key(s.kind, s.key) AS d
        OFFSET 0
    ) AS n ON n.user_id IN (SELECT t.user_id FROM stale_tenants AS t)
    WHERE s.kind <> 'conversation'
),

resolved AS MATERIALIZED (
    SELECT
        r.*,
        (SELECT given.row_number FROM generate_series(1, r.given_rows) AS given (row_number)) AS only_row
    FROM (
        SELECT
            a.*,
            count(*) OVER (PARTITION BY a.kind, a.key) AS given_rows
        FROM read_again AS a
    ) AS r
),

collected AS (
    INSERT INTO lead_invalidations (user_id, customer_phone, reload_profile, compare_fully)
    SELECT
        r.old_user_id,
        r.old_customer_phone,
        r.reload_profile OR r.moved,
        false
    FROM resolved AS r
    WHERE r.old_user_id IS NOT NULL
    UNION ALL
    SELECT
        r.user_id,
        r.customer_phone,
        true,
        false
    FROM resolved AS r
    WHERE r.user_id IS NOT NULL AND r.moved
),

gone AS (
    DELETE FROM projector.source_keys AS k
    USING resolved AS r
    WHERE r.user_id IS NULL
        AND k.kind = r.kind
        AND k.key = r.key
        AND k.user_id = r.old_user_id
        AND k.customer_phone = r.old_customer_phone
),

moved AS (
    UPDATE projector.source_keys AS k
    SET user_id = r.user_id, customer_phone = r.customer_phone
    FROM resolved AS r
    WHERE r.user_id IS NOT NULL
        AND k.kind = r.kind
        AND k.key = r.key
        AND k.user_id = r.old_user_id
        AND k.customer_phone = r.old_customer_phone
        AND r.moved
)

INSERT INTO projector.source_keys (kind, key, user_id, customer_phone)
SELECT
    r.kind,
    r.key,
    coalesce(r.user_id, ''),
    coalesce(r.customer_phone, '')
FROM resolved AS r
WHERE r.old_user_id IS NULL
ORDER BY r.kind, r.key;
