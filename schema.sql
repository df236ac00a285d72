-- All tables of the Leads read model.
--
-- `python -m projector migrate` applies this file. Every statement can run again: it keeps what exists.
-- A line `-- section: NAME` begins a section. `migrate` applies them in this order:
--   source         The platform's tables. Only for the demo, for tests and on `migrate --create-source`; `migrate`
--                  never changes the tables of an existing platform.
--   read_model     What the API reads.
--   projector      The queue of changes, the run log and other state of the projector.
--   access_roles   The roles, and a schema that the owner of the platform's tables does not own. A superuser runs this
--                  part and the next two: they read no table of the platform, nor one that its owner could replace.
--   access         The API keys, and the ledger of erasures.
--   access_rights  Who may use them.
--   later          Indexes on columns that were added later, in a transaction of their own.
--   search         The search index, which needs two extensions.
--   roles          Who may read what.
--   readers        What people who use SQL may read.
--
-- The comment lines directly above a table or a column are its description: `migrate` stores them with COMMENT ON. A
-- column without a description has that of the first column with its name.
-- The steps in sql/ take the columns of a table, in this order, from here.

-- section: source

CREATE TABLE IF NOT EXISTS users (
    user_id varchar(50) PRIMARY KEY,
    email varchar(255),
    company_name varchar(255),
    created_at timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
    updated_at timestamp DEFAULT (now() AT TIME ZONE 'UTC')
);

CREATE TABLE IF NOT EXISTS phone_numbers (
    id varchar(50) PRIMARY KEY,
    user_id varchar(50) NOT NULL REFERENCES users ON DELETE CASCADE,
    platform varchar(20),
    meta_phone_number_id varchar(100),
    access_token text,
    display_name varchar(255)
);

CREATE TABLE IF NOT EXISTS agents (
    agent_id varchar(50) PRIMARY KEY,
    user_id varchar(50) NOT NULL REFERENCES users ON DELETE CASCADE,
    phone_number_id varchar(50) NOT NULL UNIQUE REFERENCES phone_numbers ON DELETE CASCADE,
    name varchar(255)
);

CREATE TABLE IF NOT EXISTS conversations (
    conversation_id varchar(50) PRIMARY KEY,
    agent_id varchar(50) NOT NULL REFERENCES agents ON DELETE CASCADE,
    customer_phone varchar(50),
    created_at timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
    last_message_at timestamp,
    is_active boolean DEFAULT true,
    UNIQUE (agent_id, customer_phone, is_active)
);

CREATE TABLE IF NOT EXISTS messages (
    message_id varchar(255) PRIMARY KEY,
    conversation_id varchar(50) NOT NULL REFERENCES conversations ON DELETE CASCADE,
    sender varchar(20),
    text text,
    timestamp timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
    status varchar(20) DEFAULT 'sent',
    sequence_no integer,
    UNIQUE (conversation_id, sequence_no)
);

CREATE TABLE IF NOT EXISTS extractions (
    extraction_id uuid PRIMARY KEY,
    conversation_id varchar(50) NOT NULL REFERENCES conversations ON DELETE CASCADE,
    user_id varchar(50),
    customer_phone varchar(50),
    extracted_at timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
    is_latest boolean DEFAULT true,
    name varchar(255),
    email varchar(255),
    company varchar(255),
    intent_score integer,
    urgency_score integer,
    budget_score integer,
    fit_score integer,
    engagement_score integer,
    total_score integer,
    lead_status_tag varchar(20),
    requirements text,
    custom_cta text,
    in_detail_summary text,
    smart_notification text,
    demo_book_datetime timestamptz
);
CREATE INDEX IF NOT EXISTS extractions_conversation_id_idx ON extractions (conversation_id);

CREATE TABLE IF NOT EXISTS contacts (
    contact_id varchar(50) PRIMARY KEY,
    user_id varchar(50) NOT NULL REFERENCES users ON DELETE CASCADE,
    phone varchar(20),
    name varchar(255),
    email varchar(255),
    company varchar(255),
    updated_at timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
    tags text[],
    opted_out boolean,
    source text,
    UNIQUE (user_id, phone)
);

CREATE TABLE IF NOT EXISTS templates (
    template_id varchar(50) PRIMARY KEY,
    user_id varchar(50) NOT NULL REFERENCES users ON DELETE CASCADE,
    phone_number_id varchar(50) NOT NULL REFERENCES phone_numbers ON DELETE CASCADE,
    name varchar(255)
);
CREATE INDEX IF NOT EXISTS templates_phone_number_id_idx ON templates (phone_number_id);

CREATE TABLE IF NOT EXISTS template_sends (
    send_id varchar(50) PRIMARY KEY,
    template_id varchar(50) NOT NULL REFERENCES templates ON DELETE CASCADE,
    conversation_id varchar(50) REFERENCES conversations ON DELETE SET NULL,
    customer_phone varchar(50),
    status varchar(20) DEFAULT 'PENDING',
    sent_at timestamp,
    created_at timestamp DEFAULT (now() AT TIME ZONE 'UTC')
);
CREATE INDEX IF NOT EXISTS template_sends_template_id_idx ON template_sends (template_id);
CREATE INDEX IF NOT EXISTS template_sends_conversation_id_idx ON template_sends (conversation_id);

-- section: read_model

CREATE SCHEMA IF NOT EXISTS read_model;
COMMENT ON SCHEMA read_model IS 'The tables that the API reads. Only the projector writes them; every key begins with the tenant.';

-- Texts are COLLATE "C": the API promises bytewise comparison and order, and an index serves that at the least cost.
-- Times are cut to the millisecond, the precision in which the API prints, sorts and compares them.
-- VACUUM must not truncate these tables, because that takes an ACCESS EXCLUSIVE lock. A standby replays the lock, and
-- while a reader there keeps it waiting, all other readers wait too. A TOAST table has a setting of its own.

-- One row per tenant. A transaction that changes data of a tenant writes this row last, under the tenant's lock.
CREATE TABLE IF NOT EXISTS read_model.tenants (
    -- The tenant.
    user_id text COLLATE "C" PRIMARY KEY,
    -- Grows with every transaction that changes a row of this tenant, so a reader that keeps a version can tell whether
    -- something has changed since.
    version bigint NOT NULL DEFAULT 0,
    -- Number of keys of this tenant that are set aside with an error; see projector.dead_letters.
    dead_letters integer NOT NULL DEFAULT 0,
    -- A random id, new with each version. After a restore, a failover or an erasure, a version can occur again with
    -- other rows, but never with the same id.
    version_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    -- A random id, new when rows are deleted without a tombstone, as by an erasure or a first build: an earlier token
    -- of the change feed has then missed changes.
    epoch uuid NOT NULL DEFAULT gen_random_uuid(),
    -- The newest version of the lead tombstones that were deleted because of their age; 0 if none was deleted.
    pruned_version bigint NOT NULL DEFAULT 0,
    -- The as-of of this tenant while a mass change of it waits: the read model contains every change of the tenant that
    -- was committed before, except dead letters. Null if none waits: then freshness.shards applies.
    late_as_of timestamptz,
    -- The newest version of the tombstones of status changes that were deleted because of their age; 0 if none was.
    pruned_status_version bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50, vacuum_truncate = off, toast.vacuum_truncate = off);
-- Usage: the tenants that are late.
CREATE INDEX IF NOT EXISTS tenants_late ON read_model.tenants (user_id) WHERE late_as_of IS NOT NULL;

-- One row per tenant that has a name, whether it has leads or not.
CREATE TABLE IF NOT EXISTS read_model.tenant_names (
    user_id text COLLATE "C" PRIMARY KEY,
    -- The name that the platform gives the tenant: that of its company, trimmed.
    name text COLLATE "C" NOT NULL
) WITH (vacuum_truncate = off, toast.vacuum_truncate = off);

