-- Reset each moment until its shard has drained, because a clock was set back.
--
-- A stored moment would promise changes that are not in the read model yet, because later commits have earlier times,
-- and nothing says how far it is still true. That also holds for a moment that the clock has reached again by now.
--
-- Parameter: clock, a time of this server's clock after it was set back; null if the clock of the origin was set back.
UPDATE read_model.freshness AS f
SET
    as_of = 'epoch',
    shards = array_fill('epoch'::timestamptz, ARRAY[cardinality(f.shards)]),
    newest_clock = coalesce(%(clock)s, f.newest_clock),
    set_backs = f.set_backs + 1;
