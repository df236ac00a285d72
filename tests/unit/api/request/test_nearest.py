"""A name that does not exist is answered with a near one, or with none."""

import pytest

from api.request.nearest import nearest
from tests.oracle.parameters import OF_LIST, OF_MESSAGES


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("platfrom", "platform"),
        ("platforms", "platform"),
        ("Platform", "platform"),
        ("platform[]", "platform"),
        ("lead_stauts", "lead_status"),
        ("lead-status", "lead_status"),
        ("leadStatus", "lead_status"),
        ("LeadStatus", "lead_status"),
        ("limt", "limit"),
        ("lmit", "limit"),
        ("limits", "limit"),
        ("ofset", "offset"),
        ("serach", "search"),
        ("day", "days"),
        ("has_mail", "has_email"),
        ("hasextraction", "has_extraction"),
        ("min_score", "min_total_score"),
        ("maxTotalScore", "max_total_score"),
        ("sort_oder", "sort_order"),
        ("customer_phon", "customer_phone"),
        ("form_date", "from_date"),
        ("fromDate", "from_date"),
        # Words of a name, or a name with more words.
        ("status", "lead_status"),
        ("from", "from_date"),
        ("order", "sort_order"),
        ("page_limit", "limit"),
    ],
)
def test_a_typo_finds_the_name(typo: str, meant: str) -> None:
    assert nearest(typo, OF_LIST) == [meant]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("phone", ["customer_phone", "phone_number_id"]),
        ("date_from", ["from_date", "date"]),
        ("id", ["agent_id", "phone_number_id"]),
        ("sort", ["sort_by", "sort_order"]),
        ("score", ["min_total_score", "max_total_score"]),
    ],
)
def test_a_word_of_several_names_finds_them_all(name: str, meant: list[str]) -> None:
    assert nearest(name, OF_LIST) == meant


@pytest.mark.parametrize(
    "name",
    [
        "page", "per_page", "page_size", "size", "q", "query", "filter", "take", "skip", "top", "count",
        "after", "before", "since", "until", "name", "include", "token",
        "api_key", "format", "lang", "locale", "channel", "tag", "key", "x", "", "[]", "nonsense", "\N{SNOWMAN}",
    ],
)  # fmt: skip
def test_a_name_of_another_api_finds_nothing(name: str) -> None:
    assert nearest(name, OF_LIST) == []


def test_the_names_of_an_endpoint_are_those_that_are_found() -> None:
    assert nearest("conversationId", OF_MESSAGES) == ["conversation_id"]
    assert nearest("sendr", OF_MESSAGES) == ["sender"]
    assert nearest("lead_status", OF_MESSAGES) == []
    assert nearest("limit", ()) == []


def test_a_long_name_is_compared_by_its_beginning() -> None:
    assert nearest("limit" + "x" * 100_000, OF_LIST) == []