-- One row per lead: the columns that a list filters and sorts by and that a message can change, and the lead as the
-- API prints it.
CREATE TABLE IF NOT EXISTS read_model.leads (
    user_id text COLLATE "C" NOT NULL,
    -- The canonical form: the digits of a phone number, or any other identifier trimmed.
    customer_phone text COLLATE "C" NOT NULL,
    -- Newest last_message_at of its conversations; for a lead without conversations, the newest counted template send.
    last_message_at timestamptz,
    -- Earliest of conversation start, message and counted template send.
    first_contact_at timestamptz NOT NULL,
    -- Number of rows in lead_messages.
    total_messages integer NOT NULL,
    -- Total score of the winning extraction as stored; else the sum of its five scores if it has all of them.
    total_score integer,
    -- Hot, Warm or Cold; null for anything else.
    lead_status text COLLATE "C",
    -- Whether a conversation or a counted template send of this lead is on whatsapp.
    on_whatsapp boolean NOT NULL,
    -- Whether a conversation or a counted template send of this lead is on instagram.
    on_instagram boolean NOT NULL,
    -- Whether a conversation or a counted template send of this lead is on webchat.
    on_webchat boolean NOT NULL,
    -- Whether any extraction row of its conversations exists.
    has_extraction boolean NOT NULL,
    -- Whether the printed email is not null.
    has_email boolean NOT NULL,
    -- The lead object of the API as compact JSON text. The API prints it unchanged.
    document text COLLATE "C" NOT NULL,
    -- The sender of its last message, user or agent; null for any other sender, and without messages.
    last_message_sender text COLLATE "C",
    -- Whether it has a conversation; false for a lead of counted template sends alone.
    has_conversation boolean NOT NULL DEFAULT true,
    -- The version of its tenant with which this row was last written. It does not follow from source rows, so no step
    -- computes or compares it.
    version bigint NOT NULL DEFAULT 0,
    -- Since when the customer waits for an answer: the first message of the customer after the newest one of the agent.
    -- Null unless last_message_sender is user.
    waiting_since timestamptz,
    -- The end of the reply window, in which the agent may answer freely: the latest end among its conversations, each
    -- counted from the newest message of the customer. Null without a window.
    reply_window_ends_at timestamptz,
    -- Time of the newest message of the customer; null without any.
    last_customer_message_at timestamptz,
    -- The platforms of its conversations and counted template sends, except these three, in bytewise order; null for
    -- none.
    other_platforms text[] COLLATE "C",
    -- When the lead got its present status; null if it never had any, 1970-01-01 where that is not known.
    status_since timestamptz,
    -- When it first became Warm; null if it never did.
    first_warm_at timestamptz,
    -- When it first became Hot; null if it never did.
    first_hot_at timestamptz,
    -- Whether it ever became Cold.
    was_cold boolean NOT NULL DEFAULT false,
    -- Usage: one lead by its phone. It includes what filters and sorts read, so that they need not visit the row.
    CONSTRAINT leads_pkey PRIMARY KEY (user_id, customer_phone) INCLUDE (
        last_message_at, first_contact_at, total_messages, lead_status, total_score, on_whatsapp, on_instagram,
        on_webchat, has_extraction, has_email
    )
-- Each message updates the row of its lead. Frequent vacuums keep the table small and index-only scans possible.
) WITH (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.02,
    vacuum_truncate = off,
    toast.vacuum_truncate = off
);
-- Usage: sort_by=total_messages.
CREATE INDEX IF NOT EXISTS leads_by_total_messages
    ON read_model.leads (user_id, total_messages, customer_phone);
-- Usage: the change feed, what was written since a version.
CREATE INDEX IF NOT EXISTS leads_by_version
    ON read_model.leads (user_id, version, customer_phone);

-- One row per deleted lead, for the change feed. Old rows are deleted.
CREATE TABLE IF NOT EXISTS read_model.lead_tombstones (
    user_id text COLLATE "C" NOT NULL,
    customer_phone text COLLATE "C" NOT NULL,
    -- The version of its tenant with which the lead went.
    version bigint NOT NULL,
    -- When that was.
    deleted_at timestamptz NOT NULL,
    -- Usage: a lead that is deleted again, or exists again.
    CONSTRAINT lead_tombstones_pkey PRIMARY KEY (user_id, customer_phone)
) WITH (vacuum_truncate = off, toast.vacuum_truncate = off);
-- Usage: the change feed.
CREATE INDEX IF NOT EXISTS lead_tombstones_by_version
    ON read_model.lead_tombstones (user_id, version, customer_phone);
-- Usage: the deletion of old tombstones.
CREATE INDEX IF NOT EXISTS lead_tombstones_by_deleted_at
    ON read_model.lead_tombstones (deleted_at);

-- One row per change of the status of a lead, as far as the platform keeps its extractions.
CREATE TABLE IF NOT EXISTS read_model.lead_status_changes (
    user_id text COLLATE "C" NOT NULL,
    customer_phone text COLLATE "C" NOT NULL,
    -- The time of the extraction that gave the status; 1970-01-01 if it is not known. If several have the same time,
    -- the last one counts.
    changed_at timestamptz NOT NULL,
    -- The new status: Hot, Warm or Cold; null for anything else.
    lead_status text COLLATE "C",
    -- Total score of that extraction, as in leads.
    total_score integer,
    -- The extraction that gave the status.
    extraction_id text COLLATE "C" NOT NULL,
    -- The conversation that it was made from.
    conversation_id text COLLATE "C" NOT NULL,
    -- The version of its tenant with which this row was last written; 0 for a row of the build that filled the table.
    -- It does not follow from source rows, so no step computes or compares it.
    version bigint NOT NULL DEFAULT 0,
    -- Usage: the history of a lead.
    CONSTRAINT lead_status_changes_pkey PRIMARY KEY (user_id, customer_phone, changed_at)
) WITH (vacuum_truncate = off, toast.vacuum_truncate = off);
-- Usage: became.
CREATE INDEX IF NOT EXISTS lead_status_changes_by_status
    ON read_model.lead_status_changes (user_id, lead_status, changed_at, customer_phone);
-- Usage: the feed of changes of status.
CREATE INDEX IF NOT EXISTS lead_status_changes_by_version
    ON read_model.lead_status_changes (user_id, version, customer_phone, changed_at) WHERE version > 0;

-- One row per change of status that was withdrawn, for the feed, even if the change has come again. Old rows are
-- deleted.
CREATE TABLE IF NOT EXISTS read_model.status_change_tombstones (
    user_id text COLLATE "C" NOT NULL,
    customer_phone text COLLATE "C" NOT NULL,
    -- The extraction that had given the status.
    extraction_id text COLLATE "C" NOT NULL,
    -- The status; empty for none.
    lead_status text COLLATE "C" NOT NULL,
    -- As it was in lead_status_changes.
    changed_at timestamptz NOT NULL,
    -- As it was in lead_status_changes.
    total_score integer,
    -- As it was in lead_status_changes.
    conversation_id text COLLATE "C" NOT NULL,
    -- The version of its tenant with which the change was last withdrawn.
    version bigint NOT NULL,
    -- When that was.
    deleted_at timestamptz NOT NULL,
    -- Usage: a change that is withdrawn again.
    CONSTRAINT status_change_tombstones_pkey PRIMARY KEY (user_id, customer_phone, extraction_id, lead_status)
) WITH (vacuum_truncate = off, toast.vacuum_truncate = off);
-- Usage: the feed of changes of status.
CREATE INDEX IF NOT EXISTS status_change_tombstones_by_version
    ON read_model.status_change_tombstones (user_id, version, customer_phone, changed_at);
