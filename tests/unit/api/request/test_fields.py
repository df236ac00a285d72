"""The kinds of parameters: what each takes, refuses and says of itself."""

import re

import pytest
from marshmallow import Schema, ValidationError

from api.request.fields import (
    NO_NUL,
    Choice,
    Choices,
    EndMoment,
    Flag,
    Moment,
    Parameter,
    Phone,
    SearchText,
    WholeNumber,
)
from tests.support.cases import cases

FIELDS: dict[str, Parameter] = {
    "text": Parameter("", example="x"),
    "number": WholeNumber("", least=1, greatest=9, example=7),
    "cut": WholeNumber("", least=1, cut_to=5, default=3),
    "choice": Choice("", ("Red", "Blue"), default="Red"),
    "choices": Choices("", ("Red", "Blue"), example="Red"),
    "flag": Flag(""),
    "moment": Moment(""),
    "end": EndMoment(""),
    "search": SearchText(""),
    "phone": Phone(""),
}
DATES = {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}
READER = Schema.from_dict(dict(FIELDS))()


def read(name: str, text: str) -> object:
    return READER.load({name: [text]})[name]


@cases(
    ("name", "text"),
    [
        ("number", "0"),
        ("cut", "-1"),
        ("choice", "green"),
        ("choices", "red,green"),
        ("flag", "yes"),
        ("moment", "yesterday"),
        ("end", "2025-02-30"),
        ("search", "x" * 201),
    ],
)
def test_a_field_says_what_it_takes_when_it_refuses(name: str, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(name, text)
    assert FIELDS[name].takes in str(caught.value)


def test_defaults() -> None:
    assert READER.load({}) == dict.fromkeys(FIELDS) | {"cut": 3, "choice": "Red"}


@cases(
    ("name", "described"),
    [
        ("text", {"type": "string", "pattern": NO_NUL}),
        ("number", {"type": "integer", "minimum": 1, "maximum": 9}),
        ("cut", {"type": "integer", "minimum": 1, "default": 3}),
        ("choice", {"type": "string", "enum": ["Red", "Blue"], "default": "Red"}),
        ("choices", {"type": "array", "items": {"type": "string", "enum": ["Red", "Blue"]}}),
        ("flag", {"type": "boolean"}),
        ("moment", DATES),
        ("end", DATES),
        ("search", {"type": "string", "maxLength": 200, "pattern": NO_NUL}),
        ("phone", {"type": "string", "maxLength": 255, "pattern": NO_NUL}),
    ],
)
def test_what_a_field_says_of_itself(name: str, described: dict[str, object]) -> None:
    assert FIELDS[name].as_openapi() == described


@cases(
    ("name", "example"),
    [
        ("text", "x"),
        ("number", 7),
        ("cut", 3),
        ("choice", "Red"),
        ("choices", ["Red"]),
        ("flag", True),
    ],
)
def test_the_example_of_a_field_is_one_that_it_takes(name: str, example: object) -> None:
    assert FIELDS[name].example == example
    written = ",".join(example) if isinstance(example, list) else str(example)
    assert read(name, written) in (example, tuple(example) if isinstance(example, list) else None)


def test_a_list_is_written_with_commas() -> None:
    assert FIELDS["choices"].style == {"style": "form", "explode": False}
    assert FIELDS["choice"].style == {}


def test_a_text_with_a_nul_is_not_described() -> None:
    assert re.search(NO_NUL, "a\nb")
    assert not re.search(NO_NUL, "a\0b")
