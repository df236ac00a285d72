"""Tests of `projector.verify`."""
