-- One row for each message of the source, in the form of read_model.lead_messages; its conversation decides its lead.
--
-- message_id and conversation_id keep the type and the collation of the source, so that an index of the source can
-- find them.
DROP FUNCTION IF EXISTS projector.current_messages();
CREATE FUNCTION projector.current_messages()
RETURNS TABLE (
    message_id {message_id},
    conversation_id {conversation_id},
    sent_at timestamptz,
    sequence_no integer,
    sender text,
    status text,
    text text
)
LANGUAGE sql
STABLE
AS $definition$
SELECT
    m.message_id,
    m.conversation_id,
    projector.clamp_time(coalesce(m.timestamp, 'epoch')) AS sent_at,
    m.sequence_no,
    projector.cut_text(m.sender) AS sender,
    CASE WHEN m.status IN ('pending', 'failed') THEN m.status ELSE 'sent' END AS status,
    projector.cut_text(m.text) AS text
FROM projector.source_messages() AS m
$definition$;
