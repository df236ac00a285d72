-- The id of an extraction in read_model.lead_profiles: a uuid if the platform has such ids, else a text.
DROP FUNCTION IF EXISTS projector.stored_extraction_id;
CREATE FUNCTION projector.stored_extraction_id(of_id {extraction_id})
RETURNS {stored_extraction_id}
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $definition$
SELECT of_id::{stored_extraction_id}
$definition$;

-- The value by which ids of extractions are ordered: numbers by value, texts bytewise.
DROP FUNCTION IF EXISTS projector.extraction_order;
CREATE FUNCTION projector.extraction_order(of_id {extraction_id})
RETURNS {extraction_order}
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $definition$
SELECT {as_extraction_order}
$definition$;
