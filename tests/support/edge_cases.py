"""Random source rows full of edge cases, within the keys and lengths that the platform's tables allow."""

import itertools
import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from tests.oracle.leads import PLATFORMS, SCORES
from tests.support.source import COLUMNS, KEYS, UNIQUE, Column

Connection = psycopg.Connection[Any]
Row = dict[str, object]
Rows = list[tuple[str, Row]]

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
WHITE_SPACE = (" ", "  ", "\t", "\n", "\v", "\f", "\r", "\r\n", NO_BREAK_SPACE)
# Other programs take these for white space, but the specification does not, so they are printed.
OTHER_SPACE = (
    "\N{EM SPACE}",
    "\N{ZERO WIDTH SPACE}",
    "\N{LINE SEPARATOR}",
    "\N{IDEOGRAPHIC SPACE}",
    "\x1c",
    "\x85",
)

NAMES = (
    "Siddhant",
    "siddhant JAIN",
    "O'Brien",
    'Ann "the boss" Lee',
    "100% Cotton",
    "50% off_now",
    "snake_case",
    "snakeXcase",
    "back\\slash",
    "C:\\new\\table",
    "%",
    "_",
    "\\",
    "%s %(name)s {0} $1 :name",
    "Robert'); DROP TABLE leads;--",
    "😀 Emoji 👩‍👩‍👧‍👦",
    "Ümit Straße",
    "STRASSE",
    "straße",
    "ISTANBUL",
    "İstanbul",
    "\N{LATIN SMALL LETTER DOTLESS I}stanbul",
    "istanbul",
    "ΟΔΥΣΣΕΥΣ",
    "οδυσσευς",
    "οδυσσευσ",
    "Ёлка Иванова",
    "ёлка",
    "محمد علي",
    "山田太郎",
    "김철수",
    "Andrés Núñez",
    "ANDRES nunez",
    "기아",
    "e\N{COMBINING ACUTE ACCENT}te",
    "\N{LATIN SMALL LETTER E WITH ACUTE}t\N{LATIN SMALL LETTER E WITH ACUTE}",
    "\N{KELVIN SIGN}elvin",
    "\N{LATIN CAPITAL LETTER DZ WITH CARON}ep",
    f"no{NO_BREAK_SPACE}break",
    "tab\tinside",
    "line\nfeed",
    "a  b",
    "null",
    "Null\N{ZERO WIDTH SPACE}",
    "<b>bold</b> & co",
    '{"json": [1, 2]}',
    "\x01control\x7f",
    "\ufeffmark",
    "\U00010400 Deseret",
    "\uffff last of the plane",
    "91 89795",
    "a",
    "A",
    "Z",
    "z",
    "x" * 255,
    "😀" * 255,
)
BLANKS = (None, "", " ", "\t", NO_BREAK_SPACE, " \r\n\v\f" + NO_BREAK_SPACE)
EMAILS = (
    "sddhantjaiii@gmail.com",
    "UPPER@Example.COM",
    "o'brien+tag@example.org",
    "under_score@example.org",
    "not an address",
    "ünï@exämple.de",
    "100%@example.org",
)
COMPANIES = ("ACME", "Acme, Inc.", "Müller & Söhne", "株式会社", "R_D", "50%", "\\\\server", "Zürich", "Ærø")
TEXTS = (
    "hi my name is siddhant",
    "",
    " ",
    "multi\nline\r\ntext\t!",
    "quotes \" and ' and \\",
    "100% _sure_",
    "\x01\x02\x1f\x7f",
    "\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}</script>",
    "😀👍🏽",
    "مرحبا",
    "\\x00 \\u0000 \\N",
    "\\.",
    "long " * 2000,
)
STATUS_TAGS = (
    "Hot", "Warm", "Cold", " hot ", "WARM", "cOLD", "\tHot\n", f"{NO_BREAK_SPACE}Cold", "lukewarm", "Hot!",
    "H o t", "", " ", None, "null",
)  # fmt: skip
MESSAGE_STATUSES = (
    "sent",
    "sent",
    "failed",
    "pending",
    "delivered",
    "read",
    "FAILED",
    "Pending",
    " failed",
    "",
    None,
)
SEND_STATUSES = (
    "SENT", "DELIVERED", "READ", "PENDING", "FAILED", "pending", "Failed", " FAILED", "QUEUED", "", None,
)  # fmt: skip
SENDERS = ("user", "user", "agent", "agent", "User", "system", "", None)
ODD_PLATFORMS = ("telegram", "SMS ", "WhatsApp", " webchat", "e-mail", "a_word_of_20_letters", "", None)
ODD_PHONES = (
    "stats",
    "Stats",
    " stats",
    "a/b c",
    "messages",
    "US.1349876543",
    "us.1349876543",
    "+",
    "()",
    "-",
    "++918979556941",
    "+abc",
    "( +91) 123",
    "0",
    "00",
    "+0",
    "1.5-2",
    f"91897{NO_BREAK_SPACE}9556941",
    "91897\t9556941",
    "٩١٨٩٧٩",
    "\N{FULLWIDTH DIGIT NINE}\N{FULLWIDTH DIGIT ONE}",
    "²³",
    "100%",
    "a_b",
    "a%b",
    "a\\b",
    "o'brien",
    'quo"te',
    "😀",
    "İ-session",
    "ΣΑΣ",
    "web?x=1&y=2#z",
    ".",
    "..",
    "~",
)
BLANK_PHONES = ("", " ", "\t", NO_BREAK_SPACE, None)
AGENT_NAMES = ("Test AI Agent", "", " ", None, 'Agent "O\'Neil"', "エージェント", "agent_%", " padded ", "😀")

