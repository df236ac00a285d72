-- What a platform may lack: columns, with the types that they would have, and tables, with what is not known then.
VALUES
('users', 'company_name text', 'no tenant has a name'),
('phone_numbers', 'platform text', NULL),
('agents', 'name text', NULL),
('conversations', 'last_message_at timestamptz, is_active boolean', NULL),
('messages', 'status text, sequence_no integer', NULL),
(
    'extractions',
    'extracted_at timestamptz, is_latest boolean, name text, email text, company text, intent_score integer,'
    ' urgency_score integer, budget_score integer, fit_score integer, engagement_score integer, total_score integer,'
    ' lead_status_tag text, requirements text, custom_cta text, in_detail_summary text, smart_notification text,'
    ' demo_book_datetime timestamptz',
    NULL
),
(
    'contacts',
    'name text, email text, company text, updated_at timestamptz, tags text[], opted_out boolean, source text',
    'no contact is known'
),
('templates', '', 'no template send is known'),
('template_sends', 'status text, sent_at timestamptz', 'no template send is known');
