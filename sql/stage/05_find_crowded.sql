-- The tables of the stage that hold more than some bytes, most of it of rows long deleted.
--
-- Parameters: stage, the names of its tables; room, how many bytes a table may have.
SELECT stage.name
FROM unnest(%(stage)s::text[]) AS stage (name)
WHERE pg_relation_size(to_regclass(stage.name)) > %(room)s;
