-- Take over where an interrupted rebuild of the version before is, and give up its round of the verify.
DO $$
BEGIN
    IF to_regclass('projector.rebuild_plan') IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO projector.sweep_positions (purpose, version, started_at, phase, after_first, after_second)
    SELECT
        'rebuild',
        p.version,
        p.requested_at,
        CASE WHEN p.cursor_user_id = '' THEN 'keys' ELSE 'leads' END,
        p.cursor_user_id,
        p.cursor_phone
    FROM projector.rebuild_plan AS p;
    DROP TABLE projector.rebuild_plan;
    DELETE FROM projector.verify_rounds WHERE finished_at IS NULL;
    ALTER TABLE projector.verify_rounds
        DROP COLUMN IF EXISTS phase,
        DROP COLUMN IF EXISTS after_first,
        DROP COLUMN IF EXISTS after_second;
END
$$;