# Texts of attributes are cut at 2 KiB, between two characters, and all of a lead are kept within 8 KiB of JSON.
LONG_TEXTS = (
    *("x" * place + "😀" * 600 for place in range(4)),
    *("x" * place + "ก" * 800 for place in range(3)),
    *("é" * length for length in (1020, 1024, 1025)),
    *("y" * length for length in (2047, 2048, 2049, 8000)),
    " " * 3000 + "far",
    " " * 65536 + "beyond",
    "\x01" * 1500,
    'quo"te\\' * 250,
)
TAGS = (
    "vip",
    "VIP",
    " vip ",
    "opt in",
    "a,b",
    "a;b",
    "=1+1",
    "é",
    "",
    " ",
    NO_BREAK_SPACE,
    None,
    "\\N",
    "{}",
    "null",
)

EXTREMES = tuple(
    datetime.fromisoformat(text)
    for text in (
        "1970-01-01T00:00:00+00:00",
        "1969-12-31T23:59:59.999999+00:00",
        "0001-01-01T00:00:00.000001+00:00",
        "0001-01-01T00:00:00+00:00",
        "9999-12-31T23:59:59.999998+00:00",
        "9999-12-31T23:59:59.999999+00:00",
        "2000-02-29T12:00:00.500500+00:00",
        "1999-12-31T23:59:59.999500+00:00",
        "2037-12-31T23:59:59.999+00:00",
    )
)

Choice = TypeVar("Choice")


Choose = Callable[[Column], str]
"""Chooses the key of a row that a column refers to."""


