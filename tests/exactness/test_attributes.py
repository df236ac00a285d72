"""Attributes of leads and conversations: each type of a column, each kind of JSON, what is cut, what is refused."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from secrets import token_hex

import psycopg
import pytest
from psycopg.types.json import Jsonb

from projector.capture.texts import Texts
from projector.core.batch import DEFAULT_BATCH
from projector.core.pipeline import prepare_session
from projector.core.refresh import Drain
from projector.database.locks import SHARDS
from projector.database.rows import Connection
from projector.operate.assess import assess
from projector.operate.assess.facts import PROBLEM
from projector.operate.explain import explain_lead
from projector.operate.install import migrate
from projector.report.errors import ProjectorError
from projector.report.progress import QUIET
from projector.sweep import recovery
from tests.conftest import MakeDatabase
from tests.exactness.platform import Platform, assert_at_rest, rebuild_now, refresh_now, value
from tests.support.cases import repeated
from tests.support.server import Database

# The white space of the specification, a character of four bytes, and one of three.
BLANK, FOUR, THREE = " \t\n\v\f\r\N{NO-BREAK SPACE}", "😀", "ก"
CUT = "… [cut]"

TABLES = """
CREATE TYPE mood AS ENUM ('good', ' bad ', '');
CREATE DOMAIN short AS varchar(20);
CREATE DOMAIN share AS numeric(6, 3);
CREATE TABLE people (id integer PRIMARY KEY, phone text, updated_at timestamptz, {columns});
CREATE TABLE talks (id integer PRIMARY KEY, phone text, made_at timestamptz, {columns});
CREATE TABLE notes (id integer PRIMARY KEY, talk_id integer, {columns});
CREATE INDEX ON notes (talk_id);
CREATE TABLE sayings (id integer PRIMARY KEY, talk_id integer, said text, said_at timestamptz);
CREATE INDEX ON sayings (talk_id);
"""
FILES = {
    "conversations": "SELECT t.id AS conversation_id, 'u' AS user_id, t.phone AS customer_phone,"
    " t.made_at AS created_at{conversations} FROM talks AS t;",
    "messages": "SELECT s.id AS message_id, s.talk_id AS conversation_id, 'user' AS sender, s.said AS text,"
    " s.said_at AS timestamp FROM sayings AS s;",
    "extractions": "SELECT n.id AS extraction_id, n.talk_id AS conversation_id{extractions} FROM notes AS n;",
    "contacts": "SELECT p.id AS contact_id, 'u' AS user_id, p.phone, p.updated_at{contacts} FROM people AS p;",
    "changes": 'SELECT t.id AS "talks.id", t.id AS conversations FROM talks AS t;\n'
    'SELECT s.talk_id AS "sayings.talk_id", s.talk_id AS messages FROM sayings AS s;\n'
    'SELECT n.talk_id AS "notes.talk_id", n.talk_id AS extractions FROM notes AS n;\n'
    'SELECT p.id AS "people.id", p.id AS contacts FROM people AS p;',
}
ALIASES = {"conversations": "t", "extractions": "n", "contacts": "p"}


def mapping(**columns: str) -> Texts:
    """Return the mapping with these further columns of its relations, each a list of expressions."""
    given = {
        relation: "".join(f", {expression}" for expression in _expressions(columns.get(relation, ""), alias))
        for relation, alias in ALIASES.items()
    }
    return Texts({name: text.format(**given) for name, text in FILES.items()})


def _expressions(columns: str, alias: str) -> Iterator[str]:
    """Return what each of these columns is in SELECT: a bare name is a column of the relation's table."""
    for column in filter(None, columns.split("; ")):
        yield f"{alias}.{column}" if column.isidentifier() else re.sub(r"\$(?=\.[a-z])", alias, column)


@pytest.fixture
def platform(make_database: MakeDatabase) -> Iterator[Connection]:
    """The tables of a platform, to which a test adds the columns that it needs, and nothing of ours."""
    with make_database(None).connect() as conn:
        yield conn


def create(conn: Connection, **columns: str) -> None:
    listed = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
    conn.execute(TABLES.format(columns=listed).encode(), prepare=False)


def install(conn: Connection, mapping_: Texts) -> None:
    """Install a read model that reads the tables by a mapping, and build it."""
    assert migrate(conn, create_source=False, mapping=mapping_) == []
    rebuild_now(conn, first=True)


def change(conn: Connection, mapping_: Texts) -> None:
    """Have an installed read model read the tables by another mapping, as a scheduler does after a migrate."""
    notices = migrate(conn, create_source=False, mapping=mapping_)
    assert any("another mapping is read now" in notice for notice in notices)
    recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
    assert_at_rest(conn)


def exact(text: str | None) -> object:
    """Return what JSON has, each number as it is written; the order of an object does not count."""
    return (
        None
        if text is None
        else json.loads(text, parse_int="number {}".format, parse_float="number {}".format)
    )


def attributes(conn: Connection, table: str = "lead_profiles") -> dict[str, tuple[object, int]]:
    """Return the attributes of each lead, and how many are left out, by the phone."""
    query = f"SELECT customer_phone, attributes::text, attributes_left_out FROM read_model.{table}"
    return {
        phone: (exact(stored), left_out)
        for phone, stored, left_out in conn.execute(query.encode()).fetchall()
    }


def assert_stored(stored: dict[str, tuple[object, int]], expected: Sequence[tuple[str | None, int]]) -> None:
    """Assert that the leads with the phones 0, 1 and so on have these attributes, as JSON."""
    pairs = {str(at): (exact(made), left_out) for at, (made, left_out) in enumerate(expected)}
    assert {phone: (pair, pairs[phone]) for phone, pair in stored.items() if pair != pairs[phone]} == {}
    assert stored.keys() == pairs.keys()


