-- The keys that projector.source_keys lacks, has too many or has wrong: found first, then corrected in chunks.
CREATE TEMPORARY TABLE IF NOT EXISTS wrong_keys (kind text COLLATE "C", key text COLLATE "C");
