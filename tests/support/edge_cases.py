"""Random source rows full of edge cases, within the keys and lengths that the platform's tables allow."""

import itertools
import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, get_args, get_type_hints

import psycopg
from psycopg import sql

from tests.oracle.leads import PLATFORMS, Contact, Extraction

Connection = psycopg.Connection[Any]
Row = dict[str, object]
Rows = list[tuple[str, Row]]

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
WHITE_SPACE = (" ", "  ", "\t", "\n", "\v", "\f", "\r", "\r\n", NO_BREAK_SPACE)
# Blank elsewhere, but not to the specification: these make a value that is printed.
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
ODD_PLATFORMS = ("telegram", "WhatsApp", " webchat", "", None)
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

LONGEST = {"phone": 20, "customer_phone": 50, "name": 255}
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


class EdgeCases:
    def __init__(self, rng: random.Random, now: datetime | None = None) -> None:
        self.rng = rng
        self.now = (now or datetime.now(UTC)).astimezone(UTC)
        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        # The same few moments, over and over, make ties; some differ only below the millisecond.
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
        """Make an identifier that sorts differently bytewise and by language, unlikely to be met again."""
        spelled = self.one_of((prefix, prefix.upper(), f"{prefix}_", f"_{prefix}", f"é{prefix}"))
        return f"{spelled}-{self.rng.getrandbits(56):014x}"

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128)))

    def moment(self) -> datetime:
        """Choose a time: often one met before, mostly of the last 400 days, seldom an extreme one."""
        lot = self.rng.random()
        if lot < 0.4:
            return self.one_of(self._ties)
        if lot < 0.43:
            return self.one_of(EXTREMES)
        moment = self.now - timedelta(seconds=self.rng.uniform(0, 400 * 86400))
        return moment.replace(
            microsecond=self.one_of((0, 1, 999, 1000, 123_456, 999_999, moment.microsecond))
        )

    def moment_or_none(self) -> datetime | None:
        return None if self.chance(0.1) else self.moment()

    def contested_moment(self) -> datetime | None:
        """Choose the time of a row that competes with others: equal to theirs, or close, or none."""
        return self.one_of((*self._ties[:2], None)) if self.chance(0.8) else self.moment()

    def padded(self, text: str, longest: int) -> str:
        """Put white space around a text, sometimes, as far as it fits."""
        if self.chance(0.3):
            text = self.one_of((*WHITE_SPACE, *WHITE_SPACE, *OTHER_SPACE)) + text
        if self.chance(0.3):
            text += self.one_of((*WHITE_SPACE, *WHITE_SPACE, *OTHER_SPACE))
        return text[:longest]

    def text_or_blank(self, texts: Sequence[str]) -> str | None:
        if self.chance(0.35):
            return self.one_of(BLANKS)
        return self.padded(self.one_of(texts), LONGEST["name"])

    def phone(self, people: int) -> str | None:
        """Spell the identifier of one of so many people, or an odd one, or a blank."""
        lot = self.rng.random()
        if lot < 0.03:
            return self.one_of(BLANK_PHONES)
        if lot < 0.2:
            return self.padded(self.one_of(ODD_PHONES), LONGEST["customer_phone"])
        # Some people are met far more often than others, so that one lead has several rows of each kind.
        return self.spelling(int(people * self.rng.random() ** 3))

    def spelling(self, person: int) -> str:
        """Spell the identifier of a person, which is the same person in every run."""
        known = random.Random(person)
        kind = ("whatsapp", "whatsapp", "instagram", "whatsapp", "webchat", "user name")[person % 6]
        if kind == "instagram":
            return f"1784{known.randrange(10**13):013d}"
        if kind == "webchat":
            return self.padded(f"web-{known.getrandbits(24):06x}-s{person}", LONGEST["customer_phone"])
        if kind == "user name":
            return self.padded(f"US.{known.randrange(10**10)}x{person}", LONGEST["customer_phone"])
        digits = f"91{known.randrange(10**10):010d}"
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

    def contact_phone(self, people: int) -> str | None:
        phone = self.phone(people)
        while phone is not None and len(phone) > LONGEST["phone"]:
            phone = self.phone(people)
        return phone

    def platform(self) -> str | None:
        return self.one_of(ODD_PLATFORMS) if self.chance(0.05) else self.one_of(PLATFORMS)

    def is_active(self) -> bool | None:
        return self.one_of((True, True, False, None))

    def user(self, user_id: str | None = None) -> Row:
        if user_id is None:
            user_id = self.identifier(
                self.one_of(("tenant", "tenant 100% \"ü\" 'x'", "789895c8-4bd6-43e9-bfea"))
            )
        return {
            "user_id": user_id,
            "email": self.one_of(EMAILS),
            "company_name": self.one_of(COMPANIES),
            "created_at": self.moment_or_none(),
            "updated_at": self.moment_or_none(),
        }

    def channel(self, user_id: str) -> Row:
        return {
            "id": self.identifier("channel"),
            "user_id": user_id,
            "platform": self.platform(),
            "meta_phone_number_id": None,
            "access_token": "secret",
            "display_name": self.one_of(AGENT_NAMES),
        }

    def agent(self, user_id: str, phone_number_id: str) -> Row:
        return {
            "agent_id": self.identifier("agent"),
            "user_id": user_id,
            "phone_number_id": phone_number_id,
            "name": self.one_of(AGENT_NAMES),
        }

    def conversation(self, agent_id: str, people: int) -> Row:
        return {
            "conversation_id": self.identifier("conversation"),
            "agent_id": agent_id,
            "customer_phone": self.phone(people),
            "created_at": self.moment_or_none(),
            "last_message_at": None if self.chance(0.4) else self.moment(),
            "is_active": self.is_active(),
        }

    def message(self, conversation_id: str, sequence_no: int | None) -> Row:
        return {
            "message_id": self.identifier(self.one_of(("wamid.HBgMOTE4", "out", "m"))),
            "conversation_id": conversation_id,
            "sender": self.one_of(SENDERS),
            "text": None if self.chance(0.05) else self.one_of(TEXTS) + self.one_of(("", " ", "?", "…")),
            "timestamp": self.moment_or_none(),
            "status": self.one_of(MESSAGE_STATUSES),
            "sequence_no": sequence_no,
        }

    def extraction(self, conversation_id: str, *, is_latest: bool | None) -> Row:
        """Make an extraction; sometimes all its fields are null."""
        scores: list[int | None] = [self.rng.randint(1, 3) for _ in range(5)]
        if self.chance(0.3):
            scores[self.rng.randrange(5)] = None
        row: Row = {
            "name": self.text_or_blank(NAMES),
            "email": self.text_or_blank(EMAILS),
            "company": self.text_or_blank(COMPANIES),
            "intent_score": scores[0],
            "urgency_score": scores[1],
            "budget_score": scores[2],
            "fit_score": scores[3],
            "engagement_score": scores[4],
            "total_score": None if self.chance(0.4) else self.rng.randint(5, 15),
            "lead_status_tag": self.one_of(STATUS_TAGS),
        }
        known: Row = {
            "extraction_id": self.uuid(),
            "conversation_id": conversation_id,
            "user_id": self.one_of(("somebody else", None)),
            "customer_phone": self.one_of(("0000", None)),
            "extracted_at": self.contested_moment(),
            "is_latest": is_latest,
        }
        completed = self.completed(Extraction, {**known, **row})
        if self.chance(0.1):
            return {**dict.fromkeys(completed), **known}
        return completed

    def contact(self, user_id: str, people: int) -> Row:
        return self.completed(
            Contact,
            {
                "contact_id": self.identifier("contact"),
                "user_id": user_id,
                "phone": self.contact_phone(people),
                "name": self.text_or_blank(NAMES),
                "email": self.text_or_blank(EMAILS),
                "company": self.text_or_blank(COMPANIES),
                "updated_at": self.contested_moment(),
            },
        )

    def completed(self, kind: type, row: Row) -> Row:
        """Add values for the columns that the oracle reads of such a row and that have no rule of their own here."""
        others: Row = {}
        for column, types in get_type_hints(kind).items():
            if column in row:
                continue
            [type_of, *_] = get_args(types) or (types,)
            others[column] = {
                str: lambda: self.text_or_blank(NAMES),
                int: lambda: self.one_of((None, self.rng.randint(-5, 100))),
                bool: lambda: self.one_of((True, False, None)),
                datetime: self.moment_or_none,
            }[type_of]()
        return {**row, **others}

    def template(self, user_id: str, phone_number_id: str) -> Row:
        return {
            "template_id": self.identifier("template"),
            "user_id": user_id,
            "phone_number_id": phone_number_id,
            "name": self.one_of(AGENT_NAMES),
        }

    def template_send(self, template_id: str, conversation_id: str | None, people: int) -> Row:
        """Make a template send; most have no conversation."""
        return {
            "send_id": self.identifier("send"),
            "template_id": template_id,
            "conversation_id": conversation_id,
            "customer_phone": self.phone(people),
            "status": self.one_of(SEND_STATUSES),
            "sent_at": None if self.chance(0.4) else self.moment(),
            "created_at": self.moment_or_none(),
        }