class EdgeCases:
    """Makes values and rows. `people` is the number of people of whom a phone is."""

    def __init__(self, rng: random.Random, now: datetime | None = None, people: int = 40) -> None:
        self.rng, self.people = rng, people
        self.now = (now or datetime.now(UTC)).astimezone(UTC)
        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        # Repeating a few moments makes ties; some differ only below the millisecond.
        self._ties = [
            midnight - timedelta(days=days, microseconds=microseconds)
            for days in (0, 1, 7, 30, 100)
            for microseconds in (1, 500, 999, 1000, 1001, 0)
        ]

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def one_of(self, options: Sequence[Choice]) -> Choice:
        return self.rng.choice(options)

    def identifier(self, prefix: str) -> str:
        """Make an identifier that sorts differently bytewise and by language, and probably never repeats."""
        spelled = self.one_of((prefix, prefix.upper(), f"{prefix}_", f"_{prefix}", f"é{prefix}"))
        return f"{spelled}-{self.rng.getrandbits(56):014x}"

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128)))

    def moment(self) -> datetime:
        """Choose a time: often one used before, usually of the last 400 days, rarely an extreme one."""
        lot = self.rng.random()
        if lot < 0.4:
            return self.one_of(self._ties)
        if lot < 0.43:
            return self.one_of(EXTREMES)
        moment = self.now - timedelta(seconds=self.rng.uniform(0, 400 * 86400))
        return moment.replace(
            microsecond=self.one_of((0, 1, 999, 1000, 123_456, 999_999, moment.microsecond))
        )

    def moment_or_none(self, nulls: float = 0.1) -> datetime | None:
        return None if self.chance(nulls) else self.moment()

    def contested_moment(self) -> datetime | None:
        """Choose the time of a row that competes with others: equal to theirs, or close, or none."""
        return self.one_of((*self._ties[:2], None)) if self.chance(0.8) else self.moment()

    def padded(self, text: str) -> str:
        """Put white space around a text, sometimes."""
        if self.chance(0.3):
            text = self.one_of((*WHITE_SPACE, *WHITE_SPACE, *OTHER_SPACE)) + text
        if self.chance(0.3):
            text += self.one_of((*WHITE_SPACE, *WHITE_SPACE, *OTHER_SPACE))
        return text

    def text_or_blank(self, texts: Sequence[str]) -> str | None:
        return self.one_of(BLANKS) if self.chance(0.35) else self.padded(self.one_of(texts))

    def phone(self) -> str | None:
        """Spell the identifier of one of the people, or an odd one, or a blank."""
        lot = self.rng.random()
        if lot < 0.03:
            return self.one_of(BLANK_PHONES)
        if lot < 0.2:
            return self.padded(self.one_of(ODD_PHONES))
        # Some people occur far more often than others, so that a lead can have several rows of each kind.
        return self.spelling(int(self.people * self.rng.random() ** 3))

    def spelling(self, person: int) -> str:
        """Spell the identifier of a person, which is the same person in every run."""
        same = random.Random(person)
        kind = ("whatsapp", "whatsapp", "instagram", "whatsapp", "webchat", "user name")[person % 6]
        if kind == "instagram":
            return f"1784{same.randrange(10**13):013d}"
        if kind == "webchat":
            return self.padded(f"web-{same.getrandbits(24):06x}-s{person}")
        if kind == "user name":
            return self.padded(f"US.{same.randrange(10**10)}x{person}")
        digits = f"91{same.randrange(10**10):010d}"
        return self.one_of(
            (
                digits,
                f"+{digits}",
                f"+{digits[:2]} {digits[2:7]} {digits[7:]}",
                f"({digits[:2]}) {digits[2:7]}.{digits[7:]}",
                f"\t{digits}{NO_BREAK_SPACE}",
                self._scattered(digits),
                self._scattered(digits),
            )
        )

    def _scattered(self, digits: str) -> str:
        marks = [self.one_of(" ().-") if self.chance(0.3) else "" for _ in digits]
        return self.one_of(("", "+", " ", "+ ")) + "".join(map("".join, zip(digits, marks, strict=True)))

    def row(self, table: str, choose: Choose, **columns: object) -> Row:
        """Make a row of a table, with these values of some columns; rarely with only the required ones."""
        is_bare = self.chance(0.05)
        values = {
            column.name: None if is_bare and not column.is_required else self._value(column, choose)
            for column in COLUMNS[table]
            if column.name not in columns
        }
        return {**values, **columns}

    def _value(self, column: Column, choose: Choose) -> object:
        if column.parent:
            return choose(column) if column.is_required or self.chance(0.2) else None
        make = VALUES.get(f"{column.table}.{column.name}") or VALUES.get(column.name)
        if column.is_key and make is None:
            return self.uuid() if column.type == "uuid" else self.identifier(column.name.removesuffix("_id"))
        make = make or OF_TYPE[column.type]
        while not column.takes(value := make(self)):
            pass
        return value


Make = Callable[[EdgeCases], object]


def _id(*prefixes: str) -> Make:
    return lambda cases: cases.identifier(cases.one_of(prefixes))


def _one_of(options: Sequence[object]) -> Make:
    return lambda cases: cases.one_of(options)


def _blank_or(texts: Sequence[str]) -> Make:
    return lambda cases: cases.text_or_blank(texts)


def _score(cases: EdgeCases) -> int | None:
    return None if cases.chance(0.07) else cases.rng.randint(1, 3)


def _attribute(cases: EdgeCases) -> str | None:
    return cases.one_of(LONG_TEXTS) if cases.chance(0.05) else cases.text_or_blank((*NAMES, *TEXTS))


