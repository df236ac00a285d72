-- Every change of the status of a lead.
--
-- analyze: read_model.lead_status_changes
WITH profile_keys AS NOT MATERIALIZED (
    SELECT k.*
    FROM projector.source_keys AS k
)

INSERT INTO read_model.lead_status_changes ({columns.lead_status_changes})
SELECT {columns.lead_status_changes of s}
FROM ({definition.status_changes}) AS s;
