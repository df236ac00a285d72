-- The leads that a verify leaves out, because something of theirs waits.
CREATE TEMPORARY TABLE IF NOT EXISTS waiting_leads (user_id text COLLATE "C", customer_phone text COLLATE "C");
