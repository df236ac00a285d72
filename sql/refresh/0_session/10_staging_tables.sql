-- The staging tables: temporary tables that one batch of a refresh, a rebuild or a verify fills, and the next one
-- clears.
--
-- A connection creates them once. They are not ON COMMIT DELETE ROWS, which truncates every table at each commit and
-- took half of the time of a refresh of one lead. Their columns come from schema.sql, so that they can be created while
-- another session holds a table of the read model. `stale_…` has what to recompute, `new_…` the rows by the definition,
-- and `old_…` the previous rows of the read model.
CREATE TEMPORARY TABLE IF NOT EXISTS taken_changes (
    change_id bigint,
    shard smallint,
    kind text COLLATE "C",
    keys text[],
    message_ids text[],
    queued_at timestamptz
);

-- Each key of the taken changes once. reload_profile: the profile of its lead is stale too. reload_messages: all
-- messages of the conversation are read again.
CREATE TEMPORARY TABLE IF NOT EXISTS stale_keys (
    kind text COLLATE "C",
    key text COLLATE "C",
    reload_profile boolean,
    reload_messages boolean,
    old_user_id text COLLATE "C",
    old_customer_phone text COLLATE "C"
);

CREATE TEMPORARY TABLE IF NOT EXISTS stale_tenants (user_id text COLLATE "C");

CREATE TEMPORARY TABLE IF NOT EXISTS stale_messages (
    user_id text COLLATE "C",
    message_id text COLLATE "C"
);

-- Every reason why a lead is stale; stale_leads has each lead once. compare_fully: all rows of the lead in the read
-- model are compared. reload_profile: extractions, contacts and sends are read again.
CREATE TEMPORARY TABLE IF NOT EXISTS lead_invalidations (
    user_id text COLLATE "C",
    customer_phone text COLLATE "C",
    reload_profile boolean,
    compare_fully boolean
);

CREATE TEMPORARY TABLE IF NOT EXISTS stale_leads (
    user_id text COLLATE "C",
    customer_phone text COLLATE "C",
    compare_fully boolean
);

-- The stale conversations as their source rows are now.
CREATE TEMPORARY TABLE IF NOT EXISTS source_conversations (
    user_id text COLLATE "C",
    customer_phone text COLLATE "C",
    conversation_id text COLLATE "C",
    agent_id text COLLATE "C",
    agent_name text COLLATE "C",
    platform text COLLATE "C",
    phone_number_id text COLLATE "C",
    is_active boolean,
    created_at timestamptz,
    source_last_message_at timestamptz,
    reply_window interval,
    attributes jsonb,
    attributes_left_out integer,
    reload_messages boolean
);

CREATE TEMPORARY TABLE IF NOT EXISTS new_messages (
    {types.lead_messages},
    reload_messages boolean
);

CREATE TEMPORARY TABLE IF NOT EXISTS old_messages ({types.lead_messages});

-- One row for each message row that has to be written: a delete if it has no new side, an insert if it has no old side.
CREATE TEMPORARY TABLE IF NOT EXISTS message_differences (
    user_id text COLLATE "C",
    message_id text COLLATE "C",
    old_customer_phone text COLLATE "C",
    old_conversation_id text COLLATE "C",
    old_sent_at timestamptz,
    old_sender text COLLATE "C",
    customer_phone text COLLATE "C",
    conversation_id text COLLATE "C",
    sent_at timestamptz,
    sender text COLLATE "C"
);

CREATE TEMPORARY TABLE IF NOT EXISTS new_lead_conversations ({types.lead_conversations});

CREATE TEMPORARY TABLE IF NOT EXISTS old_lead_conversations ({types.lead_conversations});

CREATE TEMPORARY TABLE IF NOT EXISTS last_messages (
    user_id text COLLATE "C",
    customer_phone text COLLATE "C",
    sender text COLLATE "C",
    text text COLLATE "C"
);

CREATE TEMPORARY TABLE IF NOT EXISTS answers (
    user_id text COLLATE "C",
    customer_phone text COLLATE "C",
    sent_at timestamptz,
    next_at timestamptz
);

CREATE TEMPORARY TABLE IF NOT EXISTS waiting (
    user_id text COLLATE "C",
    customer_phone text COLLATE "C",
    waiting_since timestamptz
);

CREATE TEMPORARY TABLE IF NOT EXISTS new_lead_profiles ({types.lead_profiles});

CREATE TEMPORARY TABLE IF NOT EXISTS old_lead_profiles ({types.lead_profiles});

CREATE TEMPORARY TABLE IF NOT EXISTS new_lead_status_changes ({types.lead_status_changes});

CREATE TEMPORARY TABLE IF NOT EXISTS old_lead_status_changes ({types.lead_status_changes});

CREATE TEMPORARY TABLE IF NOT EXISTS new_leads ({types.leads});

CREATE TEMPORARY TABLE IF NOT EXISTS old_leads ({types.leads});

-- One row for each row of conversations, leads, profiles and changes of status that has to be written, or with is_gone
-- deleted. moves: the statistics change; for a conversation or a profile, its attributes.
CREATE TEMPORARY TABLE IF NOT EXISTS lead_differences (
    table_name text COLLATE "C",
    user_id text COLLATE "C",
    customer_phone text COLLATE "C",
    conversation_id text COLLATE "C",
    changed_at timestamptz,
    is_new boolean,
    is_gone boolean,
    moves boolean
);

-- The change of the statistics by these leads: their new numbers minus their old ones.
CREATE OR REPLACE TEMPORARY VIEW lead_moves AS
SELECT
    n.*,
    1 AS weight
FROM new_leads AS n
UNION ALL
SELECT
    o.*,
    -1 AS weight
FROM old_leads AS o;
