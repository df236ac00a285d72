-- Note for the found tenants the moment up to which the shards of this transaction were drained. It holds for them
-- until their late keys are done.
--
-- Parameter: moment. A tenant that is late already keeps its earlier moment. The order prevents deadlocks of two
-- transactions.
INSERT INTO read_model.tenants AS t (user_id, late_as_of)
SELECT
    s.user_id,
    %(moment)s
FROM stale_tenants AS s
ORDER BY s.user_id
ON CONFLICT (user_id) DO UPDATE SET late_as_of = least(t.late_as_of, excluded.late_as_of);
