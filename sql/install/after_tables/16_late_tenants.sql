-- One row: how many tenants are late, and the as-of of the one furthest behind. It names no tenant.
--
-- It reads with the rights of its owner, as read_model.tenant_ids does. If the reader's rights applied, and showed no
-- tenant, the number would be null, not 0.
CREATE OR REPLACE VIEW read_model.late_tenants AS
SELECT
    CASE WHEN count(*) > 0 THEN count(seen.late_as_of) END AS tenants,
    min(seen.late_as_of) AS as_of
FROM (
    SELECT t.late_as_of
    FROM read_model.tenants AS t
    WHERE t.late_as_of IS NOT NULL
    UNION ALL
    (SELECT NULL::timestamptz AS late_as_of FROM read_model.tenants LIMIT 1)
) AS seen;