def _tags(cases: EdgeCases) -> list[str | None] | None:
    """Choose few tags, none, or more than are kept."""
    if cases.chance(0.02):
        return [cases.one_of(LONG_TEXTS) for _ in range(cases.rng.randint(1, 5))]
    if cases.chance(0.02):
        return [f"tag {place}" for place in range(cases.one_of((700, 900)))]
    return None if cases.chance(0.3) else [cases.one_of(TAGS) for _ in range(cases.rng.randint(0, 4))]


def _calls_to_action(cases: EdgeCases) -> str | None:
    tags = _tags(cases)
    return None if tags is None else ",".join(tag or "" for tag in tags)


def _seldom_noted(cases: EdgeCases) -> datetime | None:
    return cases.moment_or_none(0.4)


VALUES: dict[str, Make] = {
    "users.user_id": _id("tenant", "tenant 100% \"ü\" 'x'", "789895c8-4bd6-43e9-bfea"),
    "users.email": _one_of(EMAILS),
    "company_name": _one_of(COMPANIES),
    "platform": lambda cases: cases.one_of(ODD_PLATFORMS if cases.chance(0.05) else PLATFORMS),
    "meta_phone_number_id": _one_of((None,)),
    "access_token": _one_of(("secret",)),
    "display_name": _one_of(AGENT_NAMES),
    "agents.name": _one_of(AGENT_NAMES),
    "conversations.last_message_at": _seldom_noted,
    "conversations.is_active": _one_of((True, True, False, None)),
    "messages.message_id": _id("wamid.HBgMOTE4", "out", "m"),
    "sender": _one_of(SENDERS),
    "text": lambda cases: (
        None if cases.chance(0.05) else cases.one_of(TEXTS) + cases.one_of(("", " ", "?", "…"))
    ),
    "messages.status": _one_of(MESSAGE_STATUSES),
    # The copies of an extraction, which nobody trusts.
    "extractions.user_id": _one_of(("somebody else", None)),
    "extractions.customer_phone": _one_of(("0000", None)),
    "extractions.extracted_at": EdgeCases.contested_moment,
    # The latest one is made separately.
    "extractions.is_latest": _one_of((False, None)),
    **dict.fromkeys(SCORES, _score),
    "total_score": lambda cases: None if cases.chance(0.4) else cases.rng.randint(5, 15),
    "lead_status_tag": _one_of(STATUS_TAGS),
    **dict.fromkeys(("requirements", "in_detail_summary", "smart_notification"), _attribute),
    "custom_cta": _calls_to_action,
    "contacts.tags": _tags,
    "contacts.source": _one_of((None, "", "web", "Web", " web ", "referral")),
    "customer_phone": EdgeCases.phone,
    "phone": EdgeCases.phone,
    "email": _blank_or(EMAILS),
    "company": _blank_or(COMPANIES),
    "contacts.updated_at": EdgeCases.contested_moment,
    "templates.name": _one_of(AGENT_NAMES),
    "template_sends.status": _one_of(SEND_STATUSES),
    "template_sends.sent_at": _seldom_noted,
}
"""How values of a column are made: of one table, or of whichever table has it."""

OF_TYPE: dict[str, Make] = {
    **dict.fromkeys(("varchar", "text"), _blank_or(NAMES)),
    **dict.fromkeys(("timestamp", "timestamptz"), EdgeCases.moment_or_none),
    **dict.fromkeys(("integer", "bigint"), lambda cases: cases.one_of((None, cases.rng.randint(-5, 100)))),
    "boolean": _one_of((True, False, None)),
    "uuid": EdgeCases.uuid,
}
"""How values are made for all other columns, which none of our rules reads."""


def _without_doubles(table: str, rows: Sequence[Row]) -> list[Row]:
    """Keep the last of the rows with equal values in unique columns; a null equals nothing."""
    for columns in UNIQUE[table]:
        keys = [tuple(row[column] for column in columns) for row in rows]
        last = {
            (place if None in key else key): row
            for place, (key, row) in enumerate(zip(keys, rows, strict=True))
        }
        rows = list(last.values())
    return list(rows)


