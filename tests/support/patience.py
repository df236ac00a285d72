"""How long the tests wait for what has to come."""

PATIENCE = 30.0
"""Seconds after which a wait for a fact fails the test, and says what there is instead."""

UNREACHED = 300.0
"""Seconds of a limit that no test reaches: of a program that does much, or of what is not to end by itself."""
