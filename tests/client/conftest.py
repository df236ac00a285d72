"""The database with leads that the tests of the API read."""

from tests.api.conftest import library

__all__ = ["library"]
