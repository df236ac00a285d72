"""Schedules on a real PostgreSQL: in which order sessions take their steps, which lie between the points of a batch.

The model (`tests.exactness.model`) writes them. They are played in two ways:

- `playing` plays a world of the model, with every kind of session, and compares both after each step.
- `stage` plays two refreshes, A and B, and a writer, W, in the worlds of `worlds`, which have all kinds of rows, and
  looks whether what came out is right.

`steps` has how each schema writes a world, `sessions` the sessions that stand at their points, and `resume` where a run
begins.
"""
