SELECT
    c.id AS extraction_id,
    c.id AS conversation_id,
    c.updated_at AS extracted_at,
    c.custom_attributes ->> 'lead_status' AS lead_status_tag,
    c.display_id AS ticket,
    c.additional_attributes AS attributes
FROM conversations AS c
WHERE c.custom_attributes ? 'lead_status';
