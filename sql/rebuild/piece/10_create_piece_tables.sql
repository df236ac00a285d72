-- The temporary tables of a piece: its leads, their keys, and those of the leads that differ from the definition.
CREATE TEMPORARY TABLE IF NOT EXISTS piece_leads (user_id text COLLATE "C", customer_phone text COLLATE "C");

CREATE TEMPORARY TABLE IF NOT EXISTS piece_keys (
    kind text COLLATE "C",
    key text COLLATE "C",
    user_id text COLLATE "C",
    customer_phone text COLLATE "C"
);

CREATE TEMPORARY TABLE IF NOT EXISTS differing_leads (user_id text COLLATE "C", customer_phone text COLLATE "C");
