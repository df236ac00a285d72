"""Tests of the package `projector`."""
