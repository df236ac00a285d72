-- Collect each stale lead once: those of the stale keys, and those that a message left.
INSERT INTO stale_leads (user_id, customer_phone, compare_fully)
SELECT
    every.user_id,
    every.customer_phone,
    bool_or(every.compare_fully)
FROM (
    SELECT
        i.user_id,
        i.customer_phone,
        i.compare_fully
    FROM lead_invalidations AS i
    UNION ALL
    SELECT
        d.user_id,
        d.old_customer_phone,
        false
    FROM message_differences AS d
    WHERE d.old_customer_phone IS NOT NULL
) AS every
GROUP BY every.user_id, every.customer_phone;
