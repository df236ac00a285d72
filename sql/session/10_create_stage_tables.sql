-- The stage: temporary tables that one batch of a refresh, a rebuild or a verify fills, and the next one clears.
--
-- Made once a session. Not ON COMMIT DELETE ROWS, which truncates every table at each commit: that took half of the
-- time of a refresh of one lead. `stale` says what to recompute, `stage` what the definition makes of it, `old` what
-- the read model held before. Recompute reads source tables and fills the stage; merge reads the stage and the read
-- model.
CREATE TEMPORARY TABLE IF NOT EXISTS stage_changes (
    change_id bigint,
    shard smallint,
    kind text COLLATE "C",
    keys text[],
    message_ids text[],
    queued_at timestamptz
);

CREATE TEMPORARY TABLE IF NOT EXISTS stale_conversations (
    conversation_id text COLLATE "C",
    profile boolean,
    resync boolean,
    old_user_id text COLLATE "C",
    old_customer_phone text COLLATE "C"
);

CREATE TEMPORARY TABLE IF NOT EXISTS stale_contacts (contact_id text COLLATE "C");

CREATE TEMPORARY TABLE IF NOT EXISTS stale_sends (send_id text COLLATE "C");

CREATE TEMPORARY TABLE IF NOT EXISTS stale_tenants (user_id text COLLATE "C");

CREATE TEMPORARY TABLE IF NOT EXISTS stale_messages (
    user_id text COLLATE "C",
    message_id text COLLATE "C"
);

-- Every reason why a lead is stale; `stale_leads` then has each lead once.
-- whole: all that the read model holds of the lead is compared; profile: extraction, contact and sends are read again.
CREATE TEMPORARY TABLE IF NOT EXISTS dirty_leads (
    user_id text COLLATE "C",
    customer_phone text COLLATE "C",
    profile boolean,
    whole boolean
);

CREATE TEMPORARY TABLE IF NOT EXISTS stale_leads (
    user_id text COLLATE "C",
    customer_phone text COLLATE "C",
    whole boolean
);

CREATE TEMPORARY TABLE IF NOT EXISTS stage_conversations (
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
    resync boolean
);

CREATE TEMPORARY TABLE IF NOT EXISTS stage_messages AS
SELECT
    m.*,
    NULL::boolean AS resync
FROM read_model.lead_messages AS m
WITH NO DATA;

CREATE TEMPORARY TABLE IF NOT EXISTS old_messages AS
SELECT *
FROM read_model.lead_messages
WITH NO DATA;

-- One row for each message row that has to be written: a null new side is a delete, a null old side an insert.
CREATE TEMPORARY TABLE IF NOT EXISTS stage_message_changes (
    user_id text COLLATE "C",
    message_id text COLLATE "C",
    old_customer_phone text COLLATE "C",
    old_conversation_id text COLLATE "C",
    old_sent_at timestamptz,
    customer_phone text COLLATE "C",
    conversation_id text COLLATE "C",
    sent_at timestamptz
);

-- The conversations of the stale leads as they have to be.
CREATE TEMPORARY TABLE IF NOT EXISTS stage_lead_conversations AS
SELECT *
FROM read_model.lead_conversations
WITH NO DATA;

CREATE TEMPORARY TABLE IF NOT EXISTS old_conversations AS
SELECT *
FROM read_model.lead_conversations
WITH NO DATA;

CREATE TEMPORARY TABLE IF NOT EXISTS stage_last_messages (
    user_id text COLLATE "C",
    customer_phone text COLLATE "C",
    sender text COLLATE "C",
    text text COLLATE "C"
);

CREATE TEMPORARY TABLE IF NOT EXISTS stage_profiles AS
SELECT *
FROM read_model.lead_profiles
WITH NO DATA;

CREATE TEMPORARY TABLE IF NOT EXISTS old_profiles AS
SELECT *
FROM read_model.lead_profiles
WITH NO DATA;

CREATE TEMPORARY TABLE IF NOT EXISTS stage_leads AS
SELECT *
FROM read_model.leads
WITH NO DATA;

CREATE TEMPORARY TABLE IF NOT EXISTS old_leads AS
SELECT *
FROM read_model.leads
WITH NO DATA;

-- By how much each combination of facets has to move, by the UTC hour of last_message_at.
CREATE TEMPORARY TABLE IF NOT EXISTS stage_stats AS
SELECT
    s.*,
    NULL::timestamptz AS hour
FROM read_model.lead_counts AS s
WITH NO DATA;
