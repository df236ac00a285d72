"""The metrics of a scheduler for Prometheus: what this process counts, and the state of the read model.

`counted` is what the jobs count as they work. `state` is read from the database at a scrape, so that every scheduler
of one database prints the same. `server` serves both over HTTP.
"""
