-- The lines of an export, for the API and for `projector export`. PostgreSQL inlines the functions. `csv_functions` in
-- sql/queries/operate.sql creates those for a whole line.

-- A text that somebody may have typed, in quotation marks. An apostrophe precedes texts that a spreadsheet could take
-- for formulas. OWASP also names the full-width signs, and the tab, the line feed and the carriage return, after which
-- a spreadsheet may find a sign.
CREATE OR REPLACE FUNCTION read_model.csv_text(value text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN CASE
    WHEN value IS NULL THEN ''
    WHEN value ~ '^[-=+@\t\n\r\uFF0D\uFF1D\uFF0B\uFF20]' THEN '"''' || replace(value, '"', '""') || '"'
    ELSE '"' || replace(value, '"', '""') || '"'
END;

-- The same for Excel, which keeps 15 digits of a number and drops leading zeros: such digits become the text of a
-- formula.
--
-- An Excel whose lists are separated by semicolons or tabs divides a line at these too, within our quotation marks. So
-- an apostrophe precedes a sign that could begin such a part, also after blanks and quotation marks.
CREATE OR REPLACE FUNCTION read_model.csv_cell(value text, for_excel boolean)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN CASE
    WHEN NOT for_excel THEN read_model.csv_text(value)
    WHEN value ~ '^ *(0[0-9]+|[0-9]{16,}) *$' THEN '"=""' || value || '"""'
    ELSE read_model.csv_text(
        regexp_replace(
            value,
            '(^|[;\u0009-\u000D\u0085\u2028\u2029])'
            '([\u0001-\u0020"\u007F-\u00A0\u1680\u2000-\u200D\u2028-\u202F\u205F\u2060\u3000\uFEFF]*)'
            '([-=+@\uFF0D\uFF1D\uFF0B\uFF20])',
            '\1\2''\3',
            'g'
        )
    )
END;

-- A printed time, or the form that Excel reads: in UTC, without milliseconds.
CREATE OR REPLACE FUNCTION read_model.csv_time(value text, for_excel boolean)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN coalesce(CASE WHEN for_excel THEN translate(left(value, 19), 'T', ' ') ELSE value END, '');

-- Each message as JSON with the phone of its lead, and the columns that choose and order the lines of a tenant.
--
-- It reads with the rights of the session, so that row security filters it.
CREATE OR REPLACE VIEW read_model.message_lines WITH (security_invoker = true) AS
SELECT
    m.user_id,
    m.customer_phone,
    m.sent_at,
    m.conversation_id,
    m.sequence_no,
    m.message_id,
    row_to_json(printed.*)::text || E'\n' AS line
FROM read_model.lead_messages AS m
LEFT JOIN read_model.lead_conversations AS c
    ON c.user_id = m.user_id AND c.customer_phone = m.customer_phone AND c.conversation_id = m.conversation_id
CROSS JOIN LATERAL (
    SELECT
        m.customer_phone,
        m.message_id,
        m.conversation_id,
        c.agent_id,
        c.agent_name,
        c.platform,
        c.phone_number_id,
        m.sender,
        m.text,
        projector.format_time(m.sent_at) AS timestamp,
        m.status,
        m.sequence_no
) AS printed;