-- Usage: the deletion of old tombstones.
CREATE INDEX IF NOT EXISTS status_change_tombstones_by_deleted_at
    ON read_model.status_change_tombstones (deleted_at);

-- One row per lead: what comes from extractions, contacts and template sends. A message does not change it, so a
-- message does not touch its search index.
CREATE TABLE IF NOT EXISTS read_model.lead_profiles (
    user_id text COLLATE "C" NOT NULL,
    customer_phone text COLLATE "C" NOT NULL,
    -- Name of the winning extraction if it is not blank, else of the winning contact; trimmed.
    name text COLLATE "C",
    -- Email address, chosen as name is.
    email text COLLATE "C",
    -- Company, chosen as name is.
    company text COLLATE "C",
    lead_status text COLLATE "C",
    total_score integer,
    -- Score of the winning extraction.
    intent_score integer,
    -- Score of the winning extraction.
    urgency_score integer,
    -- Score of the winning extraction.
    budget_score integer,
    -- Score of the winning extraction.
    fit_score integer,
    -- Score of the winning extraction.
    engagement_score integer,
    has_extraction boolean NOT NULL,
    -- The winning extraction.
    extraction_id uuid,
    -- Number of template sends that went out.
    template_sends_count integer NOT NULL,
    -- Time of the earliest counted template send.
    first_send_at timestamptz,
    -- Time of the newest counted template send.
    last_send_at timestamptz,
    -- Whether a counted template send is on whatsapp.
    sent_on_whatsapp boolean NOT NULL,
    -- Whether a counted template send is on instagram.
    sent_on_instagram boolean NOT NULL,
    -- Whether a counted template send is on webchat.
    sent_on_webchat boolean NOT NULL,
    -- lower(name), the order of sort_by=name.
    name_key text COLLATE "C",
    -- lower() of name, email, company and phone, with a line feed between them.
    search_text text COLLATE "C" NOT NULL,
    -- The search_text without accents; null if it has none.
    search_plain text COLLATE "C",
    -- The attributes that the platform gives the customer, by names: texts, numbers, booleans and lists of these;
    -- null for nothing. At most 64 names and 8 KiB.
    attributes jsonb,
    -- Number of attributes left out: beyond these bounds, or of another type than the mapping declares.
    attributes_left_out integer NOT NULL DEFAULT 0,
    -- The platforms of its counted template sends, except these three, in bytewise order; null for none.
    sent_on_others text[] COLLATE "C",
    -- When the lead got its present status: its newest row of lead_status_changes. Null without any.
    status_since timestamptz,
    -- When it first became Warm; null if it never did.
    first_warm_at timestamptz,
    -- When it first became Hot; null if it never did.
    first_hot_at timestamptz,
    -- Whether it ever became Cold.
    was_cold boolean NOT NULL DEFAULT false,
    -- Usage: the profile of one lead.
    CONSTRAINT lead_profiles_pkey PRIMARY KEY (user_id, customer_phone)
) WITH (vacuum_truncate = off, toast.vacuum_truncate = off);
-- Usage: sort_by=name.
CREATE INDEX IF NOT EXISTS lead_profiles_by_name
    ON read_model.lead_profiles (user_id, name_key, customer_phone);
-- Usage: sort_by=total_score.
CREATE INDEX IF NOT EXISTS lead_profiles_by_total_score
    ON read_model.lead_profiles (user_id, total_score, customer_phone);

-- One row per conversation of a lead, with the totals of its messages.
CREATE TABLE IF NOT EXISTS read_model.lead_conversations (
    user_id text COLLATE "C" NOT NULL,
    customer_phone text COLLATE "C" NOT NULL,
    -- The conversation.
    conversation_id text COLLATE "C" NOT NULL,
    -- The AI agent of the conversation.
    agent_id text COLLATE "C",
    -- Name of the agent.
    agent_name text COLLATE "C",
    -- Platform of the agent's channel, as stored.
    platform text COLLATE "C",
    -- The agent's channel.
    phone_number_id text COLLATE "C",
    -- As stored; null counts as false.
    is_active boolean NOT NULL,
    -- Start of the conversation; null counts as 1970-01-01.
    created_at timestamptz NOT NULL,
    -- The platform's own note of the last message. Printed only while the conversation has no message.
    source_last_message_at timestamptz,
    -- Number of rows in lead_messages.
    message_count integer NOT NULL,
    -- Time of its earliest message; null without messages.
    first_message_at timestamptz,
    -- Time of its newest message; null without messages. The API prints coalesce(newest_message_at,
    -- source_last_message_at) as last_message_at.
    newest_message_at timestamptz,
    -- The attributes that the platform gives the conversation, by names, as an object; null for none.
    attributes jsonb,
    -- As in lead_profiles.
    attributes_left_out integer NOT NULL DEFAULT 0,
    -- How long after a message of the customer the agent may answer freely; null if the platform has no such window.
    reply_window interval,
    -- Time of the newest message of the customer; null without any.
    newest_customer_message_at timestamptz,
    -- Time of the newest message of the agent; null without any.
    newest_agent_message_at timestamptz,
    -- Usage: the conversations of one lead.
    CONSTRAINT lead_conversations_pkey PRIMARY KEY (user_id, customer_phone, conversation_id)
) WITH (fillfactor = 85, vacuum_truncate = off, toast.vacuum_truncate = off);

-- One row per message of a lead. Agent and platform are columns of lead_conversations, so that renaming an agent
-- rewrites no message.
CREATE TABLE IF NOT EXISTS read_model.lead_messages (
    user_id text COLLATE "C" NOT NULL,
    -- The message.
    message_id text COLLATE "C" NOT NULL,
    customer_phone text COLLATE "C" NOT NULL,
    -- The conversation, a row of lead_conversations.
    conversation_id text COLLATE "C" NOT NULL,
    -- Printed as timestamp; null in the source counts as 1970-01-01.
    sent_at timestamptz NOT NULL,
    -- As stored. Messages are ordered by sent_at, conversation_id, sequence_no (null last), message_id.
    sequence_no integer,
    -- As stored: user or agent.
    sender text COLLATE "C",
    -- pending, failed, or sent for every other status of the source.
    status text COLLATE "C" NOT NULL,
    -- As stored.
    text text COLLATE "C",
    -- Usage: a batch finds the messages that a change names.
    CONSTRAINT lead_messages_pkey PRIMARY KEY (user_id, message_id)
) WITH (vacuum_truncate = off, toast.vacuum_truncate = off);
-- Usage: the messages of one lead in their order, and its last message.
CREATE INDEX IF NOT EXISTS lead_messages_in_order
    ON read_model.lead_messages (user_id, customer_phone, sent_at);

-- One row per tenant and combination of facets: the number of its leads. A list that filters by several facets takes
-- its total from here.
CREATE TABLE IF NOT EXISTS read_model.lead_counts (
    user_id text COLLATE "C" NOT NULL,
    lead_status text COLLATE "C",
    total_score integer,
    on_whatsapp boolean NOT NULL,
    on_instagram boolean NOT NULL,
    on_webchat boolean NOT NULL,
    has_extraction boolean NOT NULL,
    has_email boolean NOT NULL,
    -- Number of leads. A row that reached 0 is deleted.
    leads integer NOT NULL
) WITH (fillfactor = 70, vacuum_truncate = off, toast.vacuum_truncate = off);
-- Usage: a batch finds the row of a combination; a list reads the rows of its tenant.
CREATE UNIQUE INDEX IF NOT EXISTS lead_counts_key ON read_model.lead_counts (
    user_id, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email
) NULLS NOT DISTINCT;

