-- Find the tenants that the stale keys belong to: by the source rows as they are, and by what the read model last
-- knew.
--
-- point: tenants_found
-- Each look-up is a LATERAL with OFFSET 0: it holds the planner to one index scan per key, however many rows it
-- expects in the staging table.
INSERT INTO stale_tenants (user_id)
SELECT k.user_id
FROM stale_keys AS s
CROSS JOIN LATERAL (
    SELECT sk.user_id
    FROM projector.source_keys AS sk
    WHERE sk.kind = s.kind AND sk.key = s.key
    OFFSET 0
) AS k
UNION
SELECT n.user_id
FROM stale_keys AS s -- noqa: AL05
CROSS JOIN LATERAL (
    SELECT d.user_id
    FROM projector.current_key(s.kind, s.key) AS d
    OFFSET 0
) AS n;
