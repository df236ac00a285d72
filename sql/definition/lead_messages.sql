-- One row per message of the source, in the form of read_model.lead_messages; its conversation tells its lead.
--
-- message_id and conversation_id keep the collation of the source, so that an index of the source can find them.
SELECT
    m.message_id::text AS message_id,
    m.conversation_id::text AS conversation_id,
    projector.clamp_time(coalesce(m.timestamp, 'epoch')::timestamptz) AS sent_at,
    m.sequence_no,
    projector.cut_text(m.sender) COLLATE "C" AS sender,
    CASE WHEN m.status IN ('pending', 'failed') THEN m.status::text ELSE 'sent' END COLLATE "C" AS status,
    projector.cut_text(m.text) COLLATE "C" AS text
FROM {source.messages} AS m