-- lead_counts by the UTC day of last_message_at. Within a time range, the total is the sum over the whole days and the
-- leads of the two partial days.
CREATE TABLE IF NOT EXISTS read_model.lead_daily_counts (
    user_id text COLLATE "C" NOT NULL,
    -- UTC day of last_message_at. Leads without one are in no row.
    day date NOT NULL,
    lead_status text COLLATE "C",
    total_score integer,
    on_whatsapp boolean NOT NULL,
    on_instagram boolean NOT NULL,
    on_webchat boolean NOT NULL,
    has_extraction boolean NOT NULL,
    has_email boolean NOT NULL,
    leads integer NOT NULL
) WITH (fillfactor = 70, vacuum_truncate = off, toast.vacuum_truncate = off);
-- Usage: a batch finds the row of a combination; a list reads the days of its time range.
CREATE UNIQUE INDEX IF NOT EXISTS lead_daily_counts_key ON read_model.lead_daily_counts (
    user_id, day, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email
) NULLS NOT DISTINCT;

-- Without a replica identity, a publication of all tables would forbid updates of tables that have no primary key.
DO $$
BEGIN
    IF (SELECT c.relreplident <> 'f' FROM pg_class AS c WHERE c.oid = 'read_model.lead_counts'::regclass) THEN
        ALTER TABLE read_model.lead_counts REPLICA IDENTITY FULL;
        ALTER TABLE read_model.lead_daily_counts REPLICA IDENTITY FULL;
    END IF;
END
$$;

-- One row per tenant and bucket of time: the numbers of the statistics, and the totals of lists with at most one
-- filter. A time range that moves with the clock is the sum of whole days, whole hours and the leads of a partial
-- hour.
CREATE TABLE IF NOT EXISTS read_model.lead_totals (
    user_id text COLLATE "C" NOT NULL,
    -- all: every lead of the tenant. day, hour: the leads whose last_message_at is in this UTC day or hour.
    -- new_day, new_hour: the leads whose first_contact_at is.
    granularity text COLLATE "C" NOT NULL CHECK (granularity IN ('all', 'day', 'hour', 'new_day', 'new_hour')),
    -- Start of the day or hour; -infinity for all.
    bucket_start timestamptz NOT NULL,
    leads integer NOT NULL,
    -- How many of them have has_extraction.
    with_extraction integer NOT NULL,
    -- How many of them have has_email.
    with_email integer NOT NULL,
    -- How many of them are Hot.
    hot integer NOT NULL,
    -- How many of them are Warm.
    warm integer NOT NULL,
    -- How many of them are Cold.
    cold integer NOT NULL,
    -- How many of them are on whatsapp.
    on_whatsapp integer NOT NULL,
    -- How many of them are on instagram.
    on_instagram integer NOT NULL,
    -- How many of them are on webchat.
    on_webchat integer NOT NULL,
    -- How many of them have the last_message_sender user; 0 in new_day and new_hour, which no message changes.
    last_from_user integer NOT NULL DEFAULT 0,
    -- How many of them have the last_message_sender agent; 0 in new_day and new_hour.
    last_from_agent integer NOT NULL DEFAULT 0,
    -- How many of them do not have has_conversation.
    without_conversation integer NOT NULL DEFAULT 0,
    -- How many of them have a reply_window_ends_at, past or to come; 0 in new_day and new_hour.
    with_reply_window integer NOT NULL DEFAULT 0,
    -- Usage: one bucket, or a range of them. No index holds the numbers, so that a change of them updates one row
    -- only.
    CONSTRAINT lead_totals_pkey PRIMARY KEY (user_id, granularity, bucket_start)
) WITH (fillfactor = 70, vacuum_truncate = off, toast.vacuum_truncate = off);

-- One row per tenant and UTC hour in which messages were sent.
CREATE TABLE IF NOT EXISTS read_model.message_counts (
    user_id text COLLATE "C" NOT NULL,
    -- Start of the hour of sent_at.
    hour timestamptz NOT NULL,
    -- Number of rows in lead_messages. A row that reached 0 is deleted.
    messages integer NOT NULL,
    -- Usage: an hour. As in lead_totals, no index holds the number.
    CONSTRAINT message_counts_pkey PRIMARY KEY (user_id, hour)
) WITH (fillfactor = 70, vacuum_truncate = off, toast.vacuum_truncate = off);

-- One row per tenant and name of an attribute: the number of its leads that have it.
CREATE TABLE IF NOT EXISTS read_model.attribute_counts (
    user_id text COLLATE "C" NOT NULL,
    -- The owner of the attribute: lead, or conversation; a lead counts once, however many of its conversations have it.
    level text COLLATE "C" NOT NULL,
    -- The name of the attribute.
    name text COLLATE "C" NOT NULL,
    -- string, number, boolean or array. If a lead's conversations have several types, the alphabetically first counts.
    value_type text COLLATE "C" NOT NULL,
    -- Number of leads. A row that reached 0 is deleted.
    leads integer NOT NULL,
    -- Usage: the attributes of a tenant; a batch finds the row of one.
    CONSTRAINT attribute_counts_pkey PRIMARY KEY (user_id, level, name, value_type)
) WITH (fillfactor = 70, vacuum_truncate = off, toast.vacuum_truncate = off);

-- One row, which exists from the first build on: how fresh the read model is. It is one row and not one per shard
-- because an idle refresh updates it every second.
CREATE TABLE IF NOT EXISTS read_model.freshness (
    -- Holds the table to one row.
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- The read model contains every change of every tenant that was committed before this moment, dead letters
    -- excepted. It stands still while a tenant is late. The API of the version before reads it.
    as_of timestamptz NOT NULL,
    -- For each shard of projector.changes: the start of the last refresh that left nothing of it waiting while capture
    -- was intact. The least of them holds for every tenant without a late_as_of.
    shards timestamptz[] NOT NULL,
    -- The newest time of this server's clock that a session has noted here. A clock behind it was set back since.
    newest_clock timestamptz NOT NULL DEFAULT 'epoch',
    -- Number of times that a clock was found set back. A reading from before is not stored afterwards.
    set_backs bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10, vacuum_truncate = off, toast.vacuum_truncate = off);

-- One row: the state of the read model as a whole.
CREATE TABLE IF NOT EXISTS read_model.projection (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- Projection version that the last complete build used: a digest of sql/definition/.
    version text COLLATE "C" NOT NULL,
    -- End of the last complete build; null until there was one.
    built_at timestamptz,
    -- Why changes may have been missed; null while capture is intact.
    capture_gap text COLLATE "C",
    -- End of the last verify of everything, by the scheduler or by hand; null until there was one.
    proved_at timestamptz,
    -- The part of the present round of the verify that is done, from 0 to 1; null while there is none.
    round_done real,
    -- Number of leads, keys and tenants' statistics that a verify found to differ, and that are not right again yet.
    open_differences bigint NOT NULL DEFAULT 0,
    -- Number of leads, keys and tenants' statistics that a verify has ever found to differ.
    found_differences bigint NOT NULL DEFAULT 0,
    -- A random id of this installation: versions of an earlier installation are not comparable with its versions.
    installation_id uuid NOT NULL DEFAULT gen_random_uuid(),
    -- The problem that keeps changes of the platform from arriving by logical replication; null for none.
    feed_problem text COLLATE "C",
    -- The attributes that the mapping declares: see attribute_catalog() in projector/capture/attributes.py.
    attributes jsonb NOT NULL DEFAULT '{}',
    -- Whether a build has filled lead_status_changes: until then its feed tells nothing.
    is_history_built boolean NOT NULL DEFAULT false,
    -- The parts of the read model that a version or a mapping added: for each its name, its description, and the
    -- tables, columns and attributes that belong to it. The key is the name with a digest of what makes the part.
    parts jsonb NOT NULL DEFAULT '{}',
    -- The keys of the parts that a complete build has filled; null until a migrate has noted them.
    filled text[] COLLATE "C",
    -- The parts that are not filled yet, so that the API does not answer from them; null if there are none, and before
    -- the first build.
    unfilled jsonb GENERATED ALWAYS AS (CASE WHEN built_at IS NOT NULL THEN nullif(parts - filled, '{}') END) STORED,
    -- The part of the present rebuild of everything that is done, from 0 to 1; null while there is none.
    rebuild_done real,
    -- What the rebuild fills if `migrate` opened the gap, as a clause such as `the mapping of 2026-11-25 12:03 UTC is
    -- being filled`; null without a gap, or for one that nobody planned.
    gap_fills text COLLATE "C",
    -- The age in seconds above which the data count as late, as a scheduler or a refresh from cron has noted it; null
    -- before either has run.
    late_after_seconds real
) WITH (vacuum_truncate = off, toast.vacuum_truncate = off);
ALTER TABLE read_model.projection ADD COLUMN IF NOT EXISTS parts jsonb NOT NULL DEFAULT '{}';
ALTER TABLE read_model.projection ADD COLUMN IF NOT EXISTS filled text[] COLLATE "C";
ALTER TABLE read_model.projection ADD COLUMN IF NOT EXISTS unfilled jsonb
GENERATED ALWAYS AS (CASE WHEN built_at IS NOT NULL THEN nullif(parts - filled, '{}') END) STORED;
ALTER TABLE read_model.projection ADD COLUMN IF NOT EXISTS rebuild_done real;
ALTER TABLE read_model.projection ADD COLUMN IF NOT EXISTS gap_fills text COLLATE "C";
ALTER TABLE read_model.projection ADD COLUMN IF NOT EXISTS late_after_seconds real;

