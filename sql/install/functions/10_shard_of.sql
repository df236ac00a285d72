-- The shard of the queue that a key belongs to: 0 to 3.
--
-- Four shards let several projectors share a deep queue; a single one takes from all of them in one transaction.
CREATE OR REPLACE FUNCTION projector.shard_of(key text)
RETURNS smallint
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN (hashtext(coalesce(key, '')) & 3)::smallint;
