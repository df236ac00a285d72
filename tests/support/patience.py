"""How long the tests wait for what has to come."""

PATIENCE = 30.0
"""Seconds after which a wait for a fact fails the test: so long that only a fault takes it, on the busiest machine."""
