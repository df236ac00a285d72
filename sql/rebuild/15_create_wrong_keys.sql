-- The keys that the key tables lack, have too many or have wrong: found first, then taken a chunk at a time.
CREATE TEMPORARY TABLE IF NOT EXISTS wrong_keys (kind text, key text);
