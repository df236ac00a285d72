"""The database that the source rows come from, where logical replication brings them."""