-- section: projector

CREATE SCHEMA IF NOT EXISTS projector;
COMMENT ON SCHEMA projector IS 'State of the projector. It stays with the source tables, wherever the read model goes.';

-- One row per source row that names a lead: the lead under which the read model last knew it. When a source row moves
-- or is deleted, its old lead becomes stale too. The table also finds the contact and the sends of a lead, because the
-- platform's tables have no index on canonical phones.
CREATE TABLE IF NOT EXISTS projector.source_keys (
    -- The kind of the key: a key_kind of sql/definition/kinds.sql.
    kind text COLLATE "C" NOT NULL,
    -- Primary key of the source row.
    key text COLLATE "C" NOT NULL,
    -- The tenant of its lead.
    user_id text COLLATE "C" NOT NULL,
    -- The canonical phone of its lead. The lead of a contact need not exist.
    customer_phone text COLLATE "C" NOT NULL,
    -- Usage: the lead of a key that a change names.
    CONSTRAINT source_keys_pkey PRIMARY KEY (kind, key)
);
-- Usage: the source rows of a lead.
CREATE INDEX IF NOT EXISTS source_keys_of_lead ON projector.source_keys (user_id, customer_phone, kind);

-- The queue: the keys of rows that changed. The triggers append to it inside the writer's transaction; the refresh
-- that takes a row deletes it. It has no constraint but NOT NULL, so that a writer of the platform neither waits nor
-- fails.
CREATE TABLE IF NOT EXISTS projector.changes (
    -- Order of insertion, which is not the order of commit.
    change_id bigint GENERATED ALWAYS AS IDENTITY,
    -- Hash of a key: 0 to 3. The holder of the shard's lock may take its rows. -1 if a trigger could not read the key:
    -- the row then only reports a capture gap. 10 to 13 if the projector does not know the kind: the row stays, and
    -- holds back the freshness of its shard.
    shard smallint NOT NULL,
    -- Whether the row is a piece of a mass change, which gives way to single changes.
    bulk boolean NOT NULL DEFAULT false,
    -- What the keys are: a kind of sql/definition/kinds.sql, a table whose rows a rule of the mapping expands, or
    -- truncate.
    kind text COLLATE "C" NOT NULL,
    -- Keys of the changed rows, old and new. For messages, extractions and reload_conversations, the ids of the
    -- conversations; for truncate, the name of the table.
    keys text[] COLLATE "C" NOT NULL,
    -- For messages: the ids of those that changed.
    message_ids text[] COLLATE "C",
    -- When the writer queued it, before its commit.
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_threshold = 2147483647,
    -- Truncating the table would take a lock that every writer of the platform waits for.
    vacuum_truncate = false,
    toast.vacuum_truncate = false
);
-- This runs only once, when the table is new: each statement would wait for every writer in progress, and all others
-- behind it. The arrays are stored uncompressed, because compression is a third of the cost of capture for a COPY, and
-- the rows are deleted a moment later. The table has no key, so under a publication of all tables PostgreSQL could not
-- delete its rows without a replica identity.
-- Usage: the next changes of a shard, in order.
DO $$
BEGIN
    IF to_regclass('projector.changes_in_order') IS NULL THEN
        ALTER TABLE projector.changes
        ALTER COLUMN keys SET STORAGE EXTERNAL,
        ALTER COLUMN message_ids SET STORAGE EXTERNAL,
        REPLICA IDENTITY FULL;
        CREATE INDEX changes_in_order ON projector.changes (shard, bulk, change_id);
    END IF;
END
$$;

-- The keys of mass changes whose leads have been found: one row for each lead of a key. The batch that takes a row
-- deletes it. These keys hold back only the freshness of their own tenants.
CREATE TABLE IF NOT EXISTS projector.late_keys (
    -- Tenant of the lead.
    user_id text COLLATE "C" NOT NULL,
    -- The canonical phone of the lead: the one that the key had in source_keys, or the one that it had in the source.
    customer_phone text COLLATE "C" NOT NULL,
    -- The rows to read again, as in changes; or reload_messages, the conversation with its messages and without the
    -- profile.
    kind text COLLATE "C" NOT NULL,
    -- Key of a changed row; for messages and extractions, the id of the conversation.
    key text COLLATE "C" NOT NULL,
    -- For messages: the ids of those that changed.
    message_ids text[] COLLATE "C",
    -- When the first of its changes was queued.
    queued_at timestamptz NOT NULL
) WITH (
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false
);
-- Usage: the next late keys of a tenant, lead by lead.
CREATE INDEX IF NOT EXISTS late_keys_by_lead ON projector.late_keys (user_id, customer_phone);

-- Keys whose refresh failed. Each is set aside with its error and tried again after growing pauses.
CREATE TABLE IF NOT EXISTS projector.dead_letters (
    -- Kind of change, as in changes; messages, conversations and extractions are tried again as reload_conversations.
    kind text COLLATE "C" NOT NULL,
    -- The key that failed.
    key text COLLATE "C" NOT NULL,
    -- Tenant of its lead: the lead in the source, or else the one in source_keys.
    user_id text COLLATE "C",
    -- Canonical phone of the same lead.
    customer_phone text COLLATE "C",
    -- Message of PostgreSQL at the last attempt.
    error text NOT NULL,
    -- Number of times that it failed.
    attempts integer NOT NULL,
    -- When it failed first.
    first_failed_at timestamptz NOT NULL,
    -- When it is tried again.
    retry_at timestamptz NOT NULL,
    PRIMARY KEY (kind, key)
);

