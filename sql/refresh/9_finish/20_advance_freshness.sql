-- Note how fresh the shards are: once this transaction commits, the read model contains everything that was committed
-- before fresh_until.
--
-- when: drained
-- Parameters: shards, none if nothing was drained; fresh_until; at_least (an idle refresh moves the row only when it is
-- a second old); is_late, whether late keys wait; clock and set_backs, which were read before. Where a clock was found
-- to have been set back since, all of them are void. The clock is noted once a second also while no shard moves.
-- The first build creates the row; before it, a drained queue says nothing.
-- Refreshes of different shards meet on this row for the moment of their commit, and the second moves it
-- from where the first left it.
--
-- as_of is for every tenant, also one that is late. Only the owner of all shards moves it: no tenant becomes late, and
-- no shard moves, behind the back of its snapshot.
UPDATE read_model.freshness AS f
SET newest_clock = greatest(f.newest_clock, %(clock)s), (as_of, shards) = (
    SELECT
        CASE
            WHEN cardinality(%(shards)s::smallint[]) < cardinality(f.shards) THEN f.as_of
            WHEN %(is_late)s THEN f.as_of
            ELSE min(moved.as_of)
        END,
        array_agg(moved.as_of ORDER BY moved.place)
    FROM (
        SELECT
            s.place,
            CASE
                WHEN s.place - 1 = any(%(shards)s::smallint[])
                    THEN greatest(%(fresh_until)s, s.as_of)
                ELSE s.as_of
            END AS as_of
        FROM unnest(f.shards) WITH ORDINALITY AS s (as_of, place)
    ) AS moved
)
WHERE f.set_backs = %(set_backs)s
    AND (
        f.newest_clock <= %(clock)s - interval '1 s'
        OR EXISTS (
            SELECT 1
            FROM unnest(f.shards) WITH ORDINALITY AS s (as_of, place)
            WHERE s.place - 1 = any(%(shards)s::smallint[])
                AND s.as_of + %(at_least)s::interval <= %(fresh_until)s
        )
    );
