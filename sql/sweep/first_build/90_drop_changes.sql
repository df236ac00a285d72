-- Drop the changes that the build contains: those that its snapshot sees were committed together with their source
-- rows.
--
-- No refresh takes them meanwhile, since the build owns all shards.
WITH dead_letters_dropped AS (
    DELETE FROM projector.dead_letters
),

late_dropped AS (
    DELETE FROM projector.late_keys
)

DELETE FROM projector.changes;
