-- The rows of the platform's tables, with the columns that the projection reads, each in a type of its own.
--
-- projector/database/sql.py makes each of these the body of a function projector.source_TABLE(), and `migrate` puts in
-- where each table is. A body is a string, so that PostgreSQL stores no dependency on a table of the platform: the
-- platform may drop a column or a table, change a type, and swap tables by renaming them. Nothing but the name counts.
-- PostgreSQL inlines each function where it is called, as if the table stood there, so that the indexes of the platform
-- serve it. That asks for functions that are STABLE, run with the rights of the caller, and set nothing.
--
-- Only the owner may call them.
SELECT t.user_id::text FROM {users} AS t;

SELECT t.id::text, t.platform::text FROM {phone_numbers} AS t;

SELECT t.agent_id::text, t.user_id::text, t.phone_number_id::text, t.name::text FROM {agents} AS t;

SELECT t.conversation_id::text, t.agent_id::text, t.customer_phone::text, t.created_at::timestamptz,
    t.last_message_at::timestamptz, t.is_active::boolean
FROM {conversations} AS t;

SELECT t.message_id::text, t.conversation_id::text, t.sender::text, t.text::text, t.timestamp::timestamptz,
    t.status::text, t.sequence_no::integer
FROM {messages} AS t;

SELECT t.extraction_id::uuid, t.conversation_id::text, t.extracted_at::timestamptz, t.is_latest::boolean, t.name::text,
    t.email::text, t.company::text, t.intent_score::integer, t.urgency_score::integer, t.budget_score::integer,
    t.fit_score::integer, t.engagement_score::integer, t.total_score::integer, t.lead_status_tag::text
FROM {extractions} AS t;

SELECT t.contact_id::text, t.user_id::text, t.phone::text, t.name::text, t.email::text, t.company::text,
    t.updated_at::timestamptz
FROM {contacts} AS t;

SELECT t.template_id::text, t.user_id::text, t.phone_number_id::text FROM {templates} AS t;

SELECT t.send_id::text, t.template_id::text, t.customer_phone::text, t.status::text, t.sent_at::timestamptz,
    t.created_at::timestamptz
FROM {template_sends} AS t;
