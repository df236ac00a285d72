"""Schedules on a real PostgreSQL: in which order sessions take their steps, which lie between the points of a batch.

The model (`tests.exactness.model`) writes them. They are played in two ways:

- `playing` plays a world of the model, and compares both after each step.
- `changing` plays the same steps with random changes of all kinds of rows, and looks whether what came out is right.

`sessions` are the sessions that stand at their points, and `reset` gives a database back the rows that it had.
"""