-- The run log: one row for each batch of a refresh that had work, each rebuild and each verify.
CREATE TABLE IF NOT EXISTS projector.runs (
    -- Order of start.
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- refresh, rebuild or verify.
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('refresh', 'rebuild', 'verify')),
    -- When it started.
    started_at timestamptz NOT NULL,
    -- When it ended; null while it runs.
    finished_at timestamptz,
    -- running, done, failed, or interrupted if the process ended before the run did.
    outcome text COLLATE "C" NOT NULL DEFAULT 'running' CHECK (outcome IN ('running', 'done', 'failed', 'interrupted')),
    -- The tenants that it was asked for; null for all.
    tenants text[],
    -- Number of queue rows taken.
    changes bigint NOT NULL DEFAULT 0,
    -- Number of leads recomputed, or compared.
    leads bigint NOT NULL DEFAULT 0,
    -- Number of rows of lead_messages written or deleted.
    messages bigint NOT NULL DEFAULT 0,
    -- For a rebuild: about how many leads it has to compare.
    leads_total bigint,
    -- The error of a failed run, or what a verify found.
    note text,
    -- Number of late keys taken.
    late_keys bigint NOT NULL DEFAULT 0
);
-- Usage: pruning, and the check for a run of this minute.
CREATE INDEX IF NOT EXISTS runs_by_started_at ON projector.runs (started_at);
-- Usage: the last rebuild and the last verify, among very many refreshes.
CREATE INDEX IF NOT EXISTS runs_but_refreshes ON projector.runs (kind, run_id) WHERE kind <> 'refresh';

-- The position of a sweep of everything that has not ended, by purpose and projection version. A sweep that was
-- killed is resumed there, by the same version only.
CREATE TABLE IF NOT EXISTS projector.sweep_positions (
    -- rebuild: a first build, or a rebuild in place of everything. verify: the present round of the scheduler.
    purpose text COLLATE "C" NOT NULL CHECK (purpose IN ('rebuild', 'verify')),
    -- Projection version that it computes with.
    version text COLLATE "C" NOT NULL,
    -- When it began.
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The phase of the sweep: all keys, leads, statistics, or again, the items that a verify left out.
    phase text COLLATE "C" NOT NULL CHECK (phase IN ('keys', 'leads', 'statistics', 'again')),
    -- With after_second: the last lead that is done. Of the keys in a first build, the last kind that is done.
    after_first text COLLATE "C" NOT NULL DEFAULT '',
    -- See after_first.
    after_second text COLLATE "C" NOT NULL DEFAULT '',
    -- The parts of the read model that there were when it began, which a rebuild fills: see projection.parts.
    parts text[] COLLATE "C" NOT NULL DEFAULT '{}',
    PRIMARY KEY (purpose, version)
);
ALTER TABLE projector.sweep_positions ADD COLUMN IF NOT EXISTS parts text[] COLLATE "C" NOT NULL DEFAULT '{}';

-- The rounds of the verify, each of all leads, keys and statistics: the present one of the scheduler, whose position is
-- in sweep_positions, and those that ended. A verify of everything by hand is a round too, and gets its row when it
-- ends.
CREATE TABLE IF NOT EXISTS projector.verify_rounds (
    -- Order of start.
    round_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Projection version that it compares with. A round of another version is given up.
    version text COLLATE "C" NOT NULL,
    -- The number of days in which the scheduler wants to be done; null for a verify by hand.
    days double precision,
    -- When it began.
    started_at timestamptz NOT NULL,
    -- When it ended; null for the present one.
    finished_at timestamptz,
    -- When the next slice is due.
    due_at timestamptz NOT NULL,
    -- When everything had been reached once. From then on only what waited is compared again.
    reached_at timestamptz,
    -- Number of leads that it has looked at, including those that were left out.
    rows_done bigint NOT NULL DEFAULT 0,
    -- About how many leads it has to compare.
    leads_total bigint NOT NULL,
    -- Number of leads that were compared.
    leads bigint NOT NULL DEFAULT 0,
    -- Number of leads and keys that were still left out at its end: a change of theirs waited, or is a dead letter.
    left_out bigint NOT NULL DEFAULT 0,
    -- Number of leads, keys and tenants' statistics that differed.
    differences bigint NOT NULL DEFAULT 0,
    -- Why the last slice failed; null when it did not.
    failure text
);
-- Usage: the present round, of which there is at most one; two schedulers cannot begin it twice.
CREATE UNIQUE INDEX IF NOT EXISTS verify_rounds_present
    ON projector.verify_rounds ((finished_at IS NULL)) WHERE finished_at IS NULL;

-- The items that the present round has left out so far, because a change waited or for a dead letter. Each is
-- compared again before the round ends.
CREATE TABLE IF NOT EXISTS projector.verify_left_out (
    -- lead, or the kind of a key as in source_keys.
    kind text COLLATE "C" NOT NULL,
    -- The tenant of a lead; empty for a key.
    user_id text COLLATE "C" NOT NULL,
    -- The canonical phone of a lead; empty for a key.
    customer_phone text COLLATE "C" NOT NULL,
    -- The primary key of a source row; empty for a lead.
    key text COLLATE "C" NOT NULL,
    -- When it was compared last.
    tried_at timestamptz NOT NULL,
    PRIMARY KEY (kind, user_id, customer_phone, key)
);

-- The items that a verify found to differ: one row for each lead, key or tenant's statistics, from when it is
-- found until it is right again. No value of a lead is stored here.
CREATE TABLE IF NOT EXISTS projector.drift (
    -- Order of discovery.
    drift_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- lead, statistics, or the kind of a key as in source_keys.
    kind text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    -- The canonical phone of the lead; empty for statistics.
    customer_phone text COLLATE "C" NOT NULL,
    -- The primary key of the source row, for a key; else empty.
    key text COLLATE "C" NOT NULL,
    -- Number of fields that differed when it was last looked at.
    fields integer NOT NULL,
    -- The first of these fields.
    first_field text NOT NULL,
    -- When it was found.
    found_at timestamptz NOT NULL,
    -- When it was last found to differ.
    seen_at timestamptz NOT NULL,
    -- When it was right again; null while it differs, as far as is known.
    ended_at timestamptz,
    -- The way in which it became right: healed by `verify --heal`, rebuilt, or found right by a later verify.
    outcome text COLLATE "C" CHECK (outcome IN ('healed', 'rebuilt', 'right'))
);
-- Usage: what differs now; an item that is found again keeps its row.
CREATE UNIQUE INDEX IF NOT EXISTS drift_open
    ON projector.drift (kind, user_id, customer_phone, key) WHERE ended_at IS NULL;

-- The triggers as `migrate` installed them. Where the catalog says otherwise, changes may have been missed.
CREATE TABLE IF NOT EXISTS projector.capture_triggers (
    -- The source table.
    table_name text COLLATE "C" NOT NULL,
    -- The trigger.
    trigger_name text COLLATE "C" NOT NULL,
    -- Object ids, state and catalog row versions of the trigger, its table and its function.
    fingerprint text COLLATE "C" NOT NULL,
    PRIMARY KEY (table_name, trigger_name)
);

-- The columns that the projection reads, as they were when capture was last found whole. A column that was renamed,
-- dropped or rewritten since has changed without a trigger.
CREATE TABLE IF NOT EXISTS projector.capture_columns (
    table_name text COLLATE "C" NOT NULL,
    -- The column.
    column_name text COLLATE "C" NOT NULL,
    -- The table's object id.
    table_id oid NOT NULL,
    -- The column's number, which it keeps when it is renamed.
    attribute_number smallint NOT NULL,
    -- Type, length, collation and kind of generated column.
    definition text COLLATE "C" NOT NULL,
    -- Version of the column's row in the catalog. Every ALTER TABLE of the column changes it.
    row_version text COLLATE "C" NOT NULL,
    -- The file of the table. VACUUM FULL changes it, and so does an ALTER TABLE that rewrites the rows. 0 for a
    -- partitioned table.
    file_node oid NOT NULL,
    PRIMARY KEY (table_name, column_name)
);

-- The partitions of the source tables, as they were when capture was last found whole. Rows that come and go with a
-- partition fire no trigger.
CREATE TABLE IF NOT EXISTS projector.capture_partitions (
    -- The partition's object id.
    partition_id oid PRIMARY KEY,
    -- Object id of the table, or of the partition, that it is a partition of.
    parent_id oid NOT NULL,
    table_name text COLLATE "C" NOT NULL,
    -- Version of its row among the partitions in the catalog: another one after it was detached and attached again.
    row_version text COLLATE "C"
);

