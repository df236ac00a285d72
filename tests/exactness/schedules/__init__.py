"""Every schedule of two refreshes and a writer, in small worlds where they meet, on a real PostgreSQL.

A *world* is a handful of rows, some changes that wait, and three statements of the platform. A *schedule* says in which
order the sessions take their steps: two refreshes, A and B, and the writer, W. The steps of a refresh are what lies
between the points of a batch: take, find, lock, recompute, merge, commit. The steps of the writer are its statements,
each with a commit of its own, or the commit of a transaction of all three.

- `worlds` has the worlds, and `steps` how each schema writes them.
- `stage` runs the steps of the sessions one at a time, and looks whether what came out is right.
- `footprints` says which steps may change places.
- `explore` goes through the schedules that remain, each once.
"""
