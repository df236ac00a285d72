-- The id of an extraction as read_model.lead_profiles has it: a uuid where the platform has such ids, else a text.
DROP FUNCTION IF EXISTS projector.stored_extraction_id;
CREATE FUNCTION projector.stored_extraction_id(of_id {extraction_id})
RETURNS {stored_extraction_id}
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $definition$
SELECT of_id::{stored_extraction_id}
$definition$;

-- What the ids of extractions are ordered by: numbers by their value, texts bytewise.
DROP FUNCTION IF EXISTS projector.extraction_order;
CREATE FUNCTION projector.extraction_order(of_id {extraction_id})
RETURNS {extraction_order}
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $definition$
SELECT {as_extraction_order}
$definition$;
