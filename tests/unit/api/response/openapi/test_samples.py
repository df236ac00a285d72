"""Samples are made of the examples of properties."""

import pytest

from api.response.openapi.samples import sample

SCHEMAS = {
    "Inner": {"properties": {"b": {"examples": [1, 2]}, "a": {"examples": [None]}}},
    "Outer": {
        "properties": {
            "list": {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}},
            "own": {"$ref": "#/components/schemas/Inner", "examples": [{"b": 9}]},
        }
    },
}


def test_a_sample_has_the_first_example_of_each_property_in_their_order() -> None:
    found = sample({"$ref": "#/components/schemas/Outer"}, SCHEMAS)
    assert found == {"list": [{"b": 1, "a": None}], "own": {"b": 9}}
    assert list(found["list"][0]) == ["b", "a"]


def test_what_may_be_null_is_shown_as_it_is_otherwise() -> None:
    either = {"anyOf": [{"$ref": "#/components/schemas/Inner"}, {"type": "null"}]}
    assert sample(either, SCHEMAS) == {"b": 1, "a": None}


def test_a_property_without_an_example_is_named() -> None:
    with pytest.raises(LookupError, match="no example of"):
        sample({"properties": {"c": {"type": "string", "title": "c"}}}, {})
