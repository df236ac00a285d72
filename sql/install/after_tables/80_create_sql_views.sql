-- The views for people who read by SQL. Their columns are a contract: see docs/sql.md.
--
-- A view reads with the rights of its owner, whom no policy filters, so a reader sees all tenants. CREATE OR REPLACE
-- refuses to rename, drop, move or retype a column: a new one comes last. LEFT JOIN, because PostgreSQL then reads the
-- joined table only if a query asks for its columns.
CREATE SCHEMA IF NOT EXISTS leads_sql;
COMMENT ON SCHEMA leads_sql IS 'Views of the read model for people and programs that read by SQL, of all tenants.';

CREATE OR REPLACE VIEW leads_sql.leads AS
SELECT
    l.user_id,
    l.customer_phone,
    p.name,
    p.email,
    p.company,
    l.lead_status,
    l.total_score,
    p.intent_score,
    p.urgency_score,
    p.budget_score,
    p.fit_score,
    p.engagement_score,
    l.has_extraction,
    p.extraction_id,
    l.on_whatsapp,
    l.on_instagram,
    l.on_webchat,
    l.total_messages,
    p.template_sends_count,
    l.first_contact_at,
    l.last_message_at
FROM read_model.leads AS l
LEFT JOIN read_model.lead_profiles AS p ON p.user_id = l.user_id AND p.customer_phone = l.customer_phone;
COMMENT ON VIEW leads_sql.leads IS 'One row per lead. Key: user_id, customer_phone.';
COMMENT ON COLUMN leads_sql.leads.user_id IS 'The tenant.';
COMMENT ON COLUMN leads_sql.leads.customer_phone IS
'The digits of a phone number, or any other identifier trimmed.';
COMMENT ON COLUMN leads_sql.leads.name IS
'Name of the winning extraction if it is not blank, else of the winning contact.';
COMMENT ON COLUMN leads_sql.leads.email IS 'Email address, chosen as name is.';
COMMENT ON COLUMN leads_sql.leads.company IS 'Company, chosen as name is.';
COMMENT ON COLUMN leads_sql.leads.lead_status IS 'Hot, Warm or Cold; null for anything else.';
COMMENT ON COLUMN leads_sql.leads.total_score IS 'Total score of the winning extraction.';
COMMENT ON COLUMN leads_sql.leads.intent_score IS 'Score of the winning extraction.';
COMMENT ON COLUMN leads_sql.leads.urgency_score IS 'Score of the winning extraction.';
COMMENT ON COLUMN leads_sql.leads.budget_score IS 'Score of the winning extraction.';
COMMENT ON COLUMN leads_sql.leads.fit_score IS 'Score of the winning extraction.';
COMMENT ON COLUMN leads_sql.leads.engagement_score IS 'Score of the winning extraction.';
COMMENT ON COLUMN leads_sql.leads.has_extraction IS 'Whether any extraction of its conversations exists.';
COMMENT ON COLUMN leads_sql.leads.extraction_id IS 'The winning extraction.';
COMMENT ON COLUMN leads_sql.leads.on_whatsapp IS
'Whether a conversation or a template send of this lead is on whatsapp.';
COMMENT ON COLUMN leads_sql.leads.on_instagram IS
'Whether a conversation or a template send of this lead is on instagram.';
COMMENT ON COLUMN leads_sql.leads.on_webchat IS
'Whether a conversation or a template send of this lead is on webchat.';
COMMENT ON COLUMN leads_sql.leads.total_messages IS 'Number of its messages.';
COMMENT ON COLUMN leads_sql.leads.template_sends_count IS 'Number of template sends that went out.';
COMMENT ON COLUMN leads_sql.leads.first_contact_at IS
'Earliest of conversation start, message and template send.';
COMMENT ON COLUMN leads_sql.leads.last_message_at IS
'Time of its newest message; for a lead without conversations, of its newest template send.';

CREATE OR REPLACE VIEW leads_sql.conversations AS
SELECT
    c.user_id,
    c.customer_phone,
    c.conversation_id,
    c.agent_id,
    c.agent_name,
    c.platform,
    c.phone_number_id,
    c.is_active,
    c.message_count,
    c.created_at,
    c.first_message_at,
    coalesce(c.newest_message_at, c.source_last_message_at) AS last_message_at