# Each: the type of a column, a value as PostgreSQL writes it, and the attribute as JSON; None for none.
VALUES: list[tuple[str, str, str | None]] = [
    ("text", "Pune", '"Pune"'),
    ("text", f"{BLANK}two  rooms{BLANK}", '"two  rooms"'),
    ("text", BLANK, None),
    ("text", "", None),
    ("text", "\N{EM SPACE}", '"\N{EM SPACE}"'),
    ("text", 'a\x01"\\\t\x7fb\uffff', '"a\\u0001\\"\\\\\\t\x7fb\uffff"'),
    ("text", "y" * 2048, f'"{"y" * 2048}"'),
    ("text", "y" * 2049, f'"{"y" * 2039}{CUT}"'),
    ("text", " " * 2048 + "y" * 2048, f'"{"y" * 2048}"'),
    ("text", " " * 65_536 + "beyond", None),
    *(("text", "x" * n + FOUR * 600, f'"{"x" * n}{FOUR * ((2039 - n) // 4)}{CUT}"') for n in range(4)),
    *(("text", "x" * n + THREE * 700, f'"{"x" * n}{THREE * ((2039 - n) // 3)}{CUT}"') for n in range(3)),
    ("varchar(9)", " a b ", '"a b"'),
    ("char(9)", "ab", '"ab"'),
    ("char(9)", "", None),
    ("mood", "good", '"good"'),
    ("mood", " bad ", '"bad"'),
    ("mood", "", None),
    ("short", " a ", '"a"'),
    ("smallint", "-32768", "-32768"),
    ("integer", "0", "0"),
    ("bigint", "9223372036854775807", "9223372036854775807"),
    ("numeric", "10.00", "10"),
    ("numeric", "10.500", "10.5"),
    ("numeric", "-0.00", "0"),
    ("numeric", "1e30", "1" + "0" * 30),
    ("numeric", "1e-30", "0." + "0" * 29 + "1"),
    ("numeric", "123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"),
    ("numeric", "9" * 308 + "." + "1" * 400 + "00", "9" * 308 + "." + "1" * 400),
    ("numeric", "-1" + "0" * 308, None),
    ("numeric", "0." + "0" * 400 + "1", None),
    ("numeric", "12345" * 2000, None),
    ("numeric", "NaN", None),
    ("numeric", "Infinity", None),
    ("numeric", "-Infinity", None),
    ("numeric(9, 4)", "2.5", "2.5"),
    ("share", "0.100", "0.1"),
    ("real", "0.1", "0.1"),
    ("real", "16777216", "16777216"),
    ("real", "NaN", None),
    ("double precision", "0.1", "0.1"),
    ("double precision", "1e21", "1" + "0" * 21),
    ("double precision", "-0", "0"),
    ("double precision", "5e-324", "0." + "0" * 323 + "5"),
    ("double precision", "Infinity", None),
    ("double precision", "-Infinity", None),
    ("boolean", "true", "true"),
    ("boolean", "false", "false"),
    ("date", "2025-02-28", '"2025-02-28"'),
    ("date", "infinity", None),
    ("date", "10000-01-01", '"9999-12-31"'),
    ("date", "-infinity", None),
    ("date", "0044-03-15 BC", '"0001-01-01"'),
    ("timestamp", "2025-02-28 10:00:00.123999", '"2025-02-28T10:00:00.123Z"'),
    ("timestamp", "infinity", None),
    ("timestamptz", "2025-02-28 10:00:00.5+05:30", '"2025-02-28T04:30:00.500Z"'),
    ("timestamptz", "0044-03-15 BC", '"0001-01-01T00:00:00.000Z"'),
    ("timestamptz", "-infinity", None),
    ("timestamptz", "9999-12-31 23:59:59.9999+00", '"9999-12-31T23:59:59.999Z"'),
    ("text[]", '{vip,NULL,""," "," a ","a,b",vip}', '["vip", "a", "a,b", "vip"]'),
    ("text[]", "{}", None),
    ("text[]", '{NULL," "}', None),
    ("text[]", "{{a,b},{c,d}}", '["a", "b", "c", "d"]'),
    ("text[]", "{" + "y" * 3000 + "}", f'["{"y" * 2039}{CUT}"]'),
    ("varchar(9)[]", "{a}", '["a"]'),
    ("char(3)[]", "{a}", '["a"]'),
    ("mood[]", '{good," bad ",""}', '["good", "bad"]'),
    ("short[]", "{a,b}", '["a", "b"]'),
    ("share[]", "{0.100}", "[0.1]"),
    ("integer[]", "{3,NULL,1}", "[3, 1]"),
    ("numeric[]", "{1.50,NaN,2.0}", "[1.5, 2]"),
    ("double precision[]", "{0.1,Infinity}", "[0.1]"),
    ("boolean[]", "{f,t,NULL}", "[false, true]"),
    ("date[]", "{2025-02-28,infinity}", '["2025-02-28"]'),
    ("timestamp[]", "{2025-02-28 10:00}", '["2025-02-28T10:00:00.000Z"]'),
    ("timestamptz[]", "{2025-02-28 10:00+01}", '["2025-02-28T09:00:00.000Z"]'),
]  # fmt: skip
TYPES = {type_: f"v{at}" for at, type_ in enumerate(dict.fromkeys(type_ for type_, _, _ in VALUES))}


