"""The kinds of properties of an answer: each has what it means, and examples, in its metadata.

The OpenAPI document takes both from there: its descriptions, and the samples of whole answers. The tables of
docs/api.md repeat the descriptions.
"""

from collections.abc import Iterable
from typing import Any

from marshmallow import Schema, fields, validate


class Closed(Schema):
    """An object with the documented keys and no others."""

    class Meta:
        """Makes apispec describe it so."""

        unknown = "raise"


def string(description: str, *examples: str | None, null: bool = False, **more: Any) -> fields.String:  # noqa: ANN401
    """Returns a text; `more` are further keywords of its JSON schema."""
    return fields.String(**_keywords(description, *examples, null=null, **more))


def word(description: str, options: Iterable[str], example: str, *, null: bool = False) -> fields.String:
    """Returns one of a few words."""
    allowed = validate.OneOf([*options, None] if null else [*options])
    return fields.String(validate=allowed, **_keywords(description, example, null=null))


def identifier(description: str, example: str, *, null: bool = False) -> fields.UUID:
    """Returns a UUID."""
    return fields.UUID(**_keywords(description, example, null=null))


def count(description: str, example: int) -> fields.Integer:
    """Returns a number of things."""
    return fields.Integer(validate=validate.Range(0), **_keywords(description, example))


def number(
    description: str, example: int, *, least: int, greatest: int, null: bool = False
) -> fields.Integer:
    """Returns an integer within bounds."""
    bounds = validate.Range(least, greatest)
    return fields.Integer(validate=bounds, **_keywords(description, example, null=null))


def flag(description: str, *, example: bool) -> fields.Boolean:
    """Returns true or false."""
    return fields.Boolean(**_keywords(description, example))


def moment(description: str, example: str, *, null: bool = False) -> fields.DateTime:
    """Returns a time."""
    return fields.DateTime(**_keywords(description, example, null=null))


def part(schema: type[Schema], description: str, *examples: object, null: bool = False) -> fields.Nested:
    """Returns an object within the object; without an example of its own it has that of its schema."""
    return fields.Nested(schema, **_keywords(description, *examples, null=null))


def several(inner: fields.Field[Any], description: str, *examples: object) -> fields.List[Any]:
    """Returns a list; without an example of its own it has one element, with the example of that."""
    return fields.List(inner, **_keywords(description, *examples))


def _keywords(description: str, *examples: object, null: bool = False, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    shown = {"examples": [*examples]} if examples else {}
    return {"required": True, "allow_none": null, "metadata": {"description": description, **shown, **more}}
