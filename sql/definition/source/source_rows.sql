-- The rows of the platform's tables, with the columns that the projection reads, each in a type of its own.
--
-- `migrate` puts in where each table is. A body is a string, so that PostgreSQL stores no dependency on a table of the
-- platform: the platform may drop a column or a table, change a type, and swap tables by renaming them. Nothing but the
-- name counts. PostgreSQL inlines each function where it is called, as if the table stood there, so that the indexes of
-- the platform serve it. That asks for functions that are STABLE, run with the rights of the caller, and set nothing.
--
-- Only the owner may call them.
DROP FUNCTION IF EXISTS projector.source_users();
CREATE FUNCTION projector.source_users()
RETURNS TABLE (user_id text)
LANGUAGE sql
STABLE
AS $definition$
SELECT u.user_id::text
FROM {users} AS u
$definition$;

DROP FUNCTION IF EXISTS projector.source_phone_numbers();
CREATE FUNCTION projector.source_phone_numbers()
RETURNS TABLE (id text, platform text)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    p.id::text,
    p.platform::text
FROM {phone_numbers} AS p
$definition$;

DROP FUNCTION IF EXISTS projector.source_agents();
CREATE FUNCTION projector.source_agents()
RETURNS TABLE (agent_id text, user_id text, phone_number_id text, name text)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    a.agent_id::text,
    a.user_id::text,
    a.phone_number_id::text,
    a.name::text
FROM {agents} AS a
$definition$;

DROP FUNCTION IF EXISTS projector.source_conversations();
CREATE FUNCTION projector.source_conversations()
RETURNS TABLE (
    conversation_id text,
    agent_id text,
    customer_phone text,
    created_at timestamptz,
    last_message_at timestamptz,
    is_active boolean
)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    c.conversation_id::text,
    c.agent_id::text,
    c.customer_phone::text,
    c.created_at::timestamptz,
    c.last_message_at::timestamptz,
    c.is_active::boolean
FROM {conversations} AS c
$definition$;

-- Some of the conversations, in the given percentage of the pages of the table.
DROP FUNCTION IF EXISTS projector.sampled_conversations(double precision);
CREATE FUNCTION projector.sampled_conversations(percent double precision)
RETURNS TABLE (conversation_id text)
LANGUAGE sql
STABLE
AS $definition$
SELECT c.conversation_id::text
FROM {conversations} AS c TABLESAMPLE SYSTEM (percent)
$definition$;

DROP FUNCTION IF EXISTS projector.source_messages();
CREATE FUNCTION projector.source_messages()
RETURNS TABLE (
    message_id text,
    conversation_id text,
    sender text,
    text text,
    "timestamp" timestamptz, -- noqa: RF06
    status text,
    sequence_no integer
)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    m.message_id::text,
    m.conversation_id::text,
    m.sender::text,
    m.text::text,
    m.timestamp::timestamptz,
    m.status::text,
    m.sequence_no::integer
FROM {messages} AS m
$definition$;

DROP FUNCTION IF EXISTS projector.source_extractions();
CREATE FUNCTION projector.source_extractions()
RETURNS TABLE (
    extraction_id uuid,
    conversation_id text,
    extracted_at timestamptz,
    is_latest boolean,
    name text,
    email text,
    company text,
    intent_score integer,
    urgency_score integer,
    budget_score integer,
    fit_score integer,
    engagement_score integer,
    total_score integer,
    lead_status_tag text
)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    e.extraction_id::uuid,
    e.conversation_id::text,
    e.extracted_at::timestamptz,
    e.is_latest::boolean,
    e.name::text,
    e.email::text,
    e.company::text,
    e.intent_score::integer,
    e.urgency_score::integer,
    e.budget_score::integer,
    e.fit_score::integer,
    e.engagement_score::integer,
    e.total_score::integer,
    e.lead_status_tag::text
FROM {extractions} AS e
$definition$;

DROP FUNCTION IF EXISTS projector.source_contacts();
CREATE FUNCTION projector.source_contacts()
RETURNS TABLE (
    contact_id text,
    user_id text,
    phone text,
    name text,
    email text,
    company text,
    updated_at timestamptz
)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    c.contact_id::text,
    c.user_id::text,
    c.phone::text,
    c.name::text,
    c.email::text,
    c.company::text,
    c.updated_at::timestamptz
FROM {contacts} AS c
$definition$;

DROP FUNCTION IF EXISTS projector.source_templates();
CREATE FUNCTION projector.source_templates()
RETURNS TABLE (template_id text, user_id text, phone_number_id text)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    t.template_id::text,
    t.user_id::text,
    t.phone_number_id::text
FROM {templates} AS t
$definition$;

DROP FUNCTION IF EXISTS projector.source_template_sends();
CREATE FUNCTION projector.source_template_sends()
RETURNS TABLE (
    send_id text,
    template_id text,
    customer_phone text,
    status text,
    sent_at timestamptz,
    created_at timestamptz
)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    s.send_id::text,
    s.template_id::text,
    s.customer_phone::text,
    s.status::text,
    s.sent_at::timestamptz,
    s.created_at::timestamptz
FROM {template_sends} AS s
$definition$;

REVOKE EXECUTE ON FUNCTION
projector.source_users(),
projector.source_phone_numbers(),
projector.source_agents(),
projector.source_conversations(),
projector.sampled_conversations(double precision),
projector.source_messages(),
projector.source_extractions(),
projector.source_contacts(),
projector.source_templates(),
projector.source_template_sends()
FROM public;
