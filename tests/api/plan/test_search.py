"""The search: what of it changes the statement, and what is bound."""

import pytest

from api.plan.search import SearchShape, bind, condition, shape_of
from api.request.fields import Search
from api.sql_helpers import lead_profiles


@pytest.mark.parametrize(
    ("search", "shape", "values"),
    [
        (Search(("abc",), None), SearchShape((True,), digits=None), {"word_0": "%abc%"}),
        (Search(("ab",), None), SearchShape((False,), digits=None), {"word_0": "ab"}),
        (Search(("a_b%",), None), SearchShape((False,), digits=None), {"word_0": "a_b%"}),
        (Search(("50%_\\x123",), None), SearchShape((True,), digits=None), {"word_0": "%50\\%\\_\\\\x123%"}),
        (Search(("1234",), "1234"), SearchShape((True,), digits=None), {"word_0": "%1234%"}),
        (Search(("+12",), "12"), SearchShape((False,), digits=False), {"word_0": "+12", "digits": "12"}),
        (
            Search(("+123", "4"), "1234"),
            SearchShape((False, True), digits=True),
            {"word_0": "4", "word_1": "%+123%", "digits": "1234"},
        ),
    ],
)
def test_shape_and_values(search: Search, shape: SearchShape, values: dict[str, object]) -> None:
    assert shape_of(search) == shape
    assert bind(search) == values


def test_the_order_and_the_number_of_words_do_not_matter() -> None:
    one, other = Search(("abc", "x", "abc"), None), Search(("x", "abc"), None)
    assert (shape_of(one), bind(one)) == (shape_of(other), bind(other))


@pytest.mark.parametrize(
    ("shape", "uses_index"),
    [
        (SearchShape((True, False), digits=None), True),
        (SearchShape((False,), digits=True), True),
        (SearchShape((False,), digits=False), False),
    ],
)
def test_whether_the_index_narrows_it(shape: SearchShape, *, uses_index: bool) -> None:
    assert shape.uses_index is uses_index


def test_like_is_for_words_that_the_index_finds_alone() -> None:
    indexed, other = (
        str(condition(lead_profiles.c, SearchShape((known,), digits=None))) for known in (True, False)
    )
    assert "LIKE" in indexed
    assert "LIKE" not in other
    assert "strpos" in other
