"""How long the tests wait for what has to come."""

PATIENCE = 30.0
"""Seconds after which a wait for a fact fails the test, and reports the actual state."""

UNREACHED = 300.0
"""Seconds of a limit that no test reaches: for a program that does much, or that must not end by itself."""
