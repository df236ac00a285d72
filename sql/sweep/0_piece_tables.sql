-- The temporary tables of a piece: its leads and their keys, the leads that wait and those that differ, and the keys
-- that are wrong, or that somebody asks about.
CREATE TEMPORARY TABLE IF NOT EXISTS piece_leads (user_id text COLLATE "C", customer_phone text COLLATE "C");

CREATE TEMPORARY TABLE IF NOT EXISTS piece_keys (
    kind text COLLATE "C",
    key text COLLATE "C",
    user_id text COLLATE "C",
    customer_phone text COLLATE "C"
);

CREATE TEMPORARY TABLE IF NOT EXISTS waiting_leads (user_id text COLLATE "C", customer_phone text COLLATE "C");

CREATE TEMPORARY TABLE IF NOT EXISTS differing_leads (user_id text COLLATE "C", customer_phone text COLLATE "C");

CREATE TEMPORARY TABLE IF NOT EXISTS wrong_keys (kind text COLLATE "C", key text COLLATE "C");
