"""An address is taken as people write it, and shown without its password."""

import pytest

from projector.database.database_url import normalize, redact


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgres+psycopg2"])
def test_an_address_for_sqlalchemy_is_taken(scheme: str) -> None:
    assert normalize(f" {scheme}://u:p@h/d\n") == "postgresql://u:p@h/d"


def test_redact_leaves_other_words_alone() -> None:
    url = "postgresql://user:pw@host/db?sslmode=require&password=hidden"
    assert redact("a pw and hidden words of host", url) == "a pw and *** words of host"


def test_redact_takes_each_part_of_a_password_that_libpq_may_show() -> None:
    said = redact(
        'could not translate host name "word@host", port "half"', "postgresql://user:half/word@host/db"
    )
    assert said == 'could not translate host name "***@host", port "***"'
