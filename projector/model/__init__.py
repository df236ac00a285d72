"""The facts of the model of leads that a sweep, a first build and an erasure need."""
