"""The scheduler: `projector run`, which keeps the read model exact until it receives a signal.

Any number of schedulers may run against one database. They share the shards of the queue. An advisory lock, which
PostgreSQL releases when a process is killed, protects what only one of them may do.
"""
