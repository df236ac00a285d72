-- Choose which changes of the shards that this transaction owns the next step takes: those of few tenants, on which no
-- other batch works.
--
-- when: choosing
-- Parameters: shards; single_changes and bulk_pieces, how many of either to choose in each shard; single_window and
-- bulk_window, how many of either to look at; rows_per_piece, as in projector.upcoming_changes(); takes_oldest, whether
-- the oldest change of each shard is chosen all the same; group_class (first key of the locks of groups of tenants),
-- groups (their number).
-- Returns: row_ids, where the chosen changes are; drained, whether they are all that this statement could see of the
-- shards. A batch chooses fewer changes than it may look at: where it has chosen all that it looked at, there are no
-- others.
--
-- Which changes are taken is never a matter of exactness: what is left waits in the queue, and holds freshness back. So
-- the tenants are only guessed, and a lock of a group is only tried: it orders nothing. The next phase looks for the
-- tenants of what was taken, and waits for their locks.
--
-- It is one statement, since a lock that is tried tells of the next change whether it is taken, and long since three
-- things are weighed: the order of the queue, the groups of tenants, and the size of a batch.
--
-- A batch leaves half of what it sees to others, unless that would make it small. A group is asked for when the first
-- of its changes is due: the sub-select is sorted before the filter, and LIMIT ends it.
WITH upcoming AS MATERIALIZED (
    SELECT
        u.shard,
        u.bulk,
        u.row_id,
        u.change_id,
        u.is_single,
        u.can_be_taken,
        CASE WHEN u.can_be_taken THEN ARRAY(
            SELECT DISTINCT hashtext(home.user_id) & (%(groups)s - 1) AS number
            FROM unnest(u.keys) AS k (key)
            INNER JOIN projector.change_kinds AS of_key
                ON of_key.change_kind = u.kind AND of_key.letter_kind IS NOT NULL
            CROSS JOIN LATERAL (
                SELECT coalesce(
                    (
                        SELECT sk.user_id
                        FROM projector.source_keys AS sk
                        WHERE sk.kind = of_key.key_kind AND sk.key = k.key
                        LIMIT 1
                    ),
                    (
                        SELECT d.user_id
                        FROM projector.current_keys() AS d
                        WHERE d.kind = of_key.key_kind AND d.key = k.key COLLATE "default"
                        LIMIT 1
                    )
                ) AS user_id
            ) AS home
            WHERE home.user_id IS NOT NULL
            ORDER BY number
        ) ELSE '{}' END AS tenant_groups
    FROM projector.upcoming_changes(
        %(shards)s::smallint[], %(single_window)s::integer, %(bulk_window)s::integer, %(rows_per_piece)s::integer
    ) AS u
),

in_groups AS MATERIALIZED (
    SELECT
        u.*,
        %(takes_oldest)s AND u.tenant_groups <@ first_value(u.tenant_groups) OVER queue AS is_due,
        min(u.change_id) OVER (PARTITION BY u.bulk, u.tenant_groups) AS first_of_group
    FROM upcoming AS u
    WINDOW queue AS (PARTITION BY u.shard, u.bulk ORDER BY u.change_id)
),

chosen AS MATERIALIZED (
    SELECT picked.row_id
    FROM (
        SELECT
            u.shard,
            u.bulk,
            count(*) FILTER (WHERE u.can_be_taken) AS changes,
            CASE
                WHEN u.bulk
                    THEN greatest(
                        %(bulk_pieces)s,
                        least(count(*) FILTER (WHERE u.is_single), %(bulk_pieces)s * %(rows_per_piece)s)
                    )
                ELSE %(single_changes)s
            END AS size
        FROM upcoming AS u
        GROUP BY u.shard, u.bulk
    ) AS part
    CROSS JOIN LATERAL (
        SELECT ordered.row_id
        FROM (
            SELECT
                g.row_id,
                g.tenant_groups,
                g.is_due
            FROM in_groups AS g
            WHERE g.shard = part.shard AND g.bulk = part.bulk AND g.can_be_taken
            ORDER BY g.is_due DESC, g.first_of_group ASC, g.change_id ASC
            OFFSET 0
        ) AS ordered
        WHERE ordered.is_due
            OR (
                SELECT coalesce(bool_and(pg_try_advisory_xact_lock(%(group_class)s, tenants.number)), true)
                FROM unnest(ordered.tenant_groups) AS tenants (number)
            )
        LIMIT least(part.size, greatest(1, part.size / 4, part.changes / 2))
    ) AS picked
)

SELECT
    ARRAY(SELECT chosen.row_id FROM chosen) AS row_ids,
    (SELECT count(*) FROM upcoming) = (SELECT count(*) FROM chosen) AS drained;
