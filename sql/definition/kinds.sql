-- The kinds of source rows and of their changes: what each makes stale. Nothing else lists them: statements join this
-- relation, or projector/database/kinds.py makes texts from it.
--
-- kind: the relation of the mapping whose row changed, or another reason to read rows again.
-- key_kind: the kind of the keys of such a change, as in projector.source_keys.
-- id: the column that has such a key, and the function that gives its text the platform's type: projector.contact_id().
-- phone: if the key is the relation's own, the column with the phone of a row's lead; else null.
-- makes_lead: whether a row with such a key makes a lead, or only adds to one.
-- profile: whether the profile of the lead is read again.
-- messages: the messages of the conversation to read again: those that the change names, or all; null for none.
-- queued_kind: the kind under which a key is queued if a rule of the mapping, or a truncated table, makes it stale.
-- dead_letter_kind: the kind under which a key is set aside, and then read again as a whole; null if it is not the key
-- of a lead.
--
-- For each key_kind there is a kind for each combination of profile and messages that several changes can add up to: it
-- is the kind of late keys. Only projector.tenant_names depends on tenants.
SELECT k.*
FROM (
    VALUES
    ('conversations', 'conversation', 'conversation_id', 'customer_phone', true, false, NULL,
        'conversations', 'reload_conversations'),
    ('extractions', 'conversation', 'conversation_id', NULL, true, true, NULL,
        'extractions', 'reload_conversations'),
    ('messages', 'conversation', 'conversation_id', NULL, true, false, 'named',
        'reload_messages', 'reload_conversations'),
    ('reload_messages', 'conversation', 'conversation_id', NULL, true, false, 'all',
        'reload_messages', 'reload_conversations'),
    ('reload_conversations', 'conversation', 'conversation_id', NULL, true, true, 'all',
        'reload_conversations', 'reload_conversations'),
    ('contacts', 'contact', 'contact_id', 'phone', false, true, NULL, 'contacts', 'contacts'),
    ('template_sends', 'template_send', 'send_id', 'customer_phone', true, true, NULL,
        'template_sends', 'template_sends'),
    ('tenants', 'tenant', 'user_id', NULL, false, false, NULL, 'tenants', NULL)
) AS k (kind, key_kind, id, phone, makes_lead, profile, messages, queued_kind, dead_letter_kind)
