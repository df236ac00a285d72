-- The look-ups of projector/trial/demo: before demo rows are written.

-- name: find_present_users
-- Returns the user_id of each demo tenant that already exists, in order.
--
-- Parameter: user_ids, the tenants that are to be loaded. users is the platform's table: before the first `migrate`
-- there is no function that reads it.
SELECT u.user_id
FROM {users} AS u
WHERE u.user_id = ANY(%(user_ids)s)
ORDER BY u.user_id COLLATE "C";
