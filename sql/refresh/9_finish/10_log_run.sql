-- Write the row of the run log.
-- when: changes
INSERT INTO projector.runs (kind, started_at, finished_at, outcome, changes, late_keys, leads, messages)
VALUES (
    'refresh', %(started_at)s, clock_timestamp(), 'done', %(changes)s, %(late_keys)s, %(leads)s, %(messages)s
);
