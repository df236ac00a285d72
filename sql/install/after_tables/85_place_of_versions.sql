-- The place in which versions of tenants are comparable: the installation, the server, the database and the timeline.
--
-- A restore and a failover bring back versions with other rows. The file of a standby has the timeline as of its last
-- checkpoint. The view also shows it to a role that may only read the rows of one tenant.
--
-- The database is the last folder of a table's path: on Citus the server of a tenant answers, and a statement for it
-- cannot read pg_database, which is on one server only. So tokens end when Citus moves a tenant to another server.
CREATE OR REPLACE VIEW read_model.place_of_versions AS
SELECT
    concat_ws(
        '-',
        p.installation_id,
        (SELECT s.system_identifier FROM pg_catalog.pg_control_system() AS s),
        split_part(pg_catalog.pg_relation_filepath('read_model.projection'), '/', -2),
        CASE
            WHEN pg_catalog.pg_is_in_recovery()
                THEN (SELECT upper(to_hex(c.timeline_id)) FROM pg_catalog.pg_control_checkpoint() AS c)
            ELSE ltrim(left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8), '0')
        END
    ) AS place
FROM read_model.projection AS p;
