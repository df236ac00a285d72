-- Note the moment that holds for the found tenants until their late keys are done: that up to which the shards of this
-- transaction were drained.
--
-- Parameter: moment. A tenant that is late already keeps the earlier one. The order keeps two transactions from waiting
-- for each other.
INSERT INTO read_model.tenants AS t (user_id, late_as_of)
SELECT
    s.user_id,
    %(moment)s
FROM stale_tenants AS s
ORDER BY s.user_id
ON CONFLICT (user_id) DO UPDATE SET late_as_of = least(t.late_as_of, excluded.late_as_of);
