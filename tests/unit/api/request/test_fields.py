"""The kinds of parameters: what each takes, refuses and says of itself."""

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
