-- The object ids of the tables of the read model on which its answers depend, as one text. A table that was dropped and
-- created again has another id.
--
-- The tables are found by their names, so that the view does not depend on them.
CREATE OR REPLACE VIEW projector.read_model_tables AS
SELECT
    concat_ws(
        ':',
        to_regclass('read_model.leads')::oid,
        to_regclass('read_model.lead_messages')::oid,
        to_regclass('read_model.lead_conversations')::oid,
        to_regclass('read_model.lead_profiles')::oid,
        to_regclass('read_model.tenants')::oid,
        to_regclass('read_model.lead_totals')::oid,
        to_regclass('read_model.lead_counts')::oid,
        to_regclass('read_model.lead_daily_counts')::oid,
        to_regclass('read_model.attribute_counts')::oid,
        to_regclass('read_model.freshness')::oid
    ) COLLATE "C" AS ids;
COMMENT ON VIEW projector.read_model_tables IS 'The object ids of the tables of the read model as the catalog has them now.';
