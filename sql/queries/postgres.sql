-- The look-ups of projector/postgres.

-- name: has_database
-- Returns whether the server has a database.
--
-- Parameter: database.
SELECT EXISTS (SELECT FROM pg_catalog.pg_database AS d WHERE d.datname = %(database)s);

-- name: has_users
-- Returns whether the platform's tables hold any row of a user.
SELECT EXISTS (SELECT FROM users);

-- name: was_built
-- Returns whether the read model was ever built.
SELECT EXISTS (SELECT FROM read_model.projection AS p WHERE p.built_at IS NOT NULL);
