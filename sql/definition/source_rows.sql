-- The relations of the mapping, sql/mapping/, with a fixed type for each column. A key keeps the platform's type, so
-- that an index of the platform can find it: {conversation_id} stands for the type of a conversation's id.
--
-- projector/database/sql.py makes each of these the body of a function projector.source_RELATION(), and `migrate` fills
-- in the mapping, with the schema of each table. A missing optional relation or column counts as nulls. A body is a
-- string, so that PostgreSQL stores no dependency on a table of the platform: the platform may drop a column or a
-- table, change a type, and swap tables by renaming them, because only the name counts. PostgreSQL inlines each
-- function, so that it can use the platform's indexes. This requires that the functions are STABLE, run with the
-- caller's rights, and have no SET clause.
--
-- There is also a function for each kind of key, such as projector.contact_id(), which converts a queued or noted key
-- to the type of the platform: null for a text that cannot be such an id. declared_attributes is an object made from
-- the columns of a mapping that have no other meaning: projector/capture/attributes.py. attributes is the JSON of the
-- mapping, unchanged. `-- required:` names the columns that a mapping has to give, the key of the relation first.
-- Callers only read what their own rights allow.
-- required: conversation_id user_id customer_phone
SELECT t.conversation_id::{conversation_id}, t.user_id::text, t.customer_phone::text, t.agent_id::text,
    t.agent_name::text, t.platform::text, t.phone_number_id::text, t.is_active::boolean, t.created_at::timestamptz,
    t.last_message_at::timestamptz, t.reply_window::interval, t.declared_attributes::jsonb, t.attributes::jsonb
FROM {conversations} AS t;

-- required: message_id conversation_id sender text timestamp
SELECT t.message_id::{message_id}, t.conversation_id::{conversation_id}, t.sender::text, t.text::text,
    t.timestamp::timestamptz, t.status::text, t.sequence_no::integer
FROM {messages} AS t;

-- required: extraction_id conversation_id
SELECT t.extraction_id::{extraction_id}, t.conversation_id::{conversation_id}, t.extracted_at::timestamptz, t.is_latest::boolean,
    t.name::text, t.email::text, t.company::text, t.intent_score::integer, t.urgency_score::integer,
    t.budget_score::integer, t.fit_score::integer, t.engagement_score::integer, t.total_score::integer,
    t.lead_status_tag::text, t.declared_attributes::jsonb, t.attributes::jsonb
FROM {extractions} AS t;

-- required: contact_id user_id phone
SELECT t.contact_id::{contact_id}, t.user_id::text, t.phone::text, t.name::text, t.email::text,
    t.company::text, t.updated_at::timestamptz, t.declared_attributes::jsonb, t.attributes::jsonb
FROM {contacts} AS t;

-- required: send_id user_id customer_phone
SELECT t.send_id::{send_id}, t.user_id::text, t.customer_phone::text, t.platform::text, t.status::text,
    t.sent_at::timestamptz, t.created_at::timestamptz
FROM {template_sends} AS t;

-- required: user_id
SELECT t.user_id::{user_id}, t.name::text FROM {tenants} AS t;
