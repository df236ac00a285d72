-- Lower each moment that the clock has not reached to one that claims nothing, until its shard or tenant has drained.
--
-- Such a moment comes from a clock that was set back since. It would promise changes that are not in the read model
-- yet, and no smaller promise can be told from it: what was committed since then has earlier times.
--
-- Parameter: clock, a time since this transaction began.
UPDATE read_model.freshness AS f
SET (as_of, shards) = (
    SELECT
        CASE WHEN f.as_of > %(clock)s THEN 'epoch' ELSE f.as_of END,
        array_agg(CASE WHEN s.as_of > %(clock)s THEN 'epoch' ELSE s.as_of END ORDER BY s.place)
    FROM unnest(f.shards) WITH ORDINALITY AS s (as_of, place)
);
