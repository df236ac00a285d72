"""The log, the progress and the result of a run."""
