"""`make bench`: every figure is a ratio to a baseline that is measured beside it, in the same run."""