def test_a_column_of_each_type_is_an_attribute(platform: Connection) -> None:
    create(platform, **{name: type_ for type_, name in TYPES.items()})
    columns = "; ".join(TYPES.values())
    for at, (type_, text, _) in enumerate(VALUES):
        for table in ("people", "talks"):
            platform.execute(
                f"INSERT INTO {table} (id, phone, {TYPES[type_]}) VALUES (%s, %s, %s)".encode(),
                (at, str(at), text),
            )
    expected = [(None if made is None else f'{{"{TYPES[type_]}": {made}}}', 0) for type_, _, made in VALUES]
    install(platform, mapping(contacts=columns))
    assert_stored(attributes(platform), expected)
    assert_stored(attributes(platform, "lead_conversations"), [(None, 0)] * len(VALUES))
    # The same of conversations, and by a refresh.
    change(platform, mapping(conversations=columns))
    assert_stored(attributes(platform, "lead_conversations"), expected)
    platform.execute("TRUNCATE talks")
    refresh_now(platform)
    assert attributes(platform) == {}
    listed = ", ".join(TYPES.values())
    platform.execute(
        f"INSERT INTO talks (id, phone, {listed}) SELECT id, phone, {listed} FROM people".encode()
    )
    refresh_now(platform)
    assert_at_rest(platform)
    assert_stored(attributes(platform, "lead_conversations"), expected)


# Four attributes of 2,046 bytes each, as they count.
KIB_2 = dict.fromkeys("abcd", "y" * 2037)
DECLARED = {
    "city": "text",
    "budget": "numeric",
    "day": "date",
    "at": "timestamptz",
    "tags": "text[]",
    "vip": "boolean",
}


def _long(size: int, letter: str = "y") -> str:
    """Return so many bytes of JSON, as jsonb prints it too: b, and an object, which is no attribute."""
    head, tail = '{"b": 1, "aa": {"c": "', '"}}'
    letters, rest = divmod(size - len(head) - len(tail), len(letter.encode()))
    return f"{head}{'x' * rest}{letter * letters}{tail}"


# Each: the JSON of a contact, the attributes of the lead as JSON, and how many are left out.
JSON: list[tuple[str | None, str | None, int]] = [
    (None, None, 0),
    ("null", None, 0),
    ('"city"', None, 0),
    ("[1]", None, 0),
    ("{}", None, 0),
    ('{"a": null, "b": "", "c": " \\t\\u00a0", "d": [], "e": [null, " "]}', None, 0),
    ('{"a": " x ", "b": 0, "c": false, "d": true}', '{"a": "x", "b": 0, "c": false, "d": true}', 0),
    ('{"a": 10.0, "b": 1.50e1, "c": -0.0, "d": 1e-3}', '{"a": 10, "b": 15, "c": 0, "d": 0.001}', 0),
    ('{"a": 1, "a": 2}', '{"a": 2}', 0),
    ('{"a": ["x", 1, true, null, " y ", ""]}', '{"a": ["x", 1, true, "y"]}', 0),
    ('{"a": [1.0, 2.50]}', '{"a": [1, 2.5]}', 0),
    # No object, and no list of anything but scalars; `assess` says which.
    ('{"a": {"b": 1}, "c": [{"d": 1}], "e": [[1]], "f": [1, []], "g": 1}', '{"g": 1}', 0),
    # Only names that a parameter can be written with.
    ('{"A": 1, "a-b": 1, "1a": 1, "_a": 1, "": 1, "é": 1, "a b": 1, "a\\n": 1, "a_1": 1}', '{"a_1": 1}', 0),
    (json.dumps({"a" * 40: 1, "a" * 41: 1}), json.dumps({"a" * 40: 1}), 0),
    (
        '{"attributes": 1, "name": "x", "customer_phone": "y"}',
        '{"attributes": 1, "customer_phone": "y", "name": "x"}',
        0,
    ),
    # What jsonb cannot hold goes, and nothing else.
    ('{"a": "x\\u0000", "b": 1}', '{"b": 1}', 1),
    ('{"a": "\\\\u0000", "b": 1}', '{"a": "\\\\u0000", "b": 1}', 0),
    ('{"a": ["\\u0000"], "b": "\\ud83d\\ude00"}', '{"b": "😀"}', 1),
    ('{"a": "\\ud800", "b": "\\udc00", "c": "\\ud800x", "d": "\\ude00\\ud83d", "e": 1}', '{"e": 1}', 4),
    ('{"a": 1e400, "b": 1e30, "c": [1e400, 2]}', '{"b": 1' + "0" * 30 + ', "c": [2]}', 0),
    ('{"a": 1e200000, "b": "1e200000, 2", "c": [1, 1e999999999]}', '{"b": "1e200000, 2"}', 2),
    # More than 64 KiB of text are left out whole, whatever they hold: bytes, not characters.
    (_long(65_536), '{"b": 1}', 0),
    (_long(65_537), None, 1),
    (_long(65_536, "😀"), '{"b": 1}', 0),
    (_long(65_540, "😀"), None, 1),
    ('{"a": 1' + "0" * 140_000 + ', "b": 1}', None, 1),
    ('{"a": "' + r"\u0000" * 300_000 + '"}', None, 1),
    (json.dumps({f"a{at:05}": {} for at in range(50_000)}), None, 1),
    ("[" + "1, " * 50_000 + "1]", None, 1),
    ('{"a": "\\u0000", "b": {"c": 1}, "d": null}', None, 1),
    ('{"a\\u0000": 1, "b": 1}', '{"b": 1}', 0),
    ('["\\u0000"]', None, 0),
    ('"\\u0000"', None, 0),
    ("1e999999999", None, 0),
    ('{"a": "\uffff", "b": ["x\\uffff"], "c": 1}', '{"c": 1}', 2),
    # Each backslash stands for itself or begins an escape, and pairs of surrogates are read from the left.
    (
        r'{"a": "\\\\u0000 \\ud800", "b": "\\\u0000", "c": "\\\ud800", "d": "\u0000"}',
        r'{"a": "\\\\u0000 \\ud800"}',
        3,
    ),
    (
        r'{"a": "\uD83D\uDE00", "b": "\ud800\ud83d\ude00", "c": "\ud83d\ude00\ude00", "d": "\u0000"}',
        '{"a": "😀"}',
        3,
    ),
    # It is beyond the cut, and not seen.
    ('{"a": "' + "y" * 2100 + '\\uffff"}', '{"a": "' + "y" * 2039 + CUT + '"}', 0),
    # A name that is declared has that type.
    (
        '{"city": "Pune", "budget": 10.0, "tags": ["a"], "vip": false}',
        '{"vip": false, "city": "Pune", "tags": ["a"], "budget": 10}',
        0,
    ),
    ('{"city": 1, "budget": "10", "tags": "a", "vip": "true", "x": 1}', '{"x": 1}', 4),
    ('{"city": ["Pune"], "budget": [1], "vip": null, "day": 1, "at": true}', None, 4),
    (
        '{"day": "2025-02-28", "at": "2025-02-28T10:00:00.000Z"}',
        '{"at": "2025-02-28T10:00:00.000Z", "day": "2025-02-28"}',
        0,
    ),
    ('{"day": " 2025-02-28 ", "at": "2025-02-28"}', '{"day": "2025-02-28"}', 1),
    ('{"day": "28.02.2025", "at": "2025-02-28T10:00:00Z"}', None, 2),
    ('{"day": "2025-02-28\\n2", "at": "x2025-02-28T10:00:00.000Z"}', None, 2),
    ('{"day": "٢٠٢٥-٠٢-٢٨", "at": "\N{FULLWIDTH DIGIT TWO}025-02-28T10:00:00.000Z"}', None, 2),
    # What is kept: 64, those that are declared first, then by the bytes of their names.
    (
        json.dumps({**{f"a{at:02}": at for at in range(70)}, "vip": True, "city": "Pune"}),
        json.dumps({**{f"a{at:02}": at for at in range(62)}, "vip": True, "city": "Pune"}),
        8,
    ),
    (json.dumps({f"a{at:02}": 1 for at in range(70)}), json.dumps({f"a{at:02}": 1 for at in range(64)}), 6),
    (json.dumps({f"a{at}": at for at in (1, 10, 2)}), '{"a1": 1, "a2": 2, "a10": 10}', 0),
    # And 8 KiB: {"a": "…", "b": "…"} is as long as it is printed, but for the end.
    (json.dumps(KIB_2 | {"e": 1, "f": 1}), json.dumps(KIB_2 | {"e": 1}), 1),
    (json.dumps(KIB_2 | {"e": 10, "f": 1}), json.dumps(KIB_2), 2),
    # Nothing after one that is too long, not even what would fit.
    (json.dumps({"a": ["y" * 2000] * 5, "b": 1}), None, 2),
    (json.dumps({"city": "y" * 2000, "tags": ["y" * 2000] * 5, "a": 1}), json.dumps({"city": "y" * 2000}), 2),
]


