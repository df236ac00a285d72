-- The stored messages of a conversation or of a lead, for the few in a batch that need them.
--
-- The bodies are strings instead of BEGIN ATOMIC, so that they hold no dependency on the table. They are not inlined,
-- so a step may call them where Citus refuses a sub-select. The times use ORDER BY and LIMIT: with min() and max() the
-- planner, which expects few messages of a lead, would read them all.
CREATE OR REPLACE FUNCTION projector.count_messages(of_user_id text, of_customer_phone text, of_conversation_id text)
RETURNS bigint
LANGUAGE sql
STABLE
AS $$
    SELECT count(*)
    FROM read_model.lead_messages AS m
    WHERE m.user_id = of_user_id AND m.customer_phone = of_customer_phone AND m.conversation_id = of_conversation_id
$$;

CREATE OR REPLACE FUNCTION projector.first_message_at(of_user_id text, of_customer_phone text, of_conversation_id text)
RETURNS timestamptz
LANGUAGE sql
STABLE
AS $$
    SELECT m.sent_at
    FROM read_model.lead_messages AS m
    WHERE m.user_id = of_user_id AND m.customer_phone = of_customer_phone AND m.conversation_id = of_conversation_id
    ORDER BY m.sent_at
    LIMIT 1
$$;

CREATE OR REPLACE FUNCTION projector.newest_message_at(of_user_id text, of_customer_phone text, of_conversation_id text)
RETURNS timestamptz
LANGUAGE sql
STABLE
AS $$
    SELECT m.sent_at
    FROM read_model.lead_messages AS m
    WHERE m.user_id = of_user_id AND m.customer_phone = of_customer_phone AND m.conversation_id = of_conversation_id
    ORDER BY m.sent_at DESC
    LIMIT 1
$$;

CREATE OR REPLACE FUNCTION projector.newest_message_of(
    of_user_id text, of_customer_phone text, of_conversation_id text, of_sender text
)
RETURNS timestamptz
LANGUAGE sql
STABLE
AS $$
    SELECT m.sent_at
    FROM read_model.lead_messages AS m
    WHERE m.user_id = of_user_id
        AND m.customer_phone = of_customer_phone
        AND m.conversation_id = of_conversation_id
        AND m.sender = of_sender
    ORDER BY m.sent_at DESC
    LIMIT 1
$$;

-- When the customer first wrote after a moment; for null, when the customer first wrote at all.
CREATE OR REPLACE FUNCTION projector.customer_message_after(
    of_user_id text, of_customer_phone text, after_moment timestamptz
)
RETURNS timestamptz
LANGUAGE sql
STABLE
AS $$
    SELECT m.sent_at
    FROM read_model.lead_messages AS m
    WHERE m.user_id = of_user_id
        AND m.customer_phone = of_customer_phone
        AND m.sender = 'user'
        AND m.sent_at > coalesce(after_moment, '-infinity')
    ORDER BY m.sent_at
    LIMIT 1
$$;
