-- Note how fresh the shards are: once this transaction commits, the read model contains everything that was committed
-- before fresh_until.
--
-- when: drained
-- Parameters: shards, none if nothing was drained; fresh_until; at_least (an idle refresh moves the row only when it is
-- a second old); is_late, whether late keys wait; clock and set_backs, as read before. If a clock was found set back
-- since then, nothing is noted. The clock is also noted once a second while no shard moves. The first build creates the
-- row; before it, a drained queue proves nothing. Refreshes of different shards wait for this row only during their
-- commits, and the second one updates the result of the first.
--
-- as_of holds for every tenant, also for late ones. Only the owner of all shards moves it, so that no tenant becomes
-- late and no shard moves after its snapshot.
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
