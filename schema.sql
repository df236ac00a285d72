-- All state of the Leads read model, in one readable file.
--
-- `python -m projector migrate` applies it. Every statement can be run again: what is there is kept.
-- A line `-- section: NAME` starts a section; `migrate` applies the sections in this order:
--   source      the platform's tables. Applied only for the demo, in tests and on `migrate --create-source`;
--               an existing platform's tables are never touched.
--   read_model  what the API reads.
--   projector   the queue of changes, the key tables, the run log and what else the projector remembers.
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