FROM read_model.lead_conversations AS c;
COMMENT ON VIEW leads_sql.conversations IS 'One row per conversation of a lead. Key: user_id, conversation_id.';
COMMENT ON COLUMN leads_sql.conversations.user_id IS 'The tenant.';
COMMENT ON COLUMN leads_sql.conversations.customer_phone IS 'The lead.';
COMMENT ON COLUMN leads_sql.conversations.conversation_id IS 'The conversation.';
COMMENT ON COLUMN leads_sql.conversations.agent_id IS 'The AI agent of the conversation.';
COMMENT ON COLUMN leads_sql.conversations.agent_name IS 'Name of the agent.';
COMMENT ON COLUMN leads_sql.conversations.platform IS 'Platform of the agent''s channel.';
COMMENT ON COLUMN leads_sql.conversations.phone_number_id IS 'The agent''s channel.';
COMMENT ON COLUMN leads_sql.conversations.is_active IS 'Whether it is active.';
COMMENT ON COLUMN leads_sql.conversations.message_count IS 'Number of its messages.';
COMMENT ON COLUMN leads_sql.conversations.created_at IS 'Start of the conversation.';
COMMENT ON COLUMN leads_sql.conversations.first_message_at IS
'Time of its earliest message; null without messages.';
COMMENT ON COLUMN leads_sql.conversations.last_message_at IS
'Time of its newest message; without messages, what the platform notes.';

CREATE OR REPLACE VIEW leads_sql.messages AS
SELECT
    m.user_id,
    m.customer_phone,
    m.conversation_id,
    m.message_id,
    m.sequence_no,
    m.sent_at,
    m.sender,
    m.status,
    m.text,
    c.agent_id,
    c.agent_name,
    c.platform
FROM read_model.lead_messages AS m
LEFT JOIN read_model.lead_conversations AS c
    ON c.user_id = m.user_id AND c.customer_phone = m.customer_phone AND c.conversation_id = m.conversation_id;
COMMENT ON VIEW leads_sql.messages IS
'One row per message of a lead. Key: user_id, message_id. Order: sent_at, conversation_id, sequence_no, message_id.';
COMMENT ON COLUMN leads_sql.messages.user_id IS 'The tenant.';
COMMENT ON COLUMN leads_sql.messages.customer_phone IS 'The lead.';
COMMENT ON COLUMN leads_sql.messages.conversation_id IS 'The conversation.';
COMMENT ON COLUMN leads_sql.messages.message_id IS 'The message.';
COMMENT ON COLUMN leads_sql.messages.sequence_no IS 'Its number within the conversation.';
COMMENT ON COLUMN leads_sql.messages.sent_at IS 'When it was sent.';
COMMENT ON COLUMN leads_sql.messages.sender IS 'user or agent.';
COMMENT ON COLUMN leads_sql.messages.status IS 'pending, failed or sent.';
COMMENT ON COLUMN leads_sql.messages.text IS 'Its text, up to 64 KiB.';
COMMENT ON COLUMN leads_sql.messages.agent_id IS 'The AI agent of the conversation.';
COMMENT ON COLUMN leads_sql.messages.agent_name IS 'Name of the agent.';
COMMENT ON COLUMN leads_sql.messages.platform IS 'Platform of the agent''s channel.';

CREATE OR REPLACE VIEW leads_sql.statistics_by_day AS
SELECT
    t.user_id,
    (t.bucket_start AT TIME ZONE 'UTC')::date AS day,
    t.leads,
    t.with_extraction,
    t.with_email,
    t.hot,
    t.warm,
    t.cold,
    t.on_whatsapp,
    t.on_instagram,
    t.on_webchat
FROM read_model.lead_totals AS t
WHERE t.granularity = 'day';
COMMENT ON VIEW leads_sql.statistics_by_day IS
'Numbers of leads by the UTC day of their last_message_at. Key: user_id, day. A day without leads has no row, and a lead
without last_message_at is in none.';
COMMENT ON COLUMN leads_sql.statistics_by_day.user_id IS 'The tenant.';
COMMENT ON COLUMN leads_sql.statistics_by_day.day IS 'UTC day of last_message_at.';
COMMENT ON COLUMN leads_sql.statistics_by_day.leads IS 'Number of leads.';
COMMENT ON COLUMN leads_sql.statistics_by_day.with_extraction IS 'How many of them have an extraction.';
COMMENT ON COLUMN leads_sql.statistics_by_day.with_email IS 'How many of them have an email address.';
COMMENT ON COLUMN leads_sql.statistics_by_day.hot IS 'How many of them are Hot.';
COMMENT ON COLUMN leads_sql.statistics_by_day.warm IS 'How many of them are Warm.';
COMMENT ON COLUMN leads_sql.statistics_by_day.cold IS 'How many of them are Cold.';
COMMENT ON COLUMN leads_sql.statistics_by_day.on_whatsapp IS 'How many of them are on whatsapp.';
COMMENT ON COLUMN leads_sql.statistics_by_day.on_instagram IS 'How many of them are on instagram.';
COMMENT ON COLUMN leads_sql.statistics_by_day.on_webchat IS 'How many of them are on webchat.';
