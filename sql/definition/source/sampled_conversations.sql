-- Some of the conversations: in the given percentage of the pages of their table, where they are the rows of one. It is
-- as the functions that source_rows.sql tells of.
DROP FUNCTION IF EXISTS projector.sampled_conversations(double precision);
CREATE FUNCTION projector.sampled_conversations(percent double precision)
RETURNS TABLE (conversation_id {conversation_id})
LANGUAGE sql
STABLE
AS $definition$
{sampled}
$definition$;
REVOKE EXECUTE ON FUNCTION projector.sampled_conversations(double precision) FROM public;
