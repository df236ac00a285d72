"""The rules of query parameters, straight from the specification: what each takes, and what each filter selects.

A new filter is added in this file only.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from tests.oracle.attributes import Declaration, printed, printed_items
from tests.oracle.leads import (
    STATUSES,
    Agent,
    Conversation,
    Lead,
    LeadMessage,
    Model,
    Source,
    compute_leads,
    place_of_message,
    platform_word,
)
from tests.oracle.values import (
    EPOCH,
    FIRST_MOMENT,
    LAST_MOMENT,
    WHITE_SPACE,
    canonical_phone,
    digits_of_phone,
    trim,
    without_accents,
)

Meaning = TypeVar("Meaning")
Pairs = Sequence[tuple[str, str]]

MILLISECOND = timedelta(milliseconds=1)
DAY = 24 * 60 * 60 * 1000
LARGEST_OFFSET = 2**31 - 1
LONGEST_SEARCH = 200
SORTS = (
    "last_message_at", "first_contact_at", "total_messages", "total_score", "name", "created_at", "waiting_since",
    "reply_window_ends_at", "status_since",
)  # fmt: skip
IGNORED = frozenset({"_", "gclid", "fbclid"})
LISTS = frozenset(
    {"platform", "lead_status", "fields", "include", "with_attributes", "without_attributes", "became"}
)
MOST_ATTRIBUTES, MOST_VALUES = 8, 20
_LEAD = compute_leads(
    Source(
        agents=(Agent(agent_id="a", user_id="u"),),
        conversations=(Conversation(conversation_id="c", agent_id="a", customer_phone="1"),),
    )
).of_tenant("u")["1"]
KEYS = tuple(_LEAD.document())
# The keys that each word of `include` adds to these.
INCLUDED = {
    "attributes": ("attributes",),
    "waiting": tuple(_LEAD.moments())[:3],
    "status_since": ("status_since",),
}
# Parameters with the same meaning, by the bound that they set: a call may give one of each.
SAME_BOUND = {"from": ("from_date", "start_date", "date"), "to": ("to_date", "end_date", "date")}


class BadValueError(Exception):
    """A value that its parameter does not take."""


def milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MILLISECOND


@dataclass(frozen=True, slots=True)
class Bound:
    """The first and the last millisecond that a from_date or to_date names."""

    first: int
    last: int


def has_broken_characters(text: str) -> bool:
    """Return whether a decoded text had a NUL or invalid UTF-8 (which has become lone surrogates)."""
    return any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text)


def words(text: str) -> list[str]:
    return [word for word in re.split(f"[{WHITE_SPACE}]+", text) if word]


def integer(value: str) -> int:
    if not re.fullmatch("-?[0-9]+", value):
        raise BadValueError
    return int(value)


def integer_between(least: int, greatest: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        number = integer(value)
        if not least <= number <= greatest:
            raise BadValueError
        return number

    return read


def limit_up_to(greatest: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        number = integer(value)
        if number < 1:
            raise BadValueError
        return min(number, greatest)

    return read


def word(meanings: Mapping[str, Meaning]) -> Callable[[str], Meaning]:
    def read(value: str) -> Meaning:
        if value.lower() not in meanings:
            raise BadValueError
        return meanings[value.lower()]

    return read


def one_of(*options: str) -> Callable[[str], str]:
    return word({option.lower(): option for option in options})


def platform(value: str) -> str:
    if platform_word(value) is None or trim(value) != value:
        raise BadValueError
    return value.lower()


boolean = word({"true": True, "1": True, "false": False, "0": False})


def search_text(value: str) -> str:
    if len(value) > LONGEST_SEARCH:
        raise BadValueError
    return value


# A blank before a final HH:MM is the + that the query string lost.
DATE = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?P<time>[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]+))?)?"
    r"(?:Z|(?P<sign>[+ -])(?P<offset_hour>[0-9]{2}):(?P<offset_minute>[0-9]{2}))?)?"
)


def date_bound(value: str) -> Bound:
    match = DATE.fullmatch(value)
    if match is None:
        raise BadValueError
    parts = {
        name: int(match[name] or 0) for name in DATE.groupindex if name not in {"time", "sign", "fraction"}
    }
    shift = parts.pop("offset_hour"), parts.pop("offset_minute")
    try:
        moment, offset = milliseconds(datetime(**parts, tzinfo=UTC)), time(*shift)
    except ValueError as error:
        raise BadValueError from error
    if match["time"] is None:
        return Bound(moment, moment + DAY - 1)
    moment += int(((match["fraction"] or "") + "000")[:3])
    ahead = (60 * offset.hour + offset.minute) * 60_000
    moment += ahead if match["sign"] == "-" else -ahead
    return Bound(moment, moment)


def whole_day(value: str) -> Bound:
    if len(value) != len("2025-01-31"):
        raise BadValueError
    return date_bound(value)


def exact_moment(value: str) -> datetime:
    """Read a date, or a date and time, with its microseconds; an offset may be whole hours."""
    if ":" in value and re.fullmatch(r".*:[0-9]{2}(\.[0-9]+)?[+ -][0-9]{2}", value, re.DOTALL):
        value += ":00"
    first = date_bound(value).first
    match = DATE.fullmatch(value)
    digits = ((match and match["fraction"]) or "").ljust(6, "0")
    finer = int(digits[3:6]) + (1 if set(digits[6:]) - {"0"} else 0)
    try:
        return EPOCH + timedelta(milliseconds=first, microseconds=finer)
    except OverflowError:
        return LAST_MOMENT if first > 0 else FIRST_MOMENT


def nothing(_value: str) -> object:
    """Refuse any value: of a cursor, because only the API can make one, and of `attributes` without a name."""
    raise BadValueError


def attribute_name(value: str) -> str:
    if not re.fullmatch("[a-z][a-z0-9_]{0,39}", value):
        raise BadValueError
    return value


Reader = Callable[[str], object]

OTHER_DATES: dict[str, Reader] = {"start_date": date_bound, "end_date": date_bound, "date": whole_day}
OF_LIST: dict[str, Reader] = {
    "platform": platform,
    "lead_status": one_of(*STATUSES.values()),
    "has_extraction": boolean,
    "has_email": boolean,
    "min_total_score": integer_between(5, 15),
    "max_total_score": integer_between(5, 15),
    "days": integer_between(1, 36500),
    "from_date": date_bound,
    "to_date": date_bound,
    "search": search_text,
    "customer_phone": str,
    "sort_by": one_of(*SORTS),
    "sort_order": one_of("asc", "desc"),
    "limit": limit_up_to(100),
    "offset": integer_between(0, LARGEST_OFFSET),
    "cursor": nothing,
    "min_as_of": exact_moment,
    "fields": one_of(*KEYS, *(key for keys in INCLUDED.values() for key in keys)),
    "include": one_of(*INCLUDED),
    **OTHER_DATES,
    "last_message_sender": one_of("user", "agent"),
    "has_conversation": boolean,
    "agent_id": str,
    "phone_number_id": str,
    "is_active": boolean,
    "ignore_accents": boolean,
    "waiting_minutes": integer_between(0, 52_560_000),
    "reply_window": one_of("open", "closed", "none"),
    "reply_window_hours": integer_between(1, 720),
    "became": one_of(*STATUSES.values()),
    "became_days": integer_between(1, 36500),
    "status_days": integer_between(1, 36500),
    "attributes": nothing,
    "with_attributes": attribute_name,
    "without_attributes": attribute_name,
}
OF_MESSAGES: dict[str, Reader] = {
    "platform": platform,
    "sender": one_of("user", "agent"),
    "days": integer_between(1, 36500),
    "from_date": date_bound,
    "to_date": date_bound,
    "conversation_id": str,
    "before": str,
    "after": str,
    "sort_order": one_of("asc", "desc"),
    "limit": limit_up_to(200),
    "offset": integer_between(0, LARGEST_OFFSET),
    "cursor": nothing,
    "min_as_of": exact_moment,
    **OTHER_DATES,
}
OF_ALL: dict[str, Reader] = {"min_as_of": exact_moment}
OF_HISTORY: dict[str, Reader] = {
    "limit": limit_up_to(200),
    "offset": integer_between(0, LARGEST_OFFSET),
    "cursor": nothing,
    "min_as_of": exact_moment,
}
OF_FUNNEL: dict[str, Reader] = {
    "from_date": date_bound,
    "to_date": date_bound,
    "by": one_of("platform", "agent"),
    "min_as_of": exact_moment,
}
OF_SERIES: dict[str, Reader] = {
    "from_date": date_bound,
    "to_date": date_bound,
    "by": one_of("day", "hour"),
    "include": one_of("waiting"),
    "min_as_of": exact_moment,
    **OTHER_DATES,
}


def active_within(lead: Lead, days: int, now: datetime) -> bool:
    return lead.last_message_at is not None and lead.last_message_at >= now - timedelta(hours=24 * days)


def reply_window(lead: Lead, now: datetime) -> str:
    if lead.reply_window_ends_at is None:
        return "none"
    return "open" if lead.reply_window_ends_at > now else "closed"


def _of_dates(moment_of: Callable[[Any], datetime | None]) -> dict[str, Callable[[Any, Any], bool]]:
    def since(row: object, bound: Bound) -> bool:
        moment = moment_of(row)
        return moment is not None and milliseconds(moment) >= bound.first

    def until(row: object, bound: Bound) -> bool:
        moment = moment_of(row)
        return moment is not None and milliseconds(moment) <= bound.last

    return {
        **dict.fromkeys(("from_date", "start_date"), since),
        **dict.fromkeys(("to_date", "end_date"), until),
        "date": lambda row, day: since(row, day) and until(row, day),
    }


@dataclass(frozen=True, slots=True)
class Candidate:
    """A lead that a filter puts into the list or not."""

    model: Model
    lead: Lead
    now: datetime
    # Whether a search ignores accents: if so, it finds the same and more.
    ignore_accents: bool = False
    # In how many last days the lead must have become what is asked for; None for any time.
    became_days: int | None = None


def _waits(candidate: Candidate, minutes: int) -> bool:
    since = candidate.lead.waiting_since
    return since is not None and candidate.now - since >= timedelta(minutes=minutes)


def _became(candidate: Candidate, statuses: frozenset[str]) -> bool:
    moments = [row.changed_at for row in candidate.lead.status_changes if row.lead_status in statuses]
    if candidate.became_days is None:
        return bool(moments)
    within = candidate.now - timedelta(days=candidate.became_days)
    return any(moment >= within and moment > EPOCH for moment in moments)


def _has_status_since(candidate: Candidate, days: int) -> bool:
    since = candidate.lead.status_since
    return since is not None and since > EPOCH and candidate.now - since >= timedelta(days=days)


def _closes_within(candidate: Candidate, hours: int) -> bool:
    ends = candidate.lead.reply_window_ends_at
    return ends is not None and timedelta(0) < ends - candidate.now <= timedelta(hours=hours)


def _matches(candidate: Candidate, text: str) -> bool:
    lead = candidate.lead
    fields = [
        value for value in (lead.name, lead.email, lead.company, lead.customer_phone) if value is not None
    ]
    parts = words(text)
    if _occur(candidate.model, parts, fields):
        return True
    if candidate.ignore_accents:
        # A word that consists only of accents is searched unchanged.
        bare = [without_accents(word) or word for word in parts]
        if _occur(candidate.model, bare, fields) or _occur(
            candidate.model, bare, map(without_accents, fields)
        ):
            return True
    digits = digits_of_phone(text)
    return digits is not None and digits in lead.customer_phone


def _occur(model: Model, parts: Iterable[str], fields: Iterable[str]) -> bool:
    lowered = [model.lower(value) for value in fields]
    return all(any(model.lower(word) in value for value in lowered) for word in parts)


def attribute_of_lead(model: Model, lead: Lead, name: str) -> list[object]:
    """Return the values of an attribute of a lead, and of its conversations, wherever it may be."""
    levels = model.declaration.levels(name)
    rows: list[Any] = [
        *[lead] * ("lead" in levels),
        *(lead.conversations if "conversation" in levels else ()),
    ]
    return [row.attributes[name] for row in rows if row.attributes and name in row.attributes]


def _has_values(candidate: Candidate, asked: Mapping[str, Sequence[str]]) -> bool:
    return all(
        any(
            means(value)
            for value in attribute_of_lead(candidate.model, candidate.lead, name)
            for text in texts
            for means in [value_of_attribute(text, candidate.model.declaration.type_of(name))]
        )
        for name, texts in asked.items()
    )


def value_of_attribute(text: str, type_: str | None) -> Callable[[Any], bool]:
    """Return the condition for a value of an attribute; None is the type of one that is not declared."""
    readers = {"number": _number, "boolean": boolean_word, "date": _date, "time": _moment}
    if type_ in readers:
        return readers[type_](text)
    is_in_range = number_range(text) if type_ is None and is_number_range(text) else None
    return lambda value: (
        text in (printed_items(value) if type_ in (None, "list") else [value])
        or (is_in_range is not None and not isinstance(value, str | bool | list) and is_in_range(value))
    )


def boolean_word(text: str) -> Callable[[Any], bool]:
    flag = word({"true": True, "false": False})(text)
    return lambda value: value is flag


def _number(text: str) -> Callable[[Any], bool]:
    if ".." in text:
        return number_range(text)
    number = _decimal(text)
    return lambda value: Decimal(printed(value)) == number


def number_range(text: str) -> Callable[[Any], bool]:
    least, most = (_decimal(bound) if bound else None for bound in _bounds(text))
    return lambda value: (
        (least is None or Decimal(printed(value)) >= least)
        and (most is None or Decimal(printed(value)) <= most)
    )


def is_number_range(text: str) -> bool:
    try:
        number_range(text)
    except BadValueError:
        return False
    return True


def _decimal(text: str) -> Decimal:
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        raise BadValueError
    return Decimal(text)


def _bounds(text: str) -> tuple[str, str]:
    first, dots, last = text.partition("..")
    first, last = trim(first), trim(last)
    if not dots or ".." in last or not (first or last):
        raise BadValueError
    return first, last


def _span(text: str) -> tuple[int, int]:
    first, last = _bounds(text) if ".." in text else (text, text)
    ends = milliseconds(FIRST_MOMENT), milliseconds(LAST_MOMENT)
    return date_bound(first).first if first else ends[0], date_bound(last).last if last else ends[1]


def _moment(text: str) -> Callable[[Any], bool]:
    first, last = _span(text)
    return lambda value: first <= date_bound(value).first <= last


def _date(text: str) -> Callable[[Any], bool]:
    first, last = _span(text)
    return lambda value: first // DAY <= date_bound(value).first // DAY <= last // DAY


LEAD_FILTERS: dict[str, Callable[[Candidate, Any], bool]] = {
    "platform": lambda candidate, platforms: any(
        platform in candidate.lead.platforms for platform in platforms
    ),
    "lead_status": lambda candidate, statuses: candidate.lead.lead_status in statuses,
    "has_extraction": lambda candidate, flag: candidate.lead.has_extraction is flag,
    "has_email": lambda candidate, flag: (candidate.lead.email is not None) is flag,
    "min_total_score": lambda candidate, least: (
        candidate.lead.total_score is not None and candidate.lead.total_score >= least
    ),
    "max_total_score": lambda candidate, most: (
        candidate.lead.total_score is not None and candidate.lead.total_score <= most
    ),
    "days": lambda candidate, days: active_within(candidate.lead, days, candidate.now),
    **_of_dates(lambda candidate: candidate.lead.last_message_at),
    "search": _matches,
    "customer_phone": lambda candidate, phone: candidate.lead.customer_phone == canonical_phone(phone),
    "last_message_sender": lambda candidate, sender: candidate.lead.last_message_sender == sender,
    "has_conversation": lambda candidate, flag: bool(candidate.lead.conversations) is flag,
    "agent_id": lambda candidate, agent: any(row.agent_id == agent for row in candidate.lead.conversations),
    "phone_number_id": lambda candidate, channel: any(
        row.phone_number_id == channel for row in candidate.lead.conversations
    ),
    "is_active": lambda candidate, flag: any(row.is_active is flag for row in candidate.lead.conversations),
    "waiting_minutes": _waits,
    "reply_window": lambda candidate, word: reply_window(candidate.lead, candidate.now) == word,
    "reply_window_hours": _closes_within,
    "became": _became,
    # With `became`, which knows it from the candidate.
    "became_days": lambda _candidate, _days: True,
    "status_days": _has_status_since,
    "attributes": _has_values,
    "with_attributes": lambda candidate, names: all(
        attribute_of_lead(candidate.model, candidate.lead, name) for name in names
    ),
    "without_attributes": lambda candidate, names: (
        not any(attribute_of_lead(candidate.model, candidate.lead, name) for name in names)
    ),
}
MESSAGE_FILTERS: dict[str, Callable[[LeadMessage, Any], bool]] = {
    "platform": lambda message, platforms: platform_word(message.platform) in platforms,
    "sender": lambda message, sender: message.sender == sender,
    "conversation_id": lambda message, conversation_id: message.conversation_id == conversation_id,
    # The value is the moment at which these days begin.
    "days": lambda message, start: message.timestamp >= start,
    **_of_dates(lambda message: message.timestamp),
    # The value is the message that has the id.
    "before": lambda message, named: place_of_message(message) < place_of_message(named),
    "after": lambda message, named: place_of_message(message) > place_of_message(named),
}


@dataclass(frozen=True, slots=True)
class Read:
    """The parameters of a call: a value for each that is given, or the names of the bad ones."""

    values: dict[str, object] = field(default_factory=dict)
    bad: frozenset[str] = frozenset()
    broken: bool = False

    @property
    def refused(self) -> bool:
        return self.broken or bool(self.bad)


def read_parameters(readers: dict[str, Reader], pairs: Pairs) -> Read:
    bad: set[str] = set()
    broken = any(has_broken_characters(name) or has_broken_characters(value) for name, value in pairs)
    written = _collect(readers, pairs, bad)
    of_attributes = {name: written.pop(name) for name in [*written] if name.startswith("attributes[")}
    values: dict[str, object] = {}
    for name, texts in written.items():
        try:
            if name in LISTS:
                values[name] = _values_of_list(readers[name], texts)
            elif len(set(texts)) > 1:
                bad.add(name)
            else:
                values[name] = readers[name](texts[0])
        except BadValueError:
            bad.add(name)
    bad |= _contradictions(values)
    if of_attributes:
        values["attributes"] = _values_of_attributes(of_attributes, bad)
    return Read(values, frozenset(bad), broken)


def _collect(readers: dict[str, Reader], pairs: Pairs, bad: set[str]) -> dict[str, list[str]]:
    written: dict[str, list[str]] = {}
    for name, value in pairs:
        if name in readers or ("attributes" in readers and re.fullmatch(r"attributes\[[^\[\]]*\]", name)):
            if has_broken_characters(value):
                bad.add(name)
            elif trim(value):
                written.setdefault(name, []).append(trim(value))
        elif name not in IGNORED and not name.startswith("utm_") and not has_broken_characters(name):
            bad.add(name)
    return written


def _values_of_attributes(written: Mapping[str, list[str]], bad: set[str]) -> dict[str, list[str]]:
    if len(written) > MOST_ATTRIBUTES:
        bad.add("attributes")
        return {}
    split = {name: list(_split(texts)) for name, texts in written.items()}
    bad |= {name for name, parts in split.items() if not 0 < len(set(parts)) <= MOST_VALUES}
    bad |= {name for name in split if not re.fullmatch(r"attributes\[[a-z][a-z0-9_]{0,39}\]", name)}
    return {name[len("attributes[") : -1]: parts for name, parts in split.items()}


def _split(texts: Iterable[str]) -> Iterable[str]:
    """Split at the commas that have no backslash before them."""
    for text in texts:
        part = ""
        for piece in text.split(","):
            part += piece
            if part.endswith("\\"):
                part = part[:-1] + ","
            else:
                yield from [trim(part)] * bool(trim(part))
                part = ""
        if trim(part):
            # A backslash at the very end.
            yield trim(part[:-1] + "\\")


def names_of_no_attribute(values: Mapping[str, Any], declaration: Declaration) -> set[str]:
    """Return which filters by attributes are wrong for the attributes that there are."""
    bad = set()
    asked: Mapping[str, Sequence[str]] = values.get("attributes", {})
    for name, texts in asked.items():
        try:
            for text in texts:
                value_of_attribute(text, declaration.type_of(name))
        except BadValueError:
            bad.add(f"attributes[{name}]")
        if not declaration.levels(name):
            bad.add(f"attributes[{name}]")
    for parameter in ("with_attributes", "without_attributes"):
        if not all(declaration.levels(name) for name in values.get(parameter, ())):
            bad.add(parameter)
    names = [len(values.get(parameter, ())) for parameter in ("with_attributes", "without_attributes")]
    if len(asked) + sum(names) > MOST_ATTRIBUTES and not bad:
        bad.add("filters by attributes")
    return bad


def _values_of_list(read: Reader, texts: list[str]) -> frozenset[object]:
    elements = [trim(element) for text in texts for element in text.split(",")]
    elements = [element for element in elements if element]
    if not elements:
        raise BadValueError
    return frozenset(read(element) for element in elements)


def _contradictions(values: dict[str, object]) -> set[str]:
    contradictions = set()
    least, greatest = values.get("min_total_score"), values.get("max_total_score")
    if isinstance(least, int) and isinstance(greatest, int) and least > greatest:
        contradictions |= {"min_total_score", "max_total_score"}
    if "became_days" in values and "became" not in values:
        contradictions.add("became_days")
    bounds = {bound: [name for name in names if name in values] for bound, names in SAME_BOUND.items()}
    twice = {name for names in bounds.values() if len(names) > 1 for name in names}
    if twice:
        # The message names one of the two, and the parameter of which it is another name.
        return contradictions | (twice & {"date"} or twice - {"from_date", "to_date"})
    if bounds["from"] and bounds["to"]:
        earliest, latest = values[bounds["from"][0]], values[bounds["to"][0]]
        if isinstance(earliest, Bound) and isinstance(latest, Bound) and earliest.first > latest.last:
            contradictions |= {bounds["from"][0], bounds["to"][0]}
    return contradictions
