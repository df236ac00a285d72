-- The temporary tables of a piece: the waiting leads; the keys that are wrong or to be checked; and the leads that the
-- read model lacked completely, which were brought in with their keys.
CREATE TEMPORARY TABLE IF NOT EXISTS waiting_leads (user_id text COLLATE "C", customer_phone text COLLATE "C");

CREATE TEMPORARY TABLE IF NOT EXISTS wrong_keys (kind text COLLATE "C", key text COLLATE "C");

CREATE TEMPORARY TABLE IF NOT EXISTS missing_leads (
    user_id text COLLATE "C",
    customer_phone text COLLATE "C",
    PRIMARY KEY (user_id, customer_phone)
);