def _without_doubles(rows: Sequence[Row], *columns: str) -> list[Row]:
    """Keep the last of the rows with the same values in these columns; a null is the same as no other."""
    keys = [tuple(row[column] for column in columns) for row in rows]
    found = {
        (place if None in key else key): row for place, (key, row) in enumerate(zip(keys, rows, strict=True))
    }
    return list(found.values())


def generate(
    rng: random.Random, size: int, *, now: datetime | None = None, tenants: Sequence[str] = ()
) -> Rows:
    """Make about so many conversations and what belongs to them, in an order that foreign keys allow."""
    cases = EdgeCases(rng, now)
    people = max(size * 2 // 3, 4)
    users = [cases.user(user_id) for user_id in tenants] or [cases.user() for _ in range(3)]
    # The last tenant has nothing at all, unless it is the only one.
    user_ids = [str(user["user_id"]) for user in users][: max(len(users) - 1, 1)]
    channels = [cases.channel(user_id) for user_id in user_ids for _ in range(6)]
    # Each platform and an odd one, so that every tenant has all of them at work.
    for channel, platform in zip(channels, itertools.cycle((*PLATFORMS, None, None, None)), strict=False):
        channel["platform"] = platform or cases.one_of((*PLATFORMS, *ODD_PLATFORMS))
    owned = [(str(channel["user_id"]), str(channel["id"])) for channel in channels]
    # Each tenant has one channel without an agent, and one agent without conversations.
    agents = [cases.agent(*channel) for place, channel in enumerate(owned) if place % 6 < 5]
    busy = [str(agent["agent_id"]) for place, agent in enumerate(agents) if place % 5 < 4]
    conversations = _without_doubles(
        [cases.conversation(cases.one_of(busy), people) for _ in range(size)],
        *("agent_id", "customer_phone", "is_active"),
    )
    conversation_ids = [str(conversation["conversation_id"]) for conversation in conversations]
    templates = [cases.template(cases.one_of(user_ids), channel_id) for _, channel_id in owned]
    template_ids = [str(template["template_id"]) for template in templates]
    # More people than have conversations, so that some contacts are of no lead.
    contacts = [cases.contact(cases.one_of(user_ids), people * 3 // 2) for _ in range(size * 3 // 2)]
    sends = [
        cases.template_send(
            cases.one_of(template_ids),
            cases.one_of(conversation_ids) if conversation_ids and cases.chance(0.2) else None,
            people * 2,
        )
        for _ in range(size)
    ]
    tables = {
        "users": users,
        "phone_numbers": channels,
        "agents": agents,
        "conversations": conversations,
        "messages": _messages(cases, conversation_ids),
        "extractions": _extractions(cases, conversation_ids),
        "contacts": _without_doubles(contacts, "user_id", "phone"),
        "templates": templates,
        "template_sends": sends,
    }
    return [(table, row) for table, rows in tables.items() for row in rows]


def _messages(cases: EdgeCases, conversation_ids: Sequence[str]) -> list[Row]:
    rows = []
    for conversation_id in conversation_ids:
        # A batch import gives all messages one time and few of them a number.
        imported, moment, sequence_no = cases.chance(0.25), cases.moment_or_none(), 0
        for _ in range(cases.one_of((0, 0, 1, 2, 3, 5, 8, 13))):
            sequence_no += cases.one_of((1, 1, 1, 2, 7))
            unnumbered = cases.chance(0.7 if imported else 0.15)
            row = cases.message(conversation_id, None if unnumbered else sequence_no)
            rows.append({**row, "timestamp": moment} if imported else row)
    return rows


def _extractions(cases: EdgeCases, conversation_ids: Sequence[str]) -> list[Row]:
    rows = []
    for conversation_id in conversation_ids:
        latest = cases.chance(0.7)
        for _ in range(cases.one_of((0, 0, 1, 1, 2, 3))):
            rows.append(cases.extraction(conversation_id, is_latest=latest or cases.one_of((False, None))))
            latest = False
    return rows


# The first and the last time that Python has stand for what PostgreSQL has beyond them, and are read back from it.
BEYOND = {datetime.min.replace(tzinfo=UTC): "-infinity", datetime.max.replace(tzinfo=UTC): "infinity"}


def as_written(value: object) -> object:
    """Give a value in a form that a timestamp column takes as UTC, and a timestamptz column as it is."""
    if isinstance(value, datetime):
        if value in BEYOND:
            return BEYOND[value]
        # A timestamp column takes no notice of the offset.
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
