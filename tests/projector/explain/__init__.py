"""Tests of `projector.explain`."""
