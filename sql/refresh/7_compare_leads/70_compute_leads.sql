-- Compute the stale leads from their profiles, their conversations and their last messages.
--
-- with lead_profiles = new_profiles
-- with lead_conversations = new_conversations
-- with last_messages = last_messages
INSERT INTO new_leads ({columns.leads})
SELECT {columns.leads of d}
FROM ({definition.leads}) AS d;
