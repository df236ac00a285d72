-- All state of the Leads read model, in one readable file.
--
-- `python -m projector migrate` applies it. Every statement can be run again: what is there is kept.
-- A line `-- section: NAME` starts a section; `migrate` applies the sections in this order:
--   source      the platform's tables. Applied only for the demo, in tests and on `migrate --create-source`;
--               an existing platform's tables are never touched.
--   read_model  what the API reads.
--   search      the search index, which needs two extensions.
--   keys        which lead each source row belongs to.
--   projector   the queue of changes, the run log and what else the projector remembers.
--   roles       who may read what.

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
    lead_status_tag varchar(20)
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
COMMENT ON SCHEMA read_model IS 'What the API reads: written by the projector only, every table keyed by its tenant.';

-- Texts are COLLATE "C": they are compared and ordered bytewise, which is what the API promises and what an index
-- serves cheapest. Times are cut to the millisecond, the form in which they are printed, sorted and compared.

CREATE TABLE IF NOT EXISTS read_model.tenants (
    user_id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 0,
    dead_letters integer NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON TABLE read_model.tenants IS 'One row a tenant. Written last in a merge, and only where something of it changed; merges of one tenant take turns by an advisory lock.';
COMMENT ON COLUMN read_model.tenants.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.tenants.version IS 'Grows with every merge that changed a row of this tenant: by it a copy or a cache can tell that something changed.';
COMMENT ON COLUMN read_model.tenants.dead_letters IS 'Keys of this tenant that are set aside with an error; see projector.dead_letters.';

CREATE TABLE IF NOT EXISTS read_model.leads (
    user_id text COLLATE "C" NOT NULL,
    customer_phone text COLLATE "C" NOT NULL,
    last_message_at timestamptz,
    first_contact_at timestamptz NOT NULL,
    total_messages integer NOT NULL,
    total_score integer,
    lead_status text COLLATE "C",
    on_whatsapp boolean NOT NULL,
    on_instagram boolean NOT NULL,
    on_webchat boolean NOT NULL,
    has_extraction boolean NOT NULL,
    has_email boolean NOT NULL,
    document text COLLATE "C" NOT NULL,
    -- What filters and sorts stands in the key's index, so that a lead found by its phone is judged without its row.
    CONSTRAINT leads_pkey PRIMARY KEY (user_id, customer_phone) INCLUDE (
        last_message_at, first_contact_at, total_messages, lead_status, total_score, on_whatsapp, on_instagram,
        on_webchat, has_extraction, has_email
    )
-- Each message rewrites its lead's row: vacuumed often, its pages stay few, and reads of an index alone possible.
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);
-- In the order of the default page, nulls last, and with the facets: a page of a rare combination reads no row in vain.
CREATE INDEX IF NOT EXISTS leads_by_last_message_at
    ON read_model.leads (user_id, last_message_at DESC NULLS LAST, customer_phone DESC)
    INCLUDE (lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email);
CREATE INDEX IF NOT EXISTS leads_by_first_contact_at
    ON read_model.leads (user_id, first_contact_at, customer_phone);
CREATE INDEX IF NOT EXISTS leads_by_total_messages
    ON read_model.leads (user_id, total_messages, customer_phone);
COMMENT ON TABLE read_model.leads IS 'One row a lead: what a list filters and sorts by and each message may move, and the lead as it is printed.';
COMMENT ON COLUMN read_model.leads.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.leads.customer_phone IS 'Canonical: the digits of a phone, or any other identifier trimmed.';
COMMENT ON COLUMN read_model.leads.last_message_at IS 'Newest last_message_at of its conversations; without conversations, the newest counted template send.';
COMMENT ON COLUMN read_model.leads.first_contact_at IS 'Earliest of conversation start, message and counted template send.';
COMMENT ON COLUMN read_model.leads.total_messages IS 'Rows of lead_messages.';
COMMENT ON COLUMN read_model.leads.total_score IS 'Of the winning extraction, as stored; else the sum of the five scores where all are there.';
COMMENT ON COLUMN read_model.leads.lead_status IS 'Hot, Warm or Cold; null for anything else.';
COMMENT ON COLUMN read_model.leads.on_whatsapp IS 'A conversation or a counted template send of this lead is on whatsapp.';
COMMENT ON COLUMN read_model.leads.on_instagram IS 'A conversation or a counted template send of this lead is on instagram.';
COMMENT ON COLUMN read_model.leads.on_webchat IS 'A conversation or a counted template send of this lead is on webchat.';
COMMENT ON COLUMN read_model.leads.has_extraction IS 'Any extraction row of its conversations exists.';
COMMENT ON COLUMN read_model.leads.has_email IS 'The printed email is not null.';
COMMENT ON COLUMN read_model.leads.document IS 'The lead object of the API as compact JSON text, printed as it is.';

CREATE TABLE IF NOT EXISTS read_model.lead_profiles (
    user_id text COLLATE "C" NOT NULL,
    customer_phone text COLLATE "C" NOT NULL,
    name text COLLATE "C",
    email text COLLATE "C",
    company text COLLATE "C",
    lead_status text COLLATE "C",
    total_score integer,
    intent_score integer,
    urgency_score integer,
    budget_score integer,
    fit_score integer,
    engagement_score integer,
    has_extraction boolean NOT NULL,
    extraction_id uuid,
    template_sends_count integer NOT NULL,
    first_send_at timestamptz,
    last_send_at timestamptz,
    sent_on_whatsapp boolean NOT NULL,
    sent_on_instagram boolean NOT NULL,
    sent_on_webchat boolean NOT NULL,
    name_key text COLLATE "C",
    search_text text COLLATE "C" NOT NULL,
    CONSTRAINT lead_profiles_pkey PRIMARY KEY (user_id, customer_phone)
);
CREATE INDEX IF NOT EXISTS lead_profiles_by_name
    ON read_model.lead_profiles (user_id, name_key, customer_phone);
CREATE INDEX IF NOT EXISTS lead_profiles_by_total_score
    ON read_model.lead_profiles (user_id, total_score, customer_phone);
COMMENT ON TABLE read_model.lead_profiles IS 'One row a lead: what comes from extractions, contacts and template sends. No message changes it, so that its search index is not rewritten by each.';
COMMENT ON COLUMN read_model.lead_profiles.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.lead_profiles.customer_phone IS 'Canonical, as in leads.';
COMMENT ON COLUMN read_model.lead_profiles.name IS 'Of the winning extraction if not blank, else of the winning contact; trimmed.';
COMMENT ON COLUMN read_model.lead_profiles.email IS 'Chosen as name is.';
COMMENT ON COLUMN read_model.lead_profiles.company IS 'Chosen as name is.';
COMMENT ON COLUMN read_model.lead_profiles.lead_status IS 'Hot, Warm or Cold; null for anything else.';
COMMENT ON COLUMN read_model.lead_profiles.total_score IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_profiles.intent_score IS 'Of the winning extraction.';
COMMENT ON COLUMN read_model.lead_profiles.urgency_score IS 'Of the winning extraction.';
COMMENT ON COLUMN read_model.lead_profiles.budget_score IS 'Of the winning extraction.';
COMMENT ON COLUMN read_model.lead_profiles.fit_score IS 'Of the winning extraction.';
COMMENT ON COLUMN read_model.lead_profiles.engagement_score IS 'Of the winning extraction.';
COMMENT ON COLUMN read_model.lead_profiles.has_extraction IS 'Any extraction row of its conversations exists.';
COMMENT ON COLUMN read_model.lead_profiles.extraction_id IS 'The winning extraction.';
COMMENT ON COLUMN read_model.lead_profiles.template_sends_count IS 'Template sends that went out.';
COMMENT ON COLUMN read_model.lead_profiles.first_send_at IS 'Time of the earliest counted template send.';
COMMENT ON COLUMN read_model.lead_profiles.last_send_at IS 'Time of the newest counted template send.';
COMMENT ON COLUMN read_model.lead_profiles.sent_on_whatsapp IS 'A counted template send is on whatsapp.';
COMMENT ON COLUMN read_model.lead_profiles.sent_on_instagram IS 'A counted template send is on instagram.';
COMMENT ON COLUMN read_model.lead_profiles.sent_on_webchat IS 'A counted template send is on webchat.';
COMMENT ON COLUMN read_model.lead_profiles.name_key IS 'lower(name), what sort_by=name orders by.';
COMMENT ON COLUMN read_model.lead_profiles.search_text IS 'lower() of name, email, company and phone, a line feed between them.';

CREATE TABLE IF NOT EXISTS read_model.lead_conversations (
    user_id text COLLATE "C" NOT NULL,
    customer_phone text COLLATE "C" NOT NULL,
    conversation_id text COLLATE "C" NOT NULL,
    agent_id text COLLATE "C",
    agent_name text COLLATE "C",
    platform text COLLATE "C",
    phone_number_id text COLLATE "C",
    is_active boolean NOT NULL,
    created_at timestamptz NOT NULL,
    source_last_message_at timestamptz,
    message_count integer NOT NULL,
    first_message_at timestamptz,
    newest_message_at timestamptz,
    CONSTRAINT lead_conversations_pkey PRIMARY KEY (user_id, customer_phone, conversation_id)
) WITH (fillfactor = 85);
COMMENT ON TABLE read_model.lead_conversations IS 'One row a conversation of a lead, with what its messages add up to.';
COMMENT ON COLUMN read_model.lead_conversations.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.lead_conversations.customer_phone IS 'Canonical, as in leads.';
COMMENT ON COLUMN read_model.lead_conversations.conversation_id IS 'The conversation.';
COMMENT ON COLUMN read_model.lead_conversations.agent_id IS 'The AI agent of the conversation.';
COMMENT ON COLUMN read_model.lead_conversations.agent_name IS 'Name of the agent.';
COMMENT ON COLUMN read_model.lead_conversations.platform IS 'Platform of the agent''s channel, as stored.';
COMMENT ON COLUMN read_model.lead_conversations.phone_number_id IS 'The agent''s channel.';
COMMENT ON COLUMN read_model.lead_conversations.is_active IS 'As stored; null counts as false.';
COMMENT ON COLUMN read_model.lead_conversations.created_at IS 'Start of the conversation; null counts as 1970-01-01.';
COMMENT ON COLUMN read_model.lead_conversations.source_last_message_at IS 'The platform''s own note of the last message, printed only while there is no message.';
COMMENT ON COLUMN read_model.lead_conversations.message_count IS 'Rows of lead_messages.';
COMMENT ON COLUMN read_model.lead_conversations.first_message_at IS 'Time of its earliest message; null without messages.';
COMMENT ON COLUMN read_model.lead_conversations.newest_message_at IS 'Time of its newest message; null without messages. Printed as last_message_at: coalesce(newest_message_at, source_last_message_at).';

CREATE TABLE IF NOT EXISTS read_model.lead_messages (
    user_id text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    customer_phone text COLLATE "C" NOT NULL,
    conversation_id text COLLATE "C" NOT NULL,
    sent_at timestamptz NOT NULL,
    sequence_no integer,
    sender text COLLATE "C",
    status text COLLATE "C" NOT NULL,
    text text COLLATE "C",
    CONSTRAINT lead_messages_pkey PRIMARY KEY (user_id, message_id)
);
CREATE INDEX IF NOT EXISTS lead_messages_in_order
    ON read_model.lead_messages (user_id, customer_phone, sent_at);
COMMENT ON TABLE read_model.lead_messages IS 'One row a message of a lead. Agent and platform stand in lead_conversations, so that a renamed agent rewrites no message.';
COMMENT ON COLUMN read_model.lead_messages.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.lead_messages.message_id IS 'The message.';
COMMENT ON COLUMN read_model.lead_messages.customer_phone IS 'Canonical, as in leads.';
COMMENT ON COLUMN read_model.lead_messages.conversation_id IS 'The conversation, a row of lead_conversations.';
COMMENT ON COLUMN read_model.lead_messages.sent_at IS 'Printed as timestamp; null in the source counts as 1970-01-01.';
COMMENT ON COLUMN read_model.lead_messages.sequence_no IS 'As stored. Order of messages: sent_at, conversation_id, sequence_no (null last), message_id.';
COMMENT ON COLUMN read_model.lead_messages.sender IS 'As stored: user or agent.';
COMMENT ON COLUMN read_model.lead_messages.status IS 'pending, failed, or sent for every other status of the source.';
COMMENT ON COLUMN read_model.lead_messages.text IS 'As stored.';

CREATE TABLE IF NOT EXISTS read_model.lead_counts (
    user_id text COLLATE "C" NOT NULL,
    lead_status text COLLATE "C",
    total_score integer,
    on_whatsapp boolean NOT NULL,
    on_instagram boolean NOT NULL,
    on_webchat boolean NOT NULL,
    has_extraction boolean NOT NULL,
    has_email boolean NOT NULL,
    leads integer NOT NULL
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX IF NOT EXISTS lead_counts_key ON read_model.lead_counts (
    user_id, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email
) NULLS NOT DISTINCT;
COMMENT ON TABLE read_model.lead_counts IS 'One row a tenant and combination of facets: how many leads have it. Totals without a time bound are sums over these, where lead_totals does not know them.';
COMMENT ON COLUMN read_model.lead_counts.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.lead_counts.lead_status IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_counts.total_score IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_counts.on_whatsapp IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_counts.on_instagram IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_counts.on_webchat IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_counts.has_extraction IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_counts.has_email IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_counts.leads IS 'Number of leads; a row that reached 0 is deleted.';

CREATE TABLE IF NOT EXISTS read_model.lead_daily_counts (
    user_id text COLLATE "C" NOT NULL,
    day date NOT NULL,
    lead_status text COLLATE "C",
    total_score integer,
    on_whatsapp boolean NOT NULL,
    on_instagram boolean NOT NULL,
    on_webchat boolean NOT NULL,
    has_extraction boolean NOT NULL,
    has_email boolean NOT NULL,
    leads integer NOT NULL
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX IF NOT EXISTS lead_daily_counts_key ON read_model.lead_daily_counts (
    user_id, day, lead_status, total_score, on_whatsapp, on_instagram, on_webchat, has_extraction, has_email
) NULLS NOT DISTINCT;
COMMENT ON TABLE read_model.lead_daily_counts IS 'lead_counts by the UTC day of last_message_at. The same totals within a window of time are sums of whole days plus the leads of its two edge days.';
COMMENT ON COLUMN read_model.lead_daily_counts.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.lead_daily_counts.day IS 'UTC day of last_message_at; leads without one stand in no row.';
COMMENT ON COLUMN read_model.lead_daily_counts.lead_status IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_daily_counts.total_score IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_daily_counts.on_whatsapp IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_daily_counts.on_instagram IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_daily_counts.on_webchat IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_daily_counts.has_extraction IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_daily_counts.has_email IS 'As in leads.';
COMMENT ON COLUMN read_model.lead_daily_counts.leads IS 'Number of leads; a row that reached 0 is deleted.';

-- Under a publication of all tables, rows without a primary key could otherwise not be changed.
DO $$
BEGIN
    IF (SELECT c.relreplident <> 'f' FROM pg_class AS c WHERE c.oid = 'read_model.lead_counts'::regclass) THEN
        ALTER TABLE read_model.lead_counts REPLICA IDENTITY FULL;
        ALTER TABLE read_model.lead_daily_counts REPLICA IDENTITY FULL;
    END IF;
END
$$;

CREATE TABLE IF NOT EXISTS read_model.lead_totals (
    user_id text COLLATE "C" NOT NULL,
    granularity text COLLATE "C" NOT NULL CHECK (granularity IN ('all', 'day', 'hour')),
    bucket_start timestamptz NOT NULL,
    leads integer NOT NULL,
    with_extraction integer NOT NULL,
    with_email integer NOT NULL,
    hot integer NOT NULL,
    warm integer NOT NULL,
    cold integer NOT NULL,
    on_whatsapp integer NOT NULL,
    on_instagram integer NOT NULL,
    on_webchat integer NOT NULL,
    -- The numbers stand in no index, so that to move them is to write one row and nothing else.
    CONSTRAINT lead_totals_pkey PRIMARY KEY (user_id, granularity, bucket_start)
) WITH (fillfactor = 70);
COMMENT ON TABLE read_model.lead_totals IS 'One row a tenant and granularity of time: the numbers of the statistics, and the totals of lists with one filter. Windows that move with the clock are sums of whole days, whole hours and the leads of an edge; deep pages count by hours.';
COMMENT ON COLUMN read_model.lead_totals.user_id IS 'The tenant.';
COMMENT ON COLUMN read_model.lead_totals.granularity IS 'all: every lead of the tenant; day, hour: those whose last_message_at lies in this day or hour, UTC.';
COMMENT ON COLUMN read_model.lead_totals.bucket_start IS 'Start of the day or hour; -infinity for all.';
COMMENT ON COLUMN read_model.lead_totals.leads IS 'Number of leads; a row that reached 0 is deleted.';
COMMENT ON COLUMN read_model.lead_totals.with_extraction IS 'How many of them have has_extraction.';
COMMENT ON COLUMN read_model.lead_totals.with_email IS 'How many of them have has_email.';
COMMENT ON COLUMN read_model.lead_totals.hot IS 'How many of them are Hot.';
COMMENT ON COLUMN read_model.lead_totals.warm IS 'How many of them are Warm.';
COMMENT ON COLUMN read_model.lead_totals.cold IS 'How many of them are Cold.';
COMMENT ON COLUMN read_model.lead_totals.on_whatsapp IS 'How many of them are on whatsapp.';
COMMENT ON COLUMN read_model.lead_totals.on_instagram IS 'How many of them are on instagram.';
COMMENT ON COLUMN read_model.lead_totals.on_webchat IS 'How many of them are on webchat.';

CREATE TABLE IF NOT EXISTS read_model.freshness (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    as_of timestamptz NOT NULL,
    shards timestamptz[] NOT NULL
) WITH (fillfactor = 10);
COMMENT ON TABLE read_model.freshness IS 'One row, from the first rebuild of everything on. One and not one a shard, since an idle refresh writes it each second.';
COMMENT ON COLUMN read_model.freshness.only_row IS 'Holds the table to one row.';
COMMENT ON COLUMN read_model.freshness.as_of IS 'Every change committed before is contained in the read model, dead letters excepted: the least of shards.';
COMMENT ON COLUMN read_model.freshness.shards IS 'For each shard of projector.changes, the start of the last refresh that left nothing of it waiting, capture being intact.';

CREATE TABLE IF NOT EXISTS read_model.projection (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL,
    built_at timestamptz,
    capture_gap text COLLATE "C"
);
COMMENT ON TABLE read_model.projection IS 'One row: what the read model as a whole is.';
COMMENT ON COLUMN read_model.projection.only_row IS 'Holds the table to one row.';
COMMENT ON COLUMN read_model.projection.version IS 'Projection version that the rows were built with.';
COMMENT ON COLUMN read_model.projection.built_at IS 'End of the last rebuild of everything; null until there was one.';
COMMENT ON COLUMN read_model.projection.capture_gap IS 'Why changes may have been missed; null while capture is intact.';

-- section: search

-- A tenant's leads by any three letters of their name, email, company or phone. Of its own section because the
-- extensions may not be to be had: `migrate` then warns, and a search reads all leads of the tenant.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;
-- The extension may be in a schema that is not on the search_path.
DO $$
BEGIN
    EXECUTE format(
        'CREATE INDEX IF NOT EXISTS lead_profiles_by_search_text'
        ' ON read_model.lead_profiles USING gin (user_id, search_text %s.gin_trgm_ops)',
        (SELECT e.extnamespace::regnamespace FROM pg_extension AS e WHERE e.extname = 'pg_trgm')
    );
END
$$;

-- section: keys

CREATE SCHEMA IF NOT EXISTS projector;
COMMENT ON SCHEMA projector IS 'The projector''s own state: it stays beside the source tables, wherever the read model goes.';

CREATE TABLE IF NOT EXISTS projector.conversation_keys (
    conversation_id text COLLATE "C" PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    customer_phone text COLLATE "C" NOT NULL
);
CREATE INDEX IF NOT EXISTS conversation_keys_of_lead ON projector.conversation_keys (user_id, customer_phone);
COMMENT ON TABLE projector.conversation_keys IS 'Which lead the read model last knew a conversation under: a moved or deleted row dirties its old lead too.';
COMMENT ON COLUMN projector.conversation_keys.conversation_id IS 'The conversation.';
COMMENT ON COLUMN projector.conversation_keys.user_id IS 'The tenant of its lead.';
COMMENT ON COLUMN projector.conversation_keys.customer_phone IS 'The canonical phone of its lead.';

CREATE TABLE IF NOT EXISTS projector.contact_keys (
    contact_id text COLLATE "C" PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    customer_phone text COLLATE "C" NOT NULL
);
CREATE INDEX IF NOT EXISTS contact_keys_of_lead ON projector.contact_keys (user_id, customer_phone);
COMMENT ON TABLE projector.contact_keys IS 'As conversation_keys, for contacts, whose phones have no index in canonical form.';
COMMENT ON COLUMN projector.contact_keys.contact_id IS 'The contact.';
COMMENT ON COLUMN projector.contact_keys.user_id IS 'The tenant of its lead.';
COMMENT ON COLUMN projector.contact_keys.customer_phone IS 'The canonical phone of its lead, which need not exist.';

CREATE TABLE IF NOT EXISTS projector.send_keys (
    send_id text COLLATE "C" PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    customer_phone text COLLATE "C" NOT NULL
);
CREATE INDEX IF NOT EXISTS send_keys_of_lead ON projector.send_keys (user_id, customer_phone);
COMMENT ON TABLE projector.send_keys IS 'As conversation_keys, for template sends, counted or not.';
COMMENT ON COLUMN projector.send_keys.send_id IS 'The template send.';
COMMENT ON COLUMN projector.send_keys.user_id IS 'The tenant of its lead.';
COMMENT ON COLUMN projector.send_keys.customer_phone IS 'The canonical phone of its lead.';

-- section: projector

-- Append-only and without any constraint but NOT NULL: a writer of the platform never waits here, and never fails.
CREATE TABLE IF NOT EXISTS projector.changes (
    change_id bigint GENERATED ALWAYS AS IDENTITY,
    shard smallint NOT NULL,
    bulk boolean NOT NULL DEFAULT false,
    kind text COLLATE "C" NOT NULL,
    keys text[] COLLATE "C" NOT NULL,
    message_ids text[] COLLATE "C",
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_threshold = 2147483647,
    -- To give pages back takes a lock that every writer waits for.
    vacuum_truncate = false,
    toast.vacuum_truncate = false
);
-- Looked for before it is made: CREATE INDEX IF NOT EXISTS waits for every writer under way, and all others behind it.
DO $$
BEGIN
    IF to_regclass('projector.changes_in_order') IS NULL THEN
        CREATE INDEX changes_in_order ON projector.changes (shard, bulk, change_id);
    END IF;
END
$$;
COMMENT ON TABLE projector.changes IS 'The queue: what is stale, appended by the triggers inside the writer''s transaction and deleted by the refresh that took it.';
COMMENT ON COLUMN projector.changes.change_id IS 'Order of insertion, which is not the order of commit.';
COMMENT ON COLUMN projector.changes.shard IS 'Hash of a key: whoever owns the shard''s lock may take its rows.';
COMMENT ON COLUMN projector.changes.bulk IS 'Part of a mass change, which gives way to single changes.';
COMMENT ON COLUMN projector.changes.kind IS 'messages, conversations, extractions, resync, contacts, template_sends, agents, phone_numbers, templates, truncate: what the keys are.';
COMMENT ON COLUMN projector.changes.keys IS 'Keys of the changed rows, old and new; for messages, extractions and resync the ids of their conversations; for truncate the name of the table.';
COMMENT ON COLUMN projector.changes.message_ids IS 'For messages: which of them changed.';
COMMENT ON COLUMN projector.changes.queued_at IS 'When the writer queued it, before its commit.';

CREATE TABLE IF NOT EXISTS projector.replay (LIKE projector.changes);
ALTER TABLE projector.replay ALTER COLUMN change_id DROP NOT NULL;
COMMENT ON TABLE projector.replay IS 'Changes that refreshes took while everything is rebuilt beside: they are applied there too before the swap.';
COMMENT ON COLUMN projector.replay.change_id IS 'As in changes; null for a piece of a mass change.';
COMMENT ON COLUMN projector.replay.shard IS 'As in changes.';
COMMENT ON COLUMN projector.replay.bulk IS 'As in changes.';
COMMENT ON COLUMN projector.replay.kind IS 'As in changes.';
COMMENT ON COLUMN projector.replay.keys IS 'As in changes.';
COMMENT ON COLUMN projector.replay.message_ids IS 'As in changes.';
COMMENT ON COLUMN projector.replay.queued_at IS 'As in changes.';

CREATE TABLE IF NOT EXISTS projector.dead_letters (
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    user_id text COLLATE "C",
    customer_phone text COLLATE "C",
    error text NOT NULL,
    attempts integer NOT NULL,
    first_failed_at timestamptz NOT NULL,
    retry_at timestamptz NOT NULL,
    PRIMARY KEY (kind, key)
);
COMMENT ON TABLE projector.dead_letters IS 'Keys whose refresh failed alone: set aside with the error, retried with growing pauses.';
COMMENT ON COLUMN projector.dead_letters.kind IS 'Kind of change, as in changes; messages are retried as resync.';
COMMENT ON COLUMN projector.dead_letters.key IS 'The key that failed.';
COMMENT ON COLUMN projector.dead_letters.user_id IS 'Tenant of the lead that it belongs to, where that could be told.';
COMMENT ON COLUMN projector.dead_letters.customer_phone IS 'The lead that it belongs to, where that could be told.';
COMMENT ON COLUMN projector.dead_letters.error IS 'What PostgreSQL said at the last attempt.';
COMMENT ON COLUMN projector.dead_letters.attempts IS 'How often it was tried.';
COMMENT ON COLUMN projector.dead_letters.first_failed_at IS 'When it failed first.';
COMMENT ON COLUMN projector.dead_letters.retry_at IS 'When it is queued again.';

CREATE TABLE IF NOT EXISTS projector.runs (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('refresh', 'rebuild', 'verify')),
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    outcome text COLLATE "C" NOT NULL DEFAULT 'running' CHECK (outcome IN ('running', 'done', 'failed', 'interrupted')),
    tenants text[],
    changes bigint NOT NULL DEFAULT 0,
    leads bigint NOT NULL DEFAULT 0,
    messages bigint NOT NULL DEFAULT 0,
    leads_total bigint,
    note text
);
CREATE INDEX IF NOT EXISTS runs_by_started_at ON projector.runs (started_at);
CREATE INDEX IF NOT EXISTS runs_but_refreshes ON projector.runs (kind, run_id) WHERE kind <> 'refresh';
COMMENT ON TABLE projector.runs IS 'The run log: one row for each batch of a refresh that had work, each rebuild and each verify.';
COMMENT ON COLUMN projector.runs.run_id IS 'Order of start.';
COMMENT ON COLUMN projector.runs.kind IS 'refresh, rebuild or verify.';
COMMENT ON COLUMN projector.runs.started_at IS 'When it started.';
COMMENT ON COLUMN projector.runs.finished_at IS 'When it ended; null while it runs.';
COMMENT ON COLUMN projector.runs.outcome IS 'running, done, failed, or interrupted where the process ended before the run.';
COMMENT ON COLUMN projector.runs.tenants IS 'The tenants it was asked for; null for all.';
COMMENT ON COLUMN projector.runs.changes IS 'Queue rows taken.';
COMMENT ON COLUMN projector.runs.leads IS 'Leads recomputed.';
COMMENT ON COLUMN projector.runs.messages IS 'Rows of lead_messages written or deleted.';
COMMENT ON COLUMN projector.runs.leads_total IS 'For a rebuild: how many leads it has to recompute.';
COMMENT ON COLUMN projector.runs.note IS 'The error of a failed run, or what a verify found.';

CREATE TABLE IF NOT EXISTS projector.rebuild_tenants (
    user_id text COLLATE "C" PRIMARY KEY,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cursor_phone text COLLATE "C",
    whole_rebuild boolean NOT NULL
);
COMMENT ON TABLE projector.rebuild_tenants IS 'Tenants that a rebuild has still to do, and how far it came: an interrupted rebuild goes on here.';
COMMENT ON COLUMN projector.rebuild_tenants.user_id IS 'The tenant.';
COMMENT ON COLUMN projector.rebuild_tenants.requested_at IS 'When the rebuild was asked for.';
COMMENT ON COLUMN projector.rebuild_tenants.cursor_phone IS 'Leads up to this one are done.';
COMMENT ON COLUMN projector.rebuild_tenants.whole_rebuild IS 'Part of a rebuild of everything.';

CREATE TABLE IF NOT EXISTS projector.capture_triggers (
    table_name text COLLATE "C" NOT NULL,
    trigger_name text COLLATE "C" NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    PRIMARY KEY (table_name, trigger_name)
);
COMMENT ON TABLE projector.capture_triggers IS 'The triggers as they were installed. The catalog must still say the same, else changes may have been missed.';
COMMENT ON COLUMN projector.capture_triggers.table_name IS 'The source table.';
COMMENT ON COLUMN projector.capture_triggers.trigger_name IS 'The trigger.';
COMMENT ON COLUMN projector.capture_triggers.fingerprint IS 'Object ids, state and catalog row versions of the trigger, its table and its function.';

CREATE TABLE IF NOT EXISTS projector.capture_gaps (
    gap_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    noticed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason text NOT NULL,
    reinstalled_at timestamptz,
    healed_at timestamptz
);
COMMENT ON TABLE projector.capture_gaps IS 'Times in which changes may have been missed. One without healed_at is open.';
COMMENT ON COLUMN projector.capture_gaps.gap_id IS 'Order of notice.';
COMMENT ON COLUMN projector.capture_gaps.noticed_at IS 'When a refresh noticed it, or an operator asked for it.';
COMMENT ON COLUMN projector.capture_gaps.reason IS 'What was found.';
COMMENT ON COLUMN projector.capture_gaps.reinstalled_at IS 'When the triggers stood again.';
COMMENT ON COLUMN projector.capture_gaps.healed_at IS 'When the rebuild that followed was done.';

CREATE TABLE IF NOT EXISTS projector.settings (
    name text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);
COMMENT ON TABLE projector.settings IS 'What has to outlive a process: where the platform''s tables are, whether capture was switched off on purpose, and whether everything is being rebuilt beside.';
COMMENT ON COLUMN projector.settings.name IS 'The setting.';
COMMENT ON COLUMN projector.settings.value IS 'Its value.';

-- section: roles

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'leads_api') THEN
        CREATE ROLE leads_api NOLOGIN;
    END IF;
END
$$;
GRANT USAGE ON SCHEMA read_model TO leads_api;
GRANT SELECT ON ALL TABLES IN SCHEMA read_model TO leads_api;
ALTER DEFAULT PRIVILEGES IN SCHEMA read_model GRANT SELECT ON TABLES TO leads_api;