-- Periods in which changes may have been missed. One without healed_at is open.
CREATE TABLE IF NOT EXISTS projector.capture_gaps (
    -- Order of notice.
    gap_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- When a refresh noticed it, or an operator asked for it.
    noticed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The reason: how changes may have been missed.
    reason text NOT NULL,
    -- When the triggers were installed again.
    reinstalled_at timestamptz,
    -- When the rebuild that followed was done.
    healed_at timestamptz,
    -- What that rebuild fills, where a migrate opened the gap; null for one that nobody planned. See gap_fills.
    fills text
);
ALTER TABLE projector.capture_gaps ADD COLUMN IF NOT EXISTS fills text;

-- The platform's tables that the mapping reads, each with the schema in which the last migrate found it. Every
-- statement names a table with this schema.
CREATE TABLE IF NOT EXISTS projector.source_tables (
    table_name text COLLATE "C" PRIMARY KEY,
    -- Its schema.
    schema_name text COLLATE "C" NOT NULL,
    -- The kind of change as which a changed row is queued; null if the table has no triggers.
    kind text COLLATE "C",
    -- Further facts that the last migrate found: see SourceTable in projector/database/source_names.py.
    details jsonb NOT NULL DEFAULT '{}'
);

-- One row, where logical replication brings the rows of the source tables; see projector/operate/origin/proof.py.
CREATE TABLE IF NOT EXISTS projector.origin (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- Everything that was committed at the origin before this moment of its clock is here; null if nothing is proved.
    proved_at timestamptz,
    -- Number of failures of the subscriptions when that was proved.
    errors bigint NOT NULL DEFAULT 0,
    -- The end of the WAL of the origin when it was asked last.
    position pg_lsn,
    -- Number of failures of the subscriptions at the last look.
    seen_errors bigint NOT NULL DEFAULT 0,
    -- When they were seen to have failed again; null if never.
    failed_at timestamptz,
    -- The newest time of the origin's clock that was read, and how often a clock was found to have been set back.
    newest_clock timestamptz,
    set_backs bigint NOT NULL DEFAULT 0
);

-- The tables of which the platform does not publish everything that the projection reads, or did not since their rows
-- were copied; see projector/operate/origin/publications.py.
CREATE TABLE IF NOT EXISTS projector.left_out (
    -- The table, with its schema.
    table_name text COLLATE "C" PRIMARY KEY,
    -- The reason, in words; null once nothing is left out any more, while the earlier rows are still missing.
    reason text,
    -- The copy of its rows that lacks something; null while that copy runs, empty if no subscription lists the table.
    copy text
);

-- The schedulers that run, the last ones that ended, and those whose process died. Each holds the lock SCHEDULER of
-- its id for as long as its session lives.
CREATE TABLE IF NOT EXISTS projector.schedulers (
    -- Drawn at random by the process.
    scheduler_id integer PRIMARY KEY,
    -- Name of its machine or container.
    host text NOT NULL,
    -- Its process on that host.
    pid integer NOT NULL,
    -- When it first connected.
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When it last noted that it is alive.
    beat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When it ended on purpose.
    ended_at timestamptz
);

-- Facts that have to outlive a process: the projection version of the last migrate, what it defined, the mapping it was
-- given, as JSON of the texts of its files by their names, whether an operator switched capture off, and when the last
-- `refresh` commands ended.
CREATE TABLE IF NOT EXISTS projector.settings (
    -- The setting.
    name text COLLATE "C" PRIMARY KEY,
    -- Its value.
    value text NOT NULL
);

-- section: access_roles

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['leads_api', 'leads_reader', 'leads_keys', 'leads_access'] LOOP
        IF to_regrole(wanted) IS NULL THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
END
$$;
-- A login that may create roles, but is no superuser, joins the role to create what belongs to it.
GRANT leads_access TO current_user;
CREATE SCHEMA IF NOT EXISTS leads_access AUTHORIZATION leads_access;
SET ROLE leads_access;

-- section: access

-- Keys of callers of the API, which `python -m api keys` creates and revokes.
CREATE TABLE IF NOT EXISTS leads_access.api_keys (
    -- The part of the key that is no secret: it finds the row, and names the key in logs.
    prefix text COLLATE "C" PRIMARY KEY,
    -- SHA-256 of the whole key. The key itself is stored nowhere: its 256 random bits cannot be found from this.
    key_hash bytea NOT NULL CHECK (length(key_hash) = 32),
    -- The tenant whose leads the key may read; null for a key that reads all tenants.
    user_id text COLLATE "C",
    -- Whether the key reads all tenants.
    all_tenants boolean NOT NULL,
    -- What the operator calls it.
    label text NOT NULL,
    -- When it was created.
    created_at timestamptz NOT NULL DEFAULT now(),
    -- From when on the API refuses it; null for never.
    expires_at timestamptz,
    -- When an operator revoked it; null while it is valid.
    revoked_at timestamptz,
    CHECK (all_tenants = (user_id IS NULL))
) WITH (vacuum_truncate = off, toast.vacuum_truncate = off);

-- The ledger of erasures: one line for each tenant or lead that `erase` was asked to erase, written before anything is
-- deleted. Once that has ended, it names nobody: `erase --replay` finds by the hashes who of the ledger is there again,
-- after a backup was restored.
CREATE TABLE IF NOT EXISTS leads_access.erasures (
    -- Identifies the line, in ledger files too.
    erasure_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- A random text that is hashed with each name, mostly the same in all lines. Who has it can try out all phones: it
    -- is as secret as the names.
    salt text COLLATE "C" NOT NULL,
    -- SHA-256 of the JSON array of salt and user_id, in hexadecimal digits.
    tenant_hash text COLLATE "C" NOT NULL,
    -- SHA-256 of the JSON array of salt, user_id and canonical phone; null where the whole tenant was erased.
    lead_hash text COLLATE "C",
    -- When it was asked for.
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Who asked: the account on the operator's machine, and the database login.
    asked_by text NOT NULL,
    -- When everything of ours was deleted; null until then.
    finished_at timestamptz,
    -- The tenant, until then: `erase --replay` ends an erasure that was interrupted. Null in a line of a ledger file.
    user_id text COLLATE "C",
    -- The canonical phone of the lead, until then; null for a whole tenant.
    customer_phone text COLLATE "C"
) WITH (vacuum_truncate = off, toast.vacuum_truncate = off);

-- section: access_rights

GRANT USAGE ON SCHEMA leads_access TO leads_api, leads_keys;
GRANT EXECUTE ON FUNCTION leads_access.key_of(text) TO leads_api;
GRANT SELECT, INSERT, UPDATE ON leads_access.api_keys TO leads_keys;
-- Somebody may have created the schema, or made leads_access a member of his role, after migrate printed this.
DO $$
BEGIN
    IF 'leads_access'::regrole <> ANY (
        SELECT n.nspowner FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'leads_access'
        UNION ALL
        SELECT c.relowner FROM pg_catalog.pg_class AS c WHERE c.relnamespace = 'leads_access'::regnamespace
        UNION ALL
        SELECT p.proowner FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = 'leads_access'::regnamespace
    ) THEN
        RAISE EXCEPTION 'The schema leads_access, or something in it, belongs to another role than leads_access.';
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_auth_members AS m WHERE m.member = 'leads_access'::regrole) THEN
        RAISE EXCEPTION 'The role leads_access is a member of another role.';
    END IF;
END
$$;
RESET ROLE;

-- section: later

-- These take a while on an existing installation, and have a transaction of their own: in one with the changes of the
-- tables, readers would wait for them.

