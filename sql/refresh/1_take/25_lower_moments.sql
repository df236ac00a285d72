-- Have each moment claim nothing until its shard has drained, because a clock was set back.
--
-- They would promise changes that are not in the read model yet, and no smaller promise can be told from them: what was
-- committed since then has earlier times. That holds for a moment too that the clock has reached once more by now.
--
-- Parameter: clock, a time of this server's clock since it was set back; null if it was the clock of the origin.
UPDATE read_model.freshness AS f
SET
    as_of = 'epoch',
    shards = array_fill('epoch'::timestamptz, ARRAY[cardinality(f.shards)]),
    newest_clock = coalesce(%(clock)s, f.newest_clock),
    set_backs = f.set_backs + 1;
