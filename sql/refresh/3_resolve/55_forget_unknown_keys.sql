-- Delete the keys without a lead again, unless another batch has written them.
--
-- when: write
DELETE FROM projector.source_keys AS k
USING stale_keys AS s
WHERE s.old_user_id IS NULL AND k.kind = s.kind AND k.key = s.key AND k.user_id = '';
