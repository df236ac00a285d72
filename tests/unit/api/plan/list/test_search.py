"""The search: what of it changes the statement, and what is bound; and what it finds without accents."""

import sys
import unicodedata
from collections.abc import Iterator
from random import Random

import pytest

from api.config import Config
from api.database.pool import Database as ApiDatabase
from api.plan.list.pages import list_leads
from api.plan.list.search import shape_of
from api.request.kinds import Search
from api.request.query import QUERIES
from api.request.text import without_accents
from projector.database.rows import Connection
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.exactness.platform import Platform
from tests.support.cases import cases
from tests.support.server import Database, Server
from tests.unit.api.conftest import NOW

ACUTE = "\N{COMBINING ACUTE ACCENT}"
HANGUL_IN_PARTS = unicodedata.normalize("NFD", "각")
NAMES = {
    "1": "Andrés Núñez",
    "2": f"ANDRE{ACUTE}S",
    "3": "Andres",
    "4": "Ørsted 50%",
    "5": "Zürich",
    "6": "김철수",
    "7": "기아",
    "8": "Ёлка",
    # A letter and a mark that is no accent, and the two as one letter.
    "9": "か\N{COMBINING KATAKANA-HIRAGANA VOICED SOUND MARK}é",
    "0": "hobXbit",
}


@cases(
    ("search", "uses_index"),
    [
        (Search(("abc", "x"), None), True),
        (Search(("x",), "12345"), True),
        (Search(("x",), "1"), False),
        (Search(("abcé",), None, ignore_accents=True), True),
        # The three letters of a Hangul syllable in parts are one letter without accents.
        (Search((HANGUL_IN_PARTS,), None), True),
        (Search((HANGUL_IN_PARTS,), None, ignore_accents=True), False),
        (Search((HANGUL_IN_PARTS, "abc"), None, ignore_accents=True), True),
    ],
)
def test_whether_the_index_narrows_it(search: Search, *, uses_index: bool) -> None:
    assert shape_of(search).uses_index is uses_index


@pytest.fixture(scope="module")
def named(server: Server, template: Database) -> Iterator[Database]:
    """A tenant with leads of these names."""
    made = server.create("accents", template=template.name)
    with made.connect() as conn:
        world = Platform(conn)
        agent = world.agent(world.tenant("one"))
        for phone, name in NAMES.items():
            world.conversation(agent, phone)
            world.contact("one", phone, name)
        rebuild(conn, tenants=None, progress=QUIET)
    yield made
    server.drop(made)


@pytest.fixture(scope="module")
def api(named: Database) -> Iterator[ApiDatabase]:
    opened = ApiDatabase(Config(named.url))
    yield opened
    opened.close()


def found(api: ApiDatabase, query: str) -> str:
    row = api.fetch(list_leads("one", QUERIES["listLeads"].read(query)).at(NOW))
    phones = [
        phone for phone in NAMES if any(f'"customer_phone":"{phone}"'.encode() in lead for lead in row.page)
    ]
    assert row.total == len(row.page) == len(phones)
    return "".join(phones)


@cases(
    ("search", "with_accents", "without"),
    [
        ("andres", "3", "123"),
        ("ANDR%C3%89S", "1", "123"),
        ("andre%CC%81s", "2", "123"),
        ("nunez+andr%C3%A9s", "", "1"),
        ("n%C3%BA%C3%B1ez+andr%C3%A9s", "1", "1"),
        ("%C3%B1", "1", "123"),
        ("zurich", "", "5"),
        ("%C3%9Crich", "5", "5"),
        ("%D0%B5%D0%BB%D0%BA%D0%B0", "", "8"),
        # Letters of their own, and not others with a mark.
        ("orsted", "", ""),
        ("%C3%B8rsted+50%25", "4", "4"),
        ("%EA%B9%80%EC%B2%A0%EC%88%98", "6", "6"),
        # Not the beginning of another syllable.
        ("%EA%B8%B0", "7", "7"),
        # What is found as it is written is found still, though it becomes another letter.
        ("%E3%81%8B", "9", "9"),
        # No sign stands for others, as in LIKE, and a phone is found by its digits.
        ("hob_bit", "", ""),
        ("%C3%B8rs%2550", "", ""),
        ("%C3%B8rs%5Cted", "", ""),
        ("%2B3", "3", "3"),
        # A mark alone is looked for as it is.
        ("%CC%81", "2", "2"),
    ],
)
def test_what_a_search_finds(api: ApiDatabase, search: str, with_accents: str, without: str) -> None:
    assert found(api, f"search={search}") == with_accents
    assert found(api, f"search={search}&ignore_accents=false") == with_accents
    assert found(api, f"search={search}&ignore_accents=true") == without


def in_postgresql(conn: Connection, texts: list[str]) -> list[str | None]:
    rows = conn.execute(
        "SELECT projector.without_accents(one.text) FROM unnest(%s::text[]) WITH ORDINALITY AS one (text, place)"
        " ORDER BY one.place",
        (texts,),
    ).fetchall()
    return [text for (text,) in rows]


def in_python(conn: Connection, texts: list[str]) -> list[str | None]:
    rows = conn.execute(
        "SELECT lower(one.text), lower(one.plain) FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY"
        " AS one (text, plain, place) ORDER BY one.place",
        (texts, [without_accents(text) for text in texts]),
    ).fetchall()
    return [None if plain == text else plain for text, plain in rows]


def known_characters() -> list[str]:
    """Every character of this Python's Unicode, but NUL and surrogates, which no text in PostgreSQL can have."""
    characters = map(chr, range(1, sys.maxunicode + 1))
    return [letter for letter in characters if unicodedata.category(letter) not in {"Cn", "Co", "Cs"}]


def test_postgresql_and_python_take_off_the_same_accents(connection: Connection) -> None:
    characters = known_characters()
    rng = Random(1)
    letters = [letter for letter in characters if without_accents(letter) != letter]
    marks = [letter for letter in characters if unicodedata.combining(letter)]
    mixed = [
        "".join(
            rng.choice(rng.choice((letters, marks, "aeiouAEIOU김기한か ", characters)))
            for _ in range(rng.randint(2, 6))
        )
        for _ in range(20_000)
    ]
    assert len(letters) > 2000
    for texts in (characters, mixed):
        assert in_postgresql(connection, texts) == in_python(connection, texts)
