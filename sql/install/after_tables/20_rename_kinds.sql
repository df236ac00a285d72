-- Give the changes and dead letters of version 0.1 that wait their kind of today.
--
-- The caller owns all shards, so no refresh takes a row that is updated here.
UPDATE projector.changes
SET kind = 'reload_conversations'
WHERE kind = 'resync';
UPDATE projector.dead_letters
SET kind = 'reload_conversations'
WHERE kind = 'resync';
