"""The statements of the change feed go by their index, whatever is filtered."""

from api.database.statement import compile_statement
from api.plan.changes import changes_since, is_changed_since, now_of
from api.request.change_token import Position
from api.request.copy_parameters import CHANGES_QUERY


def test_a_filter_changes_the_statement_and_its_values() -> None:
    texts = set()
    for query in ("", "has_email=true", "search=abc", "platform=webchat", "from_date=2025-01-01"):
        parameters = CHANGES_QUERY.read(query)
        compiled = compile_statement(changes_since("u", Position(3, "49"), 5, parameters.filters))
        assert compiled.has_page
        assert {
            "since_version": 3,
            "since_phone": "49",
            "limit": 5,
            "user_id": "u",
        }.items() <= compiled.values.items()
        texts.add(compiled.text)
    assert len(texts) == 5


def test_each_statement_names_its_tenant() -> None:
    """compile_statement refuses one that reads a table without it."""
    assert compile_statement(now_of("u")).values["user_id"] == "u"
    assert compile_statement(is_changed_since("u", Position(3))).values["user_id"] == "u"
