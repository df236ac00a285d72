"""Tests of the projector's metrics."""
