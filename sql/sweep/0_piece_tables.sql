-- The temporary tables of a piece: the leads that wait, and the keys that are wrong, or that somebody asks about.
CREATE TEMPORARY TABLE IF NOT EXISTS waiting_leads (user_id text COLLATE "C", customer_phone text COLLATE "C");

CREATE TEMPORARY TABLE IF NOT EXISTS wrong_keys (kind text COLLATE "C", key text COLLATE "C");