def generate(
    rng: random.Random, size: int, *, now: datetime | None = None, tenants: Sequence[str] = ()
) -> Rows:
    """Make about so many conversations and what belongs to them, in an order that foreign keys allow."""
    people = max(size * 2 // 3, 4)
    cases, tables = EdgeCases(rng, now, people), dict[str, list[Row]]()
    # The keys that rows refer to. The last tenant has nothing at all, unless it is the only one.
    keys: dict[str, list[str]] = {}

    def choose(column: Column) -> str:
        return cases.one_of(keys[column.parent])

    def make(table: str, rows: Iterable[Mapping[str, object]], people: int = people) -> None:
        """Make a row for each of these values of some columns, for this number of people."""
        cases.people = people
        tables[table] = _without_doubles(table, [cases.row(table, choose, **columns) for columns in rows])
        keys[table] = [str(row[KEYS[table]]) for row in tables[table]]

    make("users", [{"user_id": tenant} for tenant in tenants] or [{}] * 3)
    keys["users"] = keys["users"][: max(len(keys["users"]) - 1, 1)]
    # Each platform and an odd one, so that every tenant uses all of them.
    platforms = (*PLATFORMS, *[cases.one_of((*PLATFORMS, *ODD_PLATFORMS)) for _ in range(3)])
    make(
        "phone_numbers",
        [{"user_id": user_id, "platform": platform} for user_id in keys["users"] for platform in platforms],
    )
    # Each tenant has one channel without an agent, and one agent without conversations.
    channels = [row for place, row in enumerate(tables["phone_numbers"]) if place % 6 < 5]
    make("agents", [{"user_id": row["user_id"], "phone_number_id": row["id"]} for row in channels])
    keys["agents"] = [key for place, key in enumerate(keys["agents"]) if place % 5 < 4]
    make("conversations", [{}] * size)
    make("messages", [row for key in keys["conversations"] for row in _messages(cases, key)])
    make("extractions", [row for key in keys["conversations"] for row in _extractions(cases, key)])
    # More people than have conversations, so that some contacts are of no lead.
    make("contacts", [{}] * (size * 3 // 2), people * 3 // 2)
    make("templates", [{"phone_number_id": key} for key in keys["phone_numbers"]])
    make("template_sends", [{}] * size, people * 2)
    for table in COLUMNS.keys() - tables.keys():
        make(table, [{}] * size)
    return [(table, row) for table in COLUMNS for row in tables[table]]


def _messages(cases: EdgeCases, conversation_id: str) -> Iterator[Row]:
    # A batch import gives all messages one time and few of them a number.
    is_imported, moment, sequence_no = cases.chance(0.25), cases.moment_or_none(), 0
    for _ in range(cases.one_of((0, 0, 1, 2, 3, 5, 8, 13))):
        sequence_no += cases.one_of((1, 1, 1, 2, 7))
        is_numbered = not cases.chance(0.7 if is_imported else 0.15)
        row: Row = {"conversation_id": conversation_id, "sequence_no": sequence_no if is_numbered else None}
        yield row | ({"timestamp": moment} if is_imported else {})


def _extractions(cases: EdgeCases, conversation_id: str) -> Iterator[Row]:
    is_latest = cases.chance(0.7)
    for _ in range(cases.one_of((0, 0, 1, 1, 2, 3))):
        yield {"conversation_id": conversation_id, "is_latest": is_latest or cases.one_of((False, None))}
        is_latest = False


# The first and the last time of Python stand for earlier and later times of PostgreSQL, and are read back as such.
BEYOND = {datetime.min.replace(tzinfo=UTC): "-infinity", datetime.max.replace(tzinfo=UTC): "infinity"}


def as_written(value: object) -> object:
    """Give a value in a form that a timestamp column takes as UTC, and a timestamptz column as it is."""
    if isinstance(value, datetime):
        if value in BEYOND:
            return BEYOND[value]
        # A timestamp column ignores the offset.
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds") + "+00"
    return value


def write(connection: Connection, rows: Iterable[tuple[str, Mapping[str, object]]]) -> None:
    with connection.transaction():
        for table, group in itertools.groupby(rows, key=lambda item: item[0]):
            copy_rows(connection, table, [row for _, row in group])


def copy_rows(connection: Connection, table: str, rows: Sequence[Mapping[str, object]]) -> None:
    if not rows:
        return
    columns = list(rows[0])
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        for row in rows:
            copy.write_row([as_written(row[column]) for column in columns])
