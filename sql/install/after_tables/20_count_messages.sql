-- Count the messages of an installation that did not count them: from now on, refreshes only add to what is there.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM read_model.message_counts) THEN
        INSERT INTO read_model.message_counts (user_id, hour, messages)
        SELECT
            m.user_id,
            date_trunc('hour', m.sent_at, 'UTC'),
            count(*)
        FROM read_model.lead_messages AS m
        GROUP BY m.user_id, date_trunc('hour', m.sent_at, 'UTC');
    END IF;
END
$$;
