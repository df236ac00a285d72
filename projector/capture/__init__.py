"""Capture: triggers that queue the keys of every changed row of a source table, and the check that they still exist."""
