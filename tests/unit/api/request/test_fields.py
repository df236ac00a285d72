"""The kinds of parameters: what each takes, refuses and says of itself."""

import re
from datetime import UTC, datetime

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
    Search,
    SearchText,
    WholeNumber,
)

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


def read(name: str, *texts: str) -> object:
    return READER.load({name: list(texts)})[name]


@pytest.mark.parametrize(
    ("name", "texts", "value"),
    [
        ("text", ["a", "a"], "a"),
        ("number", ["007"], 7),
        ("cut", ["9" * 40], 5),
        ("choice", ["bLUE"], "Blue"),
        ("choices", ["blue,", "RED"], ("Red", "Blue")),
        ("flag", ["TRUE"], True),
        ("flag", ["0"], False),
        ("moment", ["2025-01-31"], datetime(2025, 1, 31, tzinfo=UTC)),
        ("end", ["2025-01-31"], datetime(2025, 1, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
        ("search", ["+1 2"], Search(("+1", "2"), "12")),
        ("phone", ["+1 2"], "12"),
    ],
)
def test_what_a_field_takes(name: str, texts: list[str], value: object) -> None:
    assert read(name, *texts) == value


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("text", ["a", "b"]),
        ("number", ["0"]),
        ("number", ["10"]),
        ("number", ["1.0"]),
        ("cut", ["-1"]),
        ("choice", ["green"]),
        ("choices", [","]),
        ("choices", ["red,green"]),
        ("flag", ["yes"]),
        ("moment", ["yesterday"]),
        ("end", ["2025-02-30"]),
        ("search", ["x" * 201]),
    ],
)
def test_what_a_field_refuses(name: str, texts: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        read(name, *texts)
    assert FIELDS[name].takes in str(caught.value)


def test_defaults() -> None:
    assert READER.load({}) == dict.fromkeys(FIELDS) | {"cut": 3, "choice": "Red"}


@pytest.mark.parametrize(
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


@pytest.mark.parametrize(
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
