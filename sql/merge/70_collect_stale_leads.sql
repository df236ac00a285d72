-- Each stale lead once: those of the stale keys, and those that a message left or came to.
INSERT INTO stale_leads (user_id, customer_phone, whole)
SELECT
    every.user_id,
    every.customer_phone,
    bool_or(every.whole)
FROM (
    SELECT
        dirty_leads.user_id,
        dirty_leads.customer_phone,
        dirty_leads.whole
    FROM dirty_leads
    UNION ALL
    SELECT
        d.user_id,
        d.old_customer_phone,
        false
    FROM stage_message_changes AS d
    WHERE d.old_customer_phone IS NOT NULL
) AS every
GROUP BY every.user_id, every.customer_phone;
