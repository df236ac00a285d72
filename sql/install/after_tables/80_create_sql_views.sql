-- The views for people who read by SQL. Their columns are a contract: see docs/export.md.
--
-- A view reads with the rights of its owner, to whom no policy applies, so a reader sees all tenants. CREATE OR REPLACE
-- refuses to rename, drop, move or retype a column: a new one comes last. LEFT JOIN, because PostgreSQL then reads the
-- joined table only if a query asks for its columns.
--
-- A part of the read model that no rebuild has filled yet is null here, and a view that has nothing else fails:
-- projector.is_filled() is called once in a statement.
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
    l.last_message_at,
    -- The table has the two words that the API filters by; the document has any word.
    coalesce(l.last_message_sender, l.document::json ->> 'last_message_sender') AS last_message_sender,
    l.document::json ->> 'last_message_text' AS last_message_text,
    (l.document::json ->> 'conversation_count')::integer AS conversation_count,
    array_remove(
        ARRAY[
            CASE WHEN l.on_whatsapp THEN 'whatsapp' END,
            CASE WHEN l.on_instagram THEN 'instagram' END,
            CASE WHEN l.on_webchat THEN 'webchat' END
        ],
        NULL
    ) || l.other_platforms COLLATE "default" AS platforms,
    CASE WHEN (SELECT projector.is_filled('attributes.lead')) THEN p.attributes END AS attributes,
    CASE WHEN (SELECT projector.is_filled('leads.waiting_since')) THEN l.waiting_since END AS waiting_since,
    CASE WHEN (SELECT projector.is_filled('leads.reply_window_ends_at')) THEN l.reply_window_ends_at END
        AS reply_window_ends_at,
    CASE WHEN (SELECT projector.is_filled('leads.last_customer_message_at')) THEN l.last_customer_message_at END
        AS last_customer_message_at,
    CASE WHEN (SELECT projector.is_filled('leads.status_since')) THEN l.status_since END AS status_since
FROM read_model.leads AS l
LEFT JOIN read_model.lead_profiles AS p ON p.user_id = l.user_id AND p.customer_phone = l.customer_phone;
COMMENT ON VIEW leads_sql.leads IS 'One row per lead. Key: user_id, customer_phone.';

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
    coalesce(c.newest_message_at, c.source_last_message_at) AS last_message_at,
    CASE WHEN (SELECT projector.is_filled('attributes.conversation')) THEN c.attributes END AS attributes,
    CASE WHEN (SELECT projector.is_filled('lead_conversations.reply_window')) THEN c.reply_window END AS reply_window
FROM read_model.lead_conversations AS c;
COMMENT ON VIEW leads_sql.conversations IS 'One row per conversation of a lead. Key: user_id, conversation_id.';

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

CREATE OR REPLACE VIEW leads_sql.lead_status_changes AS
SELECT
    s.user_id,
    s.customer_phone,
    s.changed_at,
    lag(s.lead_status) OVER (PARTITION BY s.user_id, s.customer_phone ORDER BY s.changed_at) AS from_status,
    s.lead_status,
    s.total_score,
    s.extraction_id,
    s.conversation_id
FROM read_model.lead_status_changes AS s
WHERE (SELECT projector.require_filled('lead_status_changes'));
COMMENT ON VIEW leads_sql.lead_status_changes IS
'One row per change of the status of a lead. Key: user_id, customer_phone, changed_at.';

-- A column gets the description of the column with its name in the first of these tables that has one.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT DISTINCT ON (own.attrelid, own.attnum)
            format('%s.%I', own.attrelid::regclass, own.attname) AS name,
            col_description(from_table.attrelid, from_table.attnum)
            || CASE
                WHEN own.attname IN (
                    'attributes', 'waiting_since', 'reply_window_ends_at', 'last_customer_message_at', 'status_since',
                    'reply_window'
                ) THEN ' Null until a rebuild has filled it, after an upgrade or another mapping.'
                ELSE ''
            END AS description
        FROM (
            VALUES
            ('leads', 1, 'leads'), ('leads', 2, 'lead_profiles'),
            ('conversations', 1, 'lead_conversations'),
            ('messages', 1, 'lead_messages'), ('messages', 2, 'lead_conversations'),
            ('statistics_by_day', 1, 'lead_totals'),
            ('lead_status_changes', 1, 'lead_status_changes')
        ) AS described (view_name, place, table_name)
        INNER JOIN pg_catalog.pg_attribute AS own ON own.attrelid = ('leads_sql.' || described.view_name)::regclass
        INNER JOIN pg_catalog.pg_attribute AS from_table
            ON from_table.attrelid = ('read_model.' || described.table_name)::regclass
            AND from_table.attname = own.attname
        WHERE own.attnum > 0 AND from_table.attnum > 0
        ORDER BY own.attrelid, own.attnum, described.place
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s IS %L', found.name, found.description);
    END LOOP;
END
$$;
COMMENT ON COLUMN leads_sql.leads.last_message_sender IS
'The sender of the last message; user means that the customer waits for an answer. Null without messages.';
COMMENT ON COLUMN leads_sql.leads.last_message_text IS 'The last message over all conversations.';
COMMENT ON COLUMN leads_sql.leads.conversation_count IS 'Number of its conversations.';
COMMENT ON COLUMN leads_sql.leads.platforms IS 'The platforms of on_whatsapp, on_instagram and on_webchat, then other words bytewise.';
COMMENT ON COLUMN leads_sql.conversations.last_message_at IS
'Time of its newest message; without messages, what the platform notes.';
COMMENT ON COLUMN leads_sql.lead_status_changes.from_status IS 'The status until then; null for none.';
COMMENT ON COLUMN leads_sql.statistics_by_day.day IS 'UTC day of last_message_at.';
