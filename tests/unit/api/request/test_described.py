"""The kinds of properties as the OpenAPI document has them."""

from typing import Any

import pytest
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import fields

from api.request import described


class Inner(described.Closed):
    """An object."""

    one = described.count("One.", 1)


def as_openapi(field: fields.Field[Any]) -> dict[str, Any]:
    plugin = MarshmallowPlugin(schema_name_resolver=lambda _schema: "Inner")
    spec = APISpec("", "", "3.1.0", plugins=[plugin])
    assert plugin.converter is not None
    spec.components.schema("Inner", schema=Inner)
    return dict(plugin.converter.field2property(field))


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (described.string("A.", "x", maxLength=3), {"type": "string", "examples": ["x"], "maxLength": 3}),
        (described.string("A.", None, "x", null=True), {"type": ["string", "null"], "examples": [None, "x"]}),
        (described.word("A.", ("x", "y"), "x"), {"type": "string", "enum": ["x", "y"], "examples": ["x"]}),
        (
            described.word("A.", ("x", "y"), "x", null=True),
            {"type": ["string", "null"], "enum": ["x", "y", None], "examples": ["x"]},
        ),
        (described.identifier("A.", "x"), {"type": "string", "format": "uuid", "examples": ["x"]}),
        (described.count("A.", 2), {"type": "integer", "minimum": 0, "examples": [2]}),
        (
            described.number("A.", 2, least=1, greatest=3, null=True),
            {"type": ["integer", "null"], "minimum": 1, "maximum": 3, "examples": [2]},
        ),
        (described.flag("A.", example=False), {"type": "boolean", "examples": [False]}),
        (described.moment("A.", "x"), {"type": "string", "format": "date-time", "examples": ["x"]}),
        (described.part(Inner, "A."), {"$ref": "#/components/schemas/Inner"}),
        (
            described.part(Inner, "A.", {"one": 2}),
            {"$ref": "#/components/schemas/Inner", "examples": [{"one": 2}]},
        ),
        (
            described.several(fields.Nested(Inner), "A."),
            {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}},
        ),
    ],
)
def test_what_a_kind_says(field: fields.Field[Any], expected: dict[str, Any]) -> None:
    assert field.required
    assert as_openapi(field) == {"description": "A.", **expected}


def test_an_object_has_no_other_keys() -> None:
    assert Inner().unknown == "raise"
