-- A custom field, which is named by its uuid.
SELECT
    c.id AS extraction_id,
    c.id AS conversation_id,
    c.modified_on AS extracted_at,
    c.fields -> '6a1c8f0e-3d2b-4a51-9c7e-0f5b2d8e4a10' ->> 'text' AS lead_status_tag
FROM contacts_contact AS c
WHERE c.fields ? '6a1c8f0e-3d2b-4a51-9c7e-0f5b2d8e4a10';
