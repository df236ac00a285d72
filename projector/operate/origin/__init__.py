"""The database from which logical replication brings the source rows."""
