-- Give the index of the default page, which an older version created, the columns of today.
--
-- Readers use the old one until the new one is there.
DO $$
BEGIN
    IF pg_get_indexdef('read_model.leads_by_last_message_at'::regclass) LIKE '%has_conversation%' THEN
        RETURN;
    END IF;
    CREATE INDEX leads_by_last_message_at_of_today
        ON read_model.leads (user_id, last_message_at DESC NULLS LAST, customer_phone DESC)
        INCLUDE (
            lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email,
            last_message_sender, has_conversation
        );
    DROP INDEX read_model.leads_by_last_message_at;
    ALTER INDEX read_model.leads_by_last_message_at_of_today RENAME TO leads_by_last_message_at;
END
$$;
