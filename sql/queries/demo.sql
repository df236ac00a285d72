-- The look-ups of projector/trial/demo: before demo rows are written.

-- name: find_present_users
-- Returns the user_id of each demo tenant that already exists, in order.
--
-- Parameter: user_ids, the tenants that are to be loaded.
SELECT u.user_id
FROM projector.source_users() AS u
WHERE u.user_id = ANY(%(user_ids)s)
ORDER BY u.user_id COLLATE "C";