-- Usage: the default page, in its order with nulls last; filtered lists, which it answers without visiting rows that
-- do not match; the leads of a partial hour or day.
CREATE INDEX IF NOT EXISTS leads_by_last_message
    ON read_model.leads (user_id, last_message_at DESC NULLS LAST, customer_phone DESC)
    INCLUDE (
        lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email,
        last_message_sender, has_conversation, waiting_since, reply_window_ends_at
    );

-- Usage: has_conversation=false.
CREATE INDEX IF NOT EXISTS leads_without_conversation
    ON read_model.leads (user_id, last_message_at DESC NULLS LAST, customer_phone DESC)
    WHERE NOT has_conversation;

-- Usage: platform= with a word other than the three. It has no row for a lead on these alone.
CREATE INDEX IF NOT EXISTS leads_on_other_platforms
    ON read_model.leads (user_id, last_message_at DESC NULLS LAST, customer_phone DESC)
    INCLUDE (
        other_platforms, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email,
        last_message_sender, has_conversation, waiting_since, reply_window_ends_at
    )
    WHERE other_platforms IS NOT NULL;

-- Usage: since when a lead waits, whatever others wrote in between.
CREATE INDEX IF NOT EXISTS lead_messages_of_customers
    ON read_model.lead_messages (user_id, customer_phone, sent_at) WHERE sender = 'user';
-- Usage: sort_by=first_contact_at; the funnel, which it answers without visiting rows.
CREATE INDEX IF NOT EXISTS leads_by_first_contact
    ON read_model.leads (user_id, first_contact_at, customer_phone)
    INCLUDE (lead_status, first_warm_at, first_hot_at, was_cold, on_whatsapp, on_instagram, on_webchat);
-- Usage: sort_by=status_since, status_days.
CREATE INDEX IF NOT EXISTS leads_by_status_since
    ON read_model.leads (user_id, status_since, customer_phone) WHERE status_since IS NOT NULL;

-- Most leads have neither, or are of another time: a message of such a lead touches neither index.
-- Usage: sort_by=waiting_since, waiting_minutes.
CREATE INDEX IF NOT EXISTS leads_by_waiting_since
    ON read_model.leads (user_id, waiting_since, customer_phone) WHERE waiting_since IS NOT NULL;
-- Usage: sort_by=reply_window_ends_at, reply_window, reply_window_hours.
CREATE INDEX IF NOT EXISTS leads_by_reply_window
    ON read_model.leads (user_id, reply_window_ends_at, customer_phone) WHERE reply_window_ends_at IS NOT NULL;

-- No message changes these columns of a conversation, so that it touches no index of this table.
-- Usage: agent_id, and how many leads have it.
CREATE INDEX IF NOT EXISTS lead_conversations_by_agent
    ON read_model.lead_conversations (user_id, agent_id, customer_phone);
-- Usage: phone_number_id, and how many leads have it.
CREATE INDEX IF NOT EXISTS lead_conversations_by_phone_number
    ON read_model.lead_conversations (user_id, phone_number_id, customer_phone);
-- Usage: is_active, and how many leads have it.
CREATE INDEX IF NOT EXISTS lead_conversations_by_activity
    ON read_model.lead_conversations (user_id, is_active, customer_phone);

-- Usage: `status`, of how many leads and conversations an attribute is left out.
CREATE INDEX IF NOT EXISTS lead_profiles_left_out
    ON read_model.lead_profiles (user_id) WHERE attributes_left_out > 0;
CREATE INDEX IF NOT EXISTS lead_conversations_left_out
    ON read_model.lead_conversations (user_id) WHERE attributes_left_out > 0;

-- section: search

-- Usage: a tenant's leads by any three letters of their name, email, company or phone, and the same without accents for
-- ignore_accents=true; and by the value of an attribute, of their own or of a conversation. It is a separate section
-- because the extensions may be unavailable: `migrate` then warns, and a search reads all leads of the tenant.
-- The extensions are created in public, because a restore of the platform's schema would drop them there.
-- An existing extension may be in any schema, and is not created again: Citus would create it on its servers, which
-- only a superuser may do.
DO $$
DECLARE
    wanted text;
    place regnamespace;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['pg_trgm', 'btree_gin'] LOOP
        IF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = wanted) THEN
            EXECUTE format('CREATE EXTENSION %I SCHEMA public', wanted);
        END IF;
    END LOOP;
    place := (SELECT e.extnamespace FROM pg_extension AS e WHERE e.extname = 'pg_trgm');
    EXECUTE format(
        'CREATE INDEX IF NOT EXISTS lead_profiles_by_search_text'
        ' ON read_model.lead_profiles USING gin (user_id, search_text %s.gin_trgm_ops)',
        place
    );
    -- It has only leads with accents, so that the others cost nothing.
    EXECUTE format(
        'CREATE INDEX IF NOT EXISTS lead_profiles_by_search_plain'
        ' ON read_model.lead_profiles USING gin (user_id, search_plain %s.gin_trgm_ops)'
        ' WHERE search_plain IS NOT NULL',
        place
    );
    CREATE INDEX IF NOT EXISTS lead_profiles_by_attributes
        ON read_model.lead_profiles USING gin (user_id, attributes jsonb_path_ops);
    CREATE INDEX IF NOT EXISTS lead_conversations_by_attributes
        ON read_model.lead_conversations USING gin (user_id, attributes jsonb_path_ops);
END
$$;

-- section: roles

GRANT USAGE ON SCHEMA read_model TO leads_api;
GRANT SELECT ON ALL TABLES IN SCHEMA read_model TO leads_api;
ALTER DEFAULT PRIVILEGES IN SCHEMA read_model GRANT SELECT ON TABLES TO leads_api;

-- By default PUBLIC may create temporary tables and functions: if PUBLIC has lost that right, leads_api loses it too.
DO $$
BEGIN
    IF EXISTS (
        SELECT
        FROM pg_catalog.pg_database AS d
        CROSS JOIN LATERAL aclexplode(d.datacl) AS g
        WHERE d.datname = current_database() AND g.grantee = 'leads_api'::regrole AND g.privilege_type = 'TEMPORARY'
    ) THEN
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM leads_api', current_database());
    END IF;
END
$$;

-- leads_api reads the rows of one tenant at a time. Each policy is permissive and for one role: Citus makes a
-- restrictive one permissive on its servers, where one for everybody would then show all rows. A table without a
-- problem is not changed, so that nobody waits for it.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT s.table_name FROM read_model.row_security AS s WHERE s.problem IS NOT NULL
    LOOP
        EXECUTE format('DROP POLICY IF EXISTS all_rows ON %s', found.table_name);
        EXECUTE format('DROP POLICY IF EXISTS one_tenant ON %s', found.table_name);
        EXECUTE format(
            'CREATE POLICY one_tenant ON %s TO leads_api USING (user_id = current_setting(''leads.user_id'', true))',
            found.table_name
        );
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', found.table_name);
    END LOOP;
    -- LIKE on the table would read all profiles of the tenant: see lead_profiles_of_tenant.
    REVOKE SELECT ON read_model.lead_profiles FROM leads_api;
END
$$;

-- section: readers

-- It is a separate section, because the API works without it.
-- A reader whom policies filter sees only rows that a policy for one of his roles shows.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT s.table_name FROM read_model.row_security AS s
        WHERE NOT EXISTS (
            SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = s.table_id AND p.polname = 'all_rows'
        )
    LOOP
        EXECUTE format('CREATE POLICY all_rows ON %s TO leads_reader USING (true)', found.table_name);
    END LOOP;
END
$$;
GRANT USAGE ON SCHEMA leads_sql TO leads_reader;
GRANT SELECT ON
leads_sql.leads, leads_sql.conversations, leads_sql.messages, leads_sql.statistics_by_day,
leads_sql.lead_status_changes
TO leads_reader;