@pytest.mark.parametrize("of_type", ["jsonb", *repeated("json")])
def test_json_is_attributes(platform: Connection, of_type: str) -> None:
    create(platform, **DECLARED, extra=of_type)
    # jsonb does not take all of them.
    refused = {*range(len(JSON))} - {
        at for at, (text, _, _) in enumerate(JSON) if _takes(platform, of_type, text)
    }
    assert len(refused) == (0 if of_type == "json" else 13)
    for at, (text, _, _) in enumerate(JSON):
        for table in ("people", "talks"):
            given = None if at in refused else text
            platform.execute(
                f"INSERT INTO {table} (id, phone, extra) VALUES (%s, %s, %s)".encode(), (at, str(at), given)
            )
    columns = "; ".join([*DECLARED, "$.extra AS attributes"])
    expected = [
        (None, 0) if at in refused else (made, left_out) for at, (_, made, left_out) in enumerate(JSON)
    ]
    install(platform, mapping(contacts=columns))
    assert_stored(attributes(platform), expected)
    change(platform, mapping(conversations=columns))
    assert_stored(attributes(platform, "lead_conversations"), expected)


# Each makes about so many bytes of JSON that jsonb cannot hold, as an attacker would write them.
HOSTILE: dict[str, Callable[[int], str]] = {
    "zeros": lambda size: '{"a": "' + r"\u0000" * (size // 6) + '"}',
    "halves": lambda size: '{"a": "' + r"\ud800" * (size // 6) + '"}',
    "pairs": lambda size: r'{"a": "\u0000", "b": "' + r"\ud83d\ude00" * (size // 12) + '"}',
    "backslashes": lambda size: r'{"a": "\u0000", "b": "' + r"\\" * (size // 2) + '"}',
    "keys": lambda size: json.dumps({f"a{at:04x}": 0 for at in range(size // 12)})[:-1] + ', "b": 1e200000}',
}
MOST = 65_000


@pytest.mark.processor_time
@pytest.mark.parametrize("most", [MOST])
def test_twice_as_much_json_takes_twice_as_long(platform: Connection, most: int) -> None:
    create(platform, extra="json")
    install(platform, mapping(contacts="$.extra AS attributes"))
    ran = Path(f"/proc/{platform.info.backend_pid}/schedstat")

    def nanoseconds(text: str) -> int:
        before = int(ran.read_text().split()[0])
        value(platform, "SELECT length(projector.read_json(%s)::text)", text)
        return int(ran.read_text().split()[0]) - before

    for kind, make in HOSTILE.items():
        half = whole = float("inf")
        # The best of several turns counts, because other work of the machine slows some of them.
        for _ in range(7):
            half, whole = min(half, nanoseconds(make(most // 2))), min(whole, nanoseconds(make(most)))
            if whole <= 2.6 * half:
                break
        else:
            pytest.fail(f"{kind}: {whole / half:.1f} times as long")


@pytest.mark.parametrize("size", [MOST, 300_000])
def test_hostile_json_of_one_tenant_keeps_no_other_waiting(platform: Connection, size: int) -> None:
    create(platform, extra="json")
    files = mapping(contacts="$.extra AS attributes").files
    of_two = {name: text.replace("'u' AS", f"{ALIASES.get(name)}.phone AS") for name, text in files.items()}
    install(platform, Texts(of_two))
    platform.execute("SET track_functions = 'all'")
    for at in range(30):
        extra = [*HOSTILE.values()][at % len(HOSTILE)](size)
        insert(platform, "people", id=at, phone=str(at), extra=extra)
        insert(platform, "talks", id=at, phone=str(at))
    insert(platform, "talks", id=99, phone="99")
    prepare_session(platform)
    # All in one batch: nothing of it fails, and nothing is tried again.
    done = Drain(DEFAULT_BATCH).take_singles(platform, SHARDS)
    assert (done.leads, done.drained) == (31, True)
    assert_at_rest(platform)
    stored = attributes(platform)
    assert stored.pop("99") == (None, 0)
    assert {left_out > 0 for _, left_out in stored.values()} == {True}
    # What is too long is not looked at, and anything else once.
    platform.execute("SELECT pg_stat_force_next_flush()")
    calls = "SELECT calls FROM pg_stat_user_functions WHERE funcname = 'read_json'"
    assert (value(platform, calls) or 0) == (30 if size == MOST else 0)


def _takes(conn: Connection, of_type: str, text: str | None) -> bool:
    try:
        conn.execute(f"SELECT %s::{of_type}".encode(), [text])
    except psycopg.DataError:
        return False
    return True


# Each: what of contacts.sql, extractions.sql and conversations.sql, and the sentence that refuses it.
REFUSED: list[tuple[dict[str, str], str]] = [
    *(
        (
            {"contacts": f"{text} AS made"},
            f"contacts.sql gives made as {type_}, and an attribute is a text, an enum",
        )
        for text, type_ in (
            ("$.phone::uuid", "uuid"),
            ("$.phone::interval", "interval"),
            ("$.phone::money", "money"),
            ("$.phone::time", "time without time zone"),
            ("$.phone::bytea", "bytea"),
            ("$.phone::inet", "inet"),
            ("$.phone::point", "point"),
            ("$.phone::int4range", "int4range"),
            ("$.phone::uuid[]", "uuid[]"),
            ("$.phone::bit(3)", "bit(3)"),
            ("ARRAY[$.extra]", "jsonb[]"),
        )
    ),
    *(
        (
            {"extractions": f"$.extra::{type_} AS made"},
            (
                f"extractions.sql gives made as {type_}, and an attribute is a text, an enum, a number, a boolean, a"
                " date, a timestamp or an array of these: give it as attributes, whose keys are attributes"
            ),
        )
        for type_ in ("json", "jsonb")
    ),
    (
        {"contacts": "$.phone AS attributes"},
        "people.phone, the attributes of contacts.sql, is text, and has to be json or jsonb",
    ),
    (
        {"contacts": "$.extra AS declared_attributes"},
        "contacts.sql gives declared_attributes, which is the name of no",
    ),
    (
        {"conversations": "$.phone AS reply_window"},
        ".phone, the reply_window of conversations.sql, is text, and has to be interval",
    ),
    (
        {"contacts": "$.phone AS reply_window"},
        "contacts.sql gives reply_window, which is the name of no",
    ),
    (
        {"contacts": '$.phone AS "City"'},
        'contacts.sql gives "City", and the name of an attribute has lower-case',
    ),
    ({"contacts": '$.phone AS "a-b"'}, 'contacts.sql gives "a-b", and the name of an attribute'),
    ({"contacts": '$.phone AS "1a"'}, 'contacts.sql gives "1a", and the name of an attribute'),
    ({"contacts": "$.phone AS _a"}, 'contacts.sql gives "_a", and the name of an attribute'),
    (
        {"contacts": f"$.phone AS {'a' * 41}"},
        f'contacts.sql gives "{"a" * 41}", and the name of an attribute',
    ),
    (
        {"contacts": "; ".join(f"$.phone AS a{at}" for at in range(33))},
        (
            "contacts.sql gives 33 columns as attributes, and may give 32: give the others as keys of one column"
            " attributes of type jsonb"
        ),
    ),
    (
        {"contacts": "$.phone AS city", "extractions": "$.id AS city"},
        "extractions.sql gives city as a number and contacts.sql as a text: cast one of them",
    ),
    (
        {"contacts": "ARRAY[$.phone] AS tags", "extractions": "ARRAY[$.id] AS tags"},
        "extractions.sql gives tags as a list of numbers and contacts.sql as a list of texts: cast one of them",
    ),
    (
        {"contacts": "$.phone AS city", "conversations": "$.phone AS city"},
        (
            "contacts.sql and conversations.sql both give city, and an attribute is one of the lead or of the"
            " conversation: rename one of them"
        ),
    ),
    (
        {"contacts": "jsonb_object_keys($.extra) AS key"},
        "function in the SELECT list of contacts.sql returns several",
    ),
]


def test_what_is_no_attribute_is_refused_before_anything_is_installed(platform: Connection) -> None:
    create(platform, extra="jsonb")
    platform.execute("""INSERT INTO people (id, phone, extra) VALUES (1, '1', '{"a": 1, "b": 2}')""")
    failed = {}
    for columns, sentence in REFUSED:
        said = [fact.text for fact in assess(platform, mapping=mapping(**columns)) if fact.state == PROBLEM]
        try:
            migrate(platform, create_source=False, mapping=mapping(**columns))
        except ProjectorError as error:
            said.append(str(error))
        if [sentence in text for text in said] != [True, True]:
            failed[sentence] = said
    assert failed == {}
    assert value(platform, "SELECT to_regnamespace('projector') IS NULL") is True


def test_as_many_as_there_may_be_are_taken(platform: Connection) -> None:
    create(platform, extra="jsonb")
    most = {
        relation: "; ".join(f"$.id AS {alias}{'a' * 37}{at:02}" for at in range(32))
        for relation, alias in ALIASES.items()
    }
    install(platform, mapping(**most))
    platform.execute("INSERT INTO talks (id, phone) VALUES (1, '1')")
    platform.execute("INSERT INTO people (id, phone) VALUES (2, '1')")
    platform.execute("INSERT INTO notes (id, talk_id) VALUES (3, 1)")
    refresh_now(platform)
    assert_at_rest(platform)
    names = [f"{letter}{'a' * 37}{at:02}" for letter in "np" for at in range(32)]
    stored, left_out = attributes(platform)["1"]
    assert stored == dict.fromkeys(names[:32], "number 3") | dict.fromkeys(names[32:], "number 2")
    assert left_out == 0


# Each: the columns of an extraction, its JSON, those of a contact, its JSON, and the attributes of the lead.
MERGED: list[tuple[dict[str, object], object, dict[str, object], object, object, int]] = [
    ({}, None, {}, None, None, 0),
    ({"city": "a"}, {"city": "b"}, {"city": "c"}, {"city": "d"}, {"city": "a"}, 0),
    ({"city": " "}, {"city": "b"}, {"city": "c"}, {"city": "d"}, {"city": "b"}, 0),
    ({}, {"city": " "}, {"city": "c"}, {"city": "d"}, {"city": "c"}, 0),
    ({}, {"city": 1}, {"city": "c"}, {"city": "d"}, {"city": "c"}, 0),
    ({}, {"city": 1}, {"city": ""}, {"city": "d"}, {"city": "d"}, 0),
    ({}, {"city": 1}, {}, {"city": 2}, None, 1),
    ({}, {"city": 1}, {"budget": 2}, {"city": True}, {"budget": "number 2"}, 1),
    ({"budget": 0}, {"vip": False}, {"budget": 1, "vip": True}, {}, {"budget": "number 0", "vip": False}, 0),
    ({"tags": []}, {"tags": [" "]}, {"tags": ["a"]}, {"tags": ["b"]}, {"tags": ["a"]}, 0),
    # What is not declared is of any type, each by itself.
    ({}, {"a": 1, "b": None}, {}, {"a": "x", "b": [2]}, {"a": "number 1", "b": ["number 2"]}, 0),
    ({}, {"a": "\uffff"}, {}, {"a": "x"}, {"a": "x"}, 0),
    ({}, {"a": {"b": 1}}, {}, {"a": "x"}, {"a": "x"}, 0),
    ({}, {f"a{at:02}": 1 for at in range(70)}, {"city": "c"}, {"a99": 1, "vip": True, "a00": 2},
     {f"a{at:02}": "number 1" for at in range(62)} | {"city": "c", "vip": True}, 9),
]  # fmt: skip


def test_of_a_name_the_first_that_has_a_value_counts(platform: Connection) -> None:
    create(platform, **DECLARED, extra="jsonb")
    columns = "; ".join([*DECLARED, "$.extra AS attributes"])
    install(platform, mapping(contacts=columns, extractions=columns))
    for at, (extracted, of_extraction, known_, of_contact, *_) in enumerate(MERGED):
        insert(platform, "talks", id=at, phone=str(at))
        insert(platform, "notes", id=at, talk_id=at, **extracted, extra=of_extraction)
        insert(platform, "people", id=at, phone=f"+{at}", **known_, extra=of_contact)
    refresh_now(platform)
    assert_at_rest(platform)
    pairs = {str(at): (made, left_out) for at, (*_, made, left_out) in enumerate(MERGED)}
    assert attributes(platform) == pairs
    rebuild_now(platform)
    assert attributes(platform) == pairs
    # Only the winner counts, whatever the losers have.
    insert(platform, "people", id=-1, phone="0", updated_at="2025-01-01", city="new")
    insert(platform, "people", id=-2, phone="0", updated_at="2024-01-01", city="old", tags=["old"])
    refresh_now(platform)
    assert attributes(platform)["0"] == ({"city": "new"}, 0)
    assert counts(platform)["lead", "city", "string"] == 7
    platform.execute("UPDATE people SET city = ' ' WHERE id = -1")
    refresh_now(platform)
    assert attributes(platform)["0"] == (None, 0)
    assert counts(platform)["lead", "city", "string"] == 6


def test_a_name_that_is_declared_of_the_other_level_is_left_out_of_json(platform: Connection) -> None:
    """No filter finds it there: an attribute is one of the lead or of the conversation."""
    create(platform, **DECLARED, extra="jsonb")
    install(
        platform,
        mapping(contacts="$.city; $.extra AS attributes", conversations="$.budget; $.extra AS attributes"),
    )
    extra = {"city": "of JSON", "budget": 7, "free": "yes"}
    insert(platform, "talks", id=1, phone="1", budget=5, extra=extra)
    insert(platform, "people", id=1, phone="1", city="Pune", extra=extra)
    insert(platform, "talks", id=2, phone="2", extra=extra)
    insert(platform, "people", id=2, phone="2", extra=extra)
    refresh_now(platform)
    assert_at_rest(platform)
    assert attributes(platform) == {
        "1": ({"city": "Pune", "free": "yes"}, 1),
        "2": ({"city": "of JSON", "free": "yes"}, 1),
    }
    assert attributes(platform, "lead_conversations") == {
        "1": ({"budget": "number 5", "free": "yes"}, 1),
        "2": ({"budget": "number 7", "free": "yes"}, 1),
    }
    explanation = explain_lead(platform, "u", "2")
    assert explanation.left_out == 2
    assert "declared of leads and given by a conversation" in " ".join(explanation.sentences)


def insert(conn: Connection, table: str, **columns: object) -> None:
    values = [Jsonb(value_) if isinstance(value_, dict) else value_ for value_ in columns.values()]
    marks = ", ".join(["%s"] * len(columns))
    conn.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})".encode(), values)


def counts(conn: Connection) -> dict[tuple[str, str, str], int]:
    """Return how many leads have each attribute, by level, name and type of the value."""
    rows = conn.execute("SELECT level, name, value_type, leads FROM read_model.attribute_counts").fetchall()
    return {(level, name, kind): leads for level, name, kind, leads in rows}


def test_a_lead_counts_once_for_all_its_conversations(platform: Connection) -> None:
    """The kind of a value is the first one in the order of letters."""
    create(platform, extra="jsonb")
    install(platform, mapping(conversations="$.extra AS attributes"))
    for at, extra in enumerate(({"a": 1}, {"a": "x", "b": 1}, {"a": [1]}, {}, None)):
        insert(platform, "talks", id=at, phone="1", extra=extra)
    insert(platform, "talks", id=9, phone="2", extra={"a": "x"})
    refresh_now(platform)
    both = {
        ("conversation", "a", "array"): 1,
        ("conversation", "a", "string"): 1,
        ("conversation", "b", "number"): 1,
    }
    assert counts(platform) == both
    # One that moves takes its attributes along; the last one takes the row along.
    platform.execute("UPDATE talks SET phone = '2' WHERE id = 2")
    refresh_now(platform)
    assert counts(platform) == {
        ("conversation", "a", "array"): 1,
        ("conversation", "a", "number"): 1,
        ("conversation", "b", "number"): 1,
    }
    platform.execute("UPDATE talks SET phone = '1' WHERE id IN (2, 9)")
    refresh_now(platform)
    assert counts(platform) == {("conversation", "a", "array"): 1, ("conversation", "b", "number"): 1}
    platform.execute("DELETE FROM talks WHERE id = 1")
    refresh_now(platform)
    assert counts(platform) == {("conversation", "a", "array"): 1}
    platform.execute("DELETE FROM talks")
    refresh_now(platform)
    assert counts(platform) == {}
    assert_at_rest(platform)


INDEXES = (
    "SELECT array_agg(relname::text ORDER BY relname) FROM pg_class WHERE relnamespace = 'read_model'::regnamespace"
    " AND relkind = 'i' AND relname ~ '^(lead|conversation)_(text|number)_'"
)
CATALOG = "SELECT attributes FROM read_model.projection"
VERSION = "SELECT max(version) FROM read_model.tenants"


def test_another_mapping_is_rebuilt_with_its_attributes_and_indexes(platform: Connection) -> None:
    create(platform, **DECLARED, extra="jsonb")
    long = [token_hex(1000) for _ in range(4)]
    insert(platform, "talks", id=1, phone="1", budget=3, at="2025-02-28T10:00:00Z")
    insert(
        platform,
        "people",
        id=1,
        phone="1",
        city="Pune",
        budget=3,
        day="2025-02-28",
        tags=long,
        extra={"a": 1},
    )
    texts = mapping(contacts="city; $.budget::integer AS budget; day")
    install(platform, texts)
    assert attributes(platform)["1"][0] == {"city": "Pune", "budget": "number 3", "day": "2025-02-28"}
    assert value(platform, INDEXES) == ["lead_number_budget", "lead_text_day"]
    assert value(platform, CATALOG) == {
        "declared": [
            {"name": "budget", "type": "number", "of": "lead", "from": ["contacts"]},
            {"name": "city", "type": "text", "of": "lead", "from": ["contacts"]},
            {"name": "day", "type": "date", "of": "lead", "from": ["contacts"]},
        ],
        "spreads": {"lead": [], "conversation": []},
    }
    version = value(platform, VERSION)
    # The same again moves nothing.
    assert migrate(platform, create_source=False, mapping=texts) == []
    assert value(platform, VERSION) == version
    # Another type, another name, a list, JSON, and attributes of conversations.
    texts = mapping(
        contacts="$.budget::text AS budget; $.day AS since; tags; $.extra AS attributes",
        conversations="$.budget AS price; at",
    )
    migrate(platform, create_source=False, mapping=texts)
    assert value(platform, VERSION) > version
    assert value(platform, INDEXES) == [
        "conversation_number_price",
        "conversation_text_at",
        "lead_text_since",
    ]
    assert value(platform, CATALOG)["spreads"] == {"lead": ["contacts"], "conversation": []}
    recovery.refresh_and_heal(platform, retry_failed=False, progress=QUIET)
    now = {"budget": "3", "since": "2025-02-28", "tags": long, "a": "number 1"}
    assert attributes(platform)["1"] == (now, 0)
    of_conversation = {"price": "number 3", "at": "2025-02-28T10:00:00.000Z"}
    assert attributes(platform, "lead_conversations")["1"] == (of_conversation, 0)
    assert {name for _, name, _ in counts(platform)} == now.keys() | of_conversation.keys()
    # An index on what is a time from now on takes what was a long list until it is rebuilt.
    version = value(platform, VERSION)
    change(platform, mapping(contacts="$.day AS tags"))
    assert value(platform, VERSION) > version
    assert value(platform, INDEXES) == ["lead_text_tags"]
    assert attributes(platform)["1"] == ({"tags": "2025-02-28"}, 0)
    assert counts(platform) == {("lead", "tags", "string"): 1}
    # And none at all.
    change(platform, mapping())
    assert value(platform, INDEXES) is None
    assert attributes(platform)["1"] == (None, 0)
    assert counts(platform) == {}


def test_what_a_platform_of_the_reference_lacks_is_no_attribute(
    make_database: MakeDatabase, source_template: Database
) -> None:
    with make_database(source_template).connect() as conn:
        conn.execute("ALTER TABLE contacts DROP COLUMN tags, DROP COLUMN opted_out")
        conn.execute("ALTER TABLE extractions DROP COLUMN requirements, DROP COLUMN custom_cta")
        notices = migrate(conn, create_source=False)
        assert notices == [
            "The platform's table extractions has no column requirements, custom_cta: nothing is known of that.",
            "The platform's table contacts has no column tags, opted_out: nothing is known of that.",
        ]
        rebuild_now(conn, first=True)
        platform = Platform(conn)
        platform.tenant("u")
        platform.contact("u", "1", "Ann")
        platform.send(platform.template("u"), "1")
        conn.execute("UPDATE contacts SET source = 'web'")
        refresh_now(conn)
        assert attributes(conn)["1"] == ({"source": "web"}, 0)
        # They are read once the platform has them, and migrate knows.
        conn.execute(
            "ALTER TABLE contacts ADD COLUMN tags varchar(20)[], ADD COLUMN opted_out boolean DEFAULT true"
        )
        migrate(conn, create_source=False)
        recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
        assert attributes(conn)["1"] == ({"source": "web", "opted_out": True}, 0)
        conn.execute("UPDATE contacts SET tags = '{vip}', opted_out = false")
        refresh_now(conn)
        assert attributes(conn)["1"] == ({"source": "web", "opted_out": False, "tags": ["vip"]}, 0)
        assert_at_rest(conn)


def test_assess_says_which_keys_are_no_attributes_and_what_to_write(platform: Connection) -> None:
    create(platform, extra="jsonb", other="json", tags="text[]")
    extra = {
        "City Name": "Pune", "address": {"city": "Pune", "Post code": 7, "geo": {"x": 1}}, "it's": 1, "2nd": True,
        "orders": [{"id": 3}, {"id": 4}], "ok": "x", "none": None, "NONE": None, "empty": {}, "grid": [[1]],
    }  # fmt: skip
    insert(platform, "talks", id=1, phone="1", other={"Größe": 1})
    insert(platform, "people", id=1, phone="1", extra=extra)
    insert(platform, "people", id=2, phone="2", extra={"City Name": None, "ok": 1, "address": "a text"})

    def said(texts: Mapping[str, str]) -> list[str]:
        facts = assess(platform, mapping=mapping(**texts))
        return [fact.text for fact in facts if fact.text.startswith(("Keys of", "The keys of"))]

    given = {
        "contacts": "$.extra AS attributes",
        "conversations": "$.other AS attributes",
        "extractions": "tags",
    }
    expression = (
        "jsonb_build_object('a_2nd', p.extra -> '2nd', 'city_name', p.extra -> 'City Name', 'address_post_code',"
        " p.extra -> 'address' -> 'Post code', 'address_city', p.extra -> 'address' -> 'city', 'it_s',"
        " p.extra -> 'it''s', 'orders_id', jsonb_path_query_array(p.extra, '$.\"orders\"[*].\"id\"')) || p.extra"
        " AS attributes"
    )
    rest = "'empty' (an object, 1 row), 'grid' (a list of anything but scalars, 1 row)"
    of_contacts = (
        "Keys of attributes in contacts.sql are no attributes: '2nd' (not written as a name, 1 row), 'City Name' (not"
        f" written as a name, 1 row), 'address' (an object, 1 row), {rest}, \"it's\" (not written as a name, 1 row),"
        f" 'orders' (a list of anything but scalars, 1 row). To have them, write {expression}."
    )
    of_conversations = (
        "Keys of attributes in conversations.sql are no attributes: 'Größe' (not written as a name, 1 row). To have"
        " them, write jsonb_build_object('gr_e', t.other::jsonb -> 'Größe') || t.other::jsonb AS attributes."
    )
    assert said(given) == [of_contacts, of_conversations]
    # A mapping as it advises is accepted, and works.
    written = {"contacts": expression.replace("p.extra", "$.extra")}
    assert said(written) == [f"Keys of attributes in contacts.sql are no attributes: {rest}."]
    install(platform, mapping(**written))
    platform.execute("INSERT INTO talks (id, phone) VALUES (2, '2')")
    refresh_now(platform)
    kept = {
        "a_2nd": True, "city_name": "Pune", "address_post_code": "number 7", "address_city": "Pune", "it_s": "number 1",
        "orders_id": ["number 3", "number 4"], "ok": "x",
    }  # fmt: skip
    assert attributes(platform) == {"1": (kept, 0), "2": ({"ok": "number 1", "address": "a text"}, 0)}
    # Of a computed column the expression is not known; JSON that jsonb cannot hold is not looked at.
    platform.execute("""INSERT INTO talks (id, phone, other) VALUES (3, '3', '{"A": "\\u0000"}')""")
    computed, unread = said({**given, "contacts": "$.extra || $.extra AS attributes"})
    assert "… -> 'City Name'" in computed
    assert computed.endswith("… AS attributes, where … is what is attributes now.")
    assert unread.startswith(
        "The keys of attributes in conversations.sql were not looked at: it took too long, or"
    )


def test_a_lead_of_which_attributes_alone_differ_is_written_with_a_new_version(platform: Connection) -> None:
    create(platform, extra="jsonb")
    install(platform, mapping(contacts="$.extra AS attributes", conversations="$.extra AS attributes"))
    insert(platform, "talks", id=1, phone="1", extra={"a": "x"})
    insert(platform, "people", id=1, phone="1", extra={"a": "x"})
    refresh_now(platform)
    version = "SELECT version FROM read_model.leads"
    for table in ("people", "talks"):
        before = value(platform, version)
        # Attributes are the same, whatever the row says.
        platform.execute(f"""UPDATE {table} SET extra = '{{"a": " x ", "B": 1}}'""".encode())
        refresh_now(platform)
        assert value(platform, version) == before
        platform.execute(f"""UPDATE {table} SET extra = '{{"a": "X"}}'""".encode())
        refresh_now(platform)
        assert value(platform, version) > before
    assert_at_rest(platform)
