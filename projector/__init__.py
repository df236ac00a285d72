"""The process that keeps the read model of leads equal to its source tables."""
