"""Samples are made of the examples of properties."""

import pytest

from api.response.openapi.samples import sample


def test_a_property_without_an_example_is_named() -> None:
    with pytest.raises(LookupError, match="no example of"):
        sample({"properties": {"c": {"type": "string", "title": "c"}}}, {})
