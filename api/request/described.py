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
    return fields.String(required=True, allow_none=null, metadata=_metadata(description, examples, **more))


def word(description: str, options: Iterable[str], example: str, *, null: bool = False) -> fields.String:
    """Returns one of a few words."""
    allowed = validate.OneOf([*options, None] if null else [*options])
    metadata = _metadata(description, [example])
    return fields.String(required=True, allow_none=null, validate=allowed, metadata=metadata)


def identifier(description: str, example: str, *, null: bool = False) -> fields.UUID:
    """Returns a UUID."""
    return fields.UUID(required=True, allow_none=null, metadata=_metadata(description, [example]))


def count(description: str, example: int) -> fields.Integer:
    """Returns a number of things."""
    metadata = _metadata(description, [example])
    return fields.Integer(required=True, validate=validate.Range(0), metadata=metadata)


def number(
    description: str, example: int, *, least: int, greatest: int, null: bool = False
) -> fields.Integer:
    """Returns an integer within bounds."""
    bounds = validate.Range(least, greatest)
    metadata = _metadata(description, [example])
    return fields.Integer(required=True, allow_none=null, validate=bounds, metadata=metadata)


def flag(description: str, *, example: bool) -> fields.Boolean:
    """Returns true or false."""
    return fields.Boolean(required=True, metadata=_metadata(description, [example]))


def moment(description: str, example: str, *, null: bool = False) -> fields.DateTime:
    """Returns a time."""
    return fields.DateTime(required=True, allow_none=null, metadata=_metadata(description, [example]))


def part(schema: type[Schema], description: str, *examples: object, null: bool = False) -> fields.Nested:
    """Returns an object within the object; without an example of its own it has that of its schema."""
    return fields.Nested(schema, required=True, allow_none=null, metadata=_metadata(description, examples))


def several(inner: fields.Field[Any], description: str, *examples: object) -> fields.List[Any]:
    """Returns a list; without an example of its own it has one element, with the example of that."""
    return fields.List(inner, required=True, metadata=_metadata(description, examples))


def _metadata(description: str, examples: Iterable[object], **more: Any) -> dict[str, Any]:  # noqa: ANN401
    given = list(examples)
    return {"description": description, **({"examples": given} if given else {}), **more}
