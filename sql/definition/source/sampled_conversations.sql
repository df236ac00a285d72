-- Some of the conversations, in the given percentage of the pages of the table. It is as the functions that
-- source_rows.sql tells of.
DROP FUNCTION IF EXISTS projector.sampled_conversations(double precision);
CREATE FUNCTION projector.sampled_conversations(percent double precision)
RETURNS TABLE (conversation_id {conversation_id})
LANGUAGE sql
STABLE
AS $definition$
SELECT c.conversation_id::{conversation_id}
FROM {sampled} AS c TABLESAMPLE SYSTEM (percent)
$definition$;
REVOKE EXECUTE ON FUNCTION projector.sampled_conversations(double precision) FROM public;
