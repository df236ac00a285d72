"""Query parameters for the endpoints, valid and not, made of values that occur in the data."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote, quote_plus

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.oracle.attributes import printed_items
from tests.oracle.leads import PLATFORMS, Lead, Model
from tests.oracle.parameters import INCLUDED, KEYS, LISTS, OF_LIST, SORTS, attribute_of_lead, boolean
from tests.oracle.values import WHITE_SPACE

Pairs = list[tuple[str, str]]

NEVER_EMPTY = ("nobody", "0")
# Every read model is newer.
_DAYS = st.sampled_from(("1", "7", "30", "31", "100", "365", "036500"))
LONG_AGO = (datetime(2020, 1, 1, tzinfo=UTC),)
# Values outside the range of some parameter, or of any.
WRONG = (
    "-1",
    "4",
    "36501",
    "2147483648",
    "99999999999999999999",
    "null",
    "now",
    "1735689600",
    "2025-02-29",
    "2025-01-01T24:00",
    "2025-01-01T10:00+24:00",
    "10000-01-01",
    "user,agent",
    ",",
    "y" * 201,
)
# Inserted into a valid value, or in place of one of its characters, which mostly makes it invalid.
DAMAGES = (*"0+-:.,% 'TtZz", "", "--", "e3", "\N{ARABIC-INDIC DIGIT SEVEN}", "\N{FULLWIDTH DIGIT TWO}")
UNKNOWN = ("lead_stauts", "Platform", "limit[]", "utm", "days", "lead_status", "search", "sender")
IGNORED = ("_", "utm_source", "utm_", "gclid", "fbclid")
BROKEN = ("\0", "a\0b", "\udcff", "caf\udce9")
WITHOUT_PAGE = frozenset({"stats", "facets", "lookup", "attributes", ".", ".."})


@dataclass(frozen=True, slots=True)
class Vocabulary:
    phones: tuple[str, ...]
    texts: tuple[str, ...]
    times: tuple[datetime, ...]
    message_times: tuple[datetime, ...]
    conversation_ids: tuple[str, ...]
    message_ids: tuple[str, ...]
    agent_ids: tuple[str, ...]
    phone_number_ids: tuple[str, ...]
    # Values of the leads' fields that a parameter is named after.
    fields: Mapping[str, tuple[str, ...]]
    # Values of attributes as they are printed, by names; of one that there is not, too.
    attributes: Mapping[str, tuple[str, ...]]


def vocabulary(model: Model, user_id: str) -> Vocabulary:
    """Collect what occurs in the leads of a tenant, and some of what occurs in those of the others."""
    own = list(model.of_tenant(user_id).values())[:200]
    foreign = [lead for lead in model.all_leads() if lead.user_id != user_id][:10]
    return Vocabulary(
        phones=tuple(lead.customer_phone for lead in own + foreign) or NEVER_EMPTY,
        texts=tuple(
            text
            for lead in own
            for text in (lead.name, lead.email, lead.company, lead.customer_phone)
            if text is not None
        )
        or NEVER_EMPTY,
        times=_times(lead.last_message_at for lead in own),
        message_times=_times(message.timestamp for lead in own for message in lead.messages[:3]),
        conversation_ids=tuple(
            conversation.conversation_id for lead in own + foreign for conversation in lead.conversations
        )
        or NEVER_EMPTY,
        message_ids=tuple(message.message_id for lead in own + foreign for message in lead.messages)
        or NEVER_EMPTY,
        agent_ids=_of_conversations(own + foreign, "agent_id"),
        phone_number_ids=_of_conversations(own + foreign, "phone_number_id"),
        fields={
            name: tuple(str(value) for lead in own if (value := getattr(lead, name)) is not None)
            for name in OF_LIST
            if hasattr(Lead, name) and name != "attributes"
        },
        attributes=_attributes(model, own),
    )


def _attributes(model: Model, leads: list[Lead]) -> dict[str, tuple[str, ...]]:
    """Collect the values of the declared attributes, and of those that leads have from JSON."""
    names = {*model.declaration.lead, *model.declaration.conversation, "nothing"}
    for lead in leads:
        names.update(lead.attributes or (), *(row.attributes or () for row in lead.conversations))
    values = {
        name: {
            text: None
            for lead in leads
            for value in attribute_of_lead(model, lead, name)
            for text in printed_items(value)[:3]
            if len(text) < 200  # A long one makes the address too long to read.
        }
        for name in sorted(names)
    }
    return {name: tuple(texts) or NEVER_EMPTY for name, texts in values.items()}


def _of_conversations(leads: Iterable[Lead], name: str) -> tuple[str, ...]:
    values = {getattr(row, name): None for lead in leads for row in lead.conversations}
    return tuple(value for value in values if value is not None) or NEVER_EMPTY


def _times(moments: Iterable[datetime | None]) -> tuple[datetime, ...]:
    return tuple(moment for moment in moments if moment is not None) or (datetime(2025, 1, 1, tzinfo=UTC),)


def query_string(pairs: Iterable[tuple[str, str]]) -> str:
    """Write parameters as a query string; lone surrogates become the invalid bytes that they stand for."""
    return "&".join(
        f"{quote_plus(name, errors='surrogateescape')}={quote_plus(value, errors='surrogateescape')}"
        for name, value in pairs
    )


def path(user_id: str, *parts: str) -> str:
    return "/users/" + "/".join(
        quote(part, safe="", errors="surrogateescape") for part in (user_id, "leads", *parts)
    )


def has_page(customer_phone: str) -> bool:
    """Tell whether a path can lead to a customer: not with a slash, nor to `stats`, nor through dots."""
    return "/" not in customer_phone and customer_phone not in WITHOUT_PAGE


def spellings(customer_phone: str) -> SearchStrategy[str]:
    """Spell a canonical phone in equivalent ways; anything else gets white space around it."""
    ways = [customer_phone, f" {customer_phone}", f"{customer_phone}\N{NO-BREAK SPACE}\t"]
    if re.fullmatch("[0-9]+", customer_phone):
        head, tail = customer_phone[:2], customer_phone[2:]
        ways += [
            f"+{customer_phone}",
            f"+{head} {tail}",
            f"({head}) {tail}",
            f"{head}-{tail}.",
            f" +{head} ({tail})",
        ]
    return st.sampled_from(ways)


def paths_to_leads(words: Vocabulary) -> SearchStrategy[str]:
    """Give customer phones for a path: of leads, spelled somehow, and of none."""
    phones = st.sampled_from([phone for phone in words.phones if has_page(phone)]).flatmap(spellings)
    unknown = st.sampled_from(
        ("nobody", "910000000000", "%", "_", "\\", "'", "+", "91 89795x", " ", "(", *BROKEN)
    )
    return st.one_of(phones, phones, phones, unknown)


def list_params(words: Vocabulary) -> SearchStrategy[Pairs]:
    return _with_noise(_of_list(words))


def series_params(words: Vocabulary) -> SearchStrategy[Pairs]:
    dates = _dates(words.times)
    ranges = st.tuples(
        st.tuples(st.sampled_from(("from_date", "start_date")), dates),
        st.tuples(st.sampled_from(("to_date", "end_date")), dates),
    ).map(list)
    days = _days(words.times).map(lambda day: [("date", day)])
    noisy = _with_noise(_of_dates(words.times))
    by = st.sampled_from(([], [("by", "day")], [("by", "HOUR")], [("by", "hour")], [("by", "week")]))
    include = st.sampled_from(
        ([], [("include", "waiting")], [("include", ",Waiting")], [("include", "attributes")])
    )
    dated = st.one_of(ranges, ranges, days, noisy)
    return st.builds(lambda *parts: [pair for part in parts for pair in part], dated, by, include)


def funnel_params(words: Vocabulary) -> SearchStrategy[Pairs]:
    dates = _dates(words.times)
    bounds = [st.tuples(st.just(name), dates) for name in ("from_date", "to_date")]
    by = st.tuples(st.just("by"), st.sampled_from(("platform", "AGENT", "agent", "week")))
    return st.lists(st.one_of(*bounds, by), max_size=3, unique_by=lambda pair: pair[0])


def history_params() -> SearchStrategy[Pairs]:
    limits = st.tuples(st.just("limit"), st.sampled_from(("1", "2", "50", "0")))
    offsets = st.tuples(st.just("offset"), st.sampled_from(("0", "1", "3")))
    return st.lists(st.one_of(limits, offsets), max_size=2, unique_by=lambda pair: pair[0])


def message_params(words: Vocabulary) -> SearchStrategy[Pairs]:
    return _with_noise(_of_messages(words))


def valid_list_params(words: Vocabulary) -> SearchStrategy[Pairs]:
    return _combination(_of_list(words))


def list_filters(words: Vocabulary) -> SearchStrategy[Pairs]:
    """Give up to three filters of the list, without an order and a page."""
    of_page = {"fields", "include", "sort_by", "sort_order", "limit", "offset", "min_as_of"}
    return _combination({name: values for name, values in _of_list(words).items() if name not in of_page}, 3)


def valid_message_params(words: Vocabulary) -> SearchStrategy[Pairs]:
    return _combination(_of_messages(words))


Values = dict[str, SearchStrategy[str]]


def _of_list(words: Vocabulary) -> Values:
    listed: Values = {
        "platform": _lists((*PLATFORMS, "telegram", "sms")),
        "lead_status": _lists(("Hot", "Warm", "Cold")),
        "min_total_score": st.sampled_from(("5", "6", "7", "8", "007", "15")),
        "max_total_score": st.sampled_from(("15", "12", "10", "8", "5", "0010")),
        "days": _DAYS,
        **_of_dates(words.times),
        "fields": _lists((*KEYS, *(key for keys in INCLUDED.values() for key in keys))),
        "include": _lists(INCLUDED),
        **dict.fromkeys(("with_attributes", "without_attributes"), _names_of_attributes(words)),
        **{f"attributes[{name}]": _attribute_values(texts) for name, texts in words.attributes.items()},
        "last_message_sender": _in_any_case(("user", "agent")),
        "agent_id": st.sampled_from((*words.agent_ids, "none of these")),
        "phone_number_id": st.sampled_from((*words.phone_number_ids, "none of these")),
        "search": _searches(words),
        "customer_phone": st.sampled_from(words.phones).flatmap(spellings),
        "waiting_minutes": st.sampled_from(
            ("0", "1", "90", "1440", "43200", "0525600", "26280000", "52560000")
        ),
        "reply_window": _in_any_case(("open", "closed", "none")),
        "reply_window_hours": st.sampled_from(("1", "2", "024", "25", "720")),
        "became": _lists(("Hot", "Warm", "Cold")),
        "became_days": st.sampled_from(("1", "7", "90", "4000", "36500")),
        "status_days": st.sampled_from(("1", "7", "90", "4000", "36500")),
        "sort_by": _in_any_case(SORTS),
        "sort_order": _in_any_case(("asc", "desc")),
        "limit": st.sampled_from(("1", "2", "3", "7", "50", "100", "101", "00005", "99999999999999999999")),
        "offset": st.sampled_from(("0", "1", "2", "5", "30", "-0", "1000", "2147483647")),
        "min_as_of": _dates(LONG_AGO),
    }
    # A flag gets values of a flag; any other filter not listed here gets values of the field with its name.
    new = {
        name: st.sampled_from(("true", "false", "1", "0", "TRUE", "False"))
        if OF_LIST[name] is boolean
        else st.sampled_from(words.fields.get(name) or NEVER_EMPTY)
        for name in OF_LIST
        # No test can make up a cursor, and `attributes` alone is none.
        if name not in listed and name not in {"cursor", "attributes"}
    }
    return listed | new


def _of_messages(words: Vocabulary) -> Values:
    return {
        "platform": _lists((*PLATFORMS, "telegram", "sms")),
        "sender": _in_any_case(("user", "agent")),
        "days": _DAYS,
        **_of_dates(words.message_times),
        "conversation_id": st.sampled_from((*words.conversation_ids, "none of these")),
        "before": st.sampled_from((*words.message_ids, "none of these")),
        "after": st.sampled_from((*words.message_ids, "none of these")),
        "sort_order": _in_any_case(("asc", "desc")),
        "limit": st.sampled_from(("1", "2", "3", "50", "200", "201", "99999999999999999999")),
        "offset": st.sampled_from(("0", "1", "2", "5", "-0", "1000", "2147483647")),
        "min_as_of": _dates(LONG_AGO),
    }


def _in_any_case(options: Iterable[str]) -> SearchStrategy[str]:
    return st.sampled_from(
        [spelled for option in options for spelled in (option, option, option.upper(), option.title())]
    )


def _lists(options: Iterable[str]) -> SearchStrategy[str]:
    elements = st.one_of(_in_any_case(options), _in_any_case(options), st.sampled_from(("", " ")))
    padded = st.builds(
        "{}{}{}".format, st.sampled_from(("", "", " ")), elements, st.sampled_from(("", "", "\t"))
    )
    lists = st.lists(padded, min_size=1, max_size=4)
    return lists.filter(lambda chosen: any(element.strip() for element in chosen)).map(",".join)


def _names_of_attributes(words: Vocabulary) -> SearchStrategy[str]:
    names = [name for name in words.attributes if name != "nothing"]
    return st.lists(st.sampled_from(names), min_size=1, max_size=2).map(",".join)


def _attribute_values(texts: tuple[str, ...]) -> SearchStrategy[str]:
    """Give values, ranges from one to another, and texts that resemble either."""
    value = st.sampled_from(texts).map(lambda text: text.replace(",", "\\,"))
    ranges = st.builds("{}..{}".format, st.one_of(value, st.just("")), st.one_of(value, st.just("")))
    odd = st.sampled_from(
        ("1", "01", "1.0", "-0", "true", "TRUE", "1..3", "2.5..", "..", "2025-01-02", "a\\,b", ",")
    )
    return st.one_of(value, value, st.lists(value, min_size=2, max_size=3).map(",".join), ranges, odd)


def _of_dates(moments: tuple[datetime, ...]) -> Values:
    bounds = dict.fromkeys(("from_date", "to_date", "start_date", "end_date"), _dates(moments))
    return {**bounds, "date": _days(moments)}


def _days(moments: tuple[datetime, ...]) -> SearchStrategy[str]:
    return st.sampled_from(moments).map(lambda moment: moment.date().isoformat())


@st.composite
def _dates(draw: st.DrawFn, moments: tuple[datetime, ...]) -> str:
    moment = draw(st.sampled_from(moments))
    step = timedelta(milliseconds=draw(st.sampled_from((0, 0, 0, 1, -1))))
    if datetime(2, 1, 1, tzinfo=UTC) < moment < datetime(9998, 1, 1, tzinfo=UTC):
        moment += step
        zone = draw(
            st.sampled_from((None, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))))
        )
    else:
        zone = None
    local = (moment if zone is None else moment.astimezone(zone)).replace(tzinfo=None)
    form = draw(
        st.sampled_from(("date", "minutes", "seconds", "milliseconds", "milliseconds", "microseconds"))
    )
    if form == "date":
        return local.date().isoformat()
    text = local.isoformat(sep=draw(st.sampled_from(("T", " "))), timespec=form)
    if form == "microseconds":
        text += draw(st.sampled_from(("", "999", "000000000000")))
    if zone is None:
        return text + draw(st.sampled_from(("", "Z", "+00:00", "-00:00", " 00:00")))
    offset = moment.astimezone(zone).isoformat()[-6:]
    return text + (offset if draw(st.booleans()) else offset.replace("+", " "))


@st.composite
def _searches(draw: st.DrawFn, words: Vocabulary) -> str:
    if draw(st.integers(0, 9)) == 0:
        return draw(
            st.sampled_from(("%", "_", "\\", "' OR 1=1 --", "(", "+", "-", "%%", "nobody at all", "x" * 200))
        )
    if draw(st.integers(0, 4)) == 0:
        phone = draw(st.sampled_from(words.phones).flatmap(spellings))
        return phone[draw(st.integers(0, 3)) :] or phone
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        text = draw(st.sampled_from(words.texts))
        start = draw(st.integers(0, len(text) - 1))
        part = text[start : start + draw(st.integers(1, 8))]
        spelled = (part, part, part.lower(), part.upper(), part.swapcase(), *_with_other_accents(part))
        parts.append(draw(st.sampled_from(spelled)))
    search = draw(st.sampled_from(WHITE_SPACE)).join(parts)
    return search[:200] if search.strip(WHITE_SPACE) else "a"


def _with_other_accents(text: str) -> tuple[str, str, str]:
    """Return the text in letters and marks, in letters alone, and with an accent on each letter that can have it."""
    apart = unicodedata.normalize("NFD", text)
    bare = "".join(character for character in apart if not unicodedata.combining(character))
    accented = "".join(f"{character}\N{COMBINING ACUTE ACCENT}" for character in bare)
    return apart, bare or text, unicodedata.normalize("NFC", accented)


def _is_list(name: str) -> bool:
    return name in LISTS or name.startswith("attributes[")


@st.composite
def _combination(draw: st.DrawFn, values: Values, most: int = 4) -> Pairs:
    names = draw(st.lists(st.sampled_from(sorted(values)), max_size=most, unique=True))
    # Alone it changes nothing.
    if "search" in names and "ignore_accents" not in names and draw(st.booleans()):
        names.append("ignore_accents")
    again = [name for name in names if _is_list(name) and draw(st.integers(0, 3)) == 0]
    return draw(st.permutations([(name, draw(values[name])) for name in names + again]))


@st.composite
def _with_noise(draw: st.DrawFn, values: Values) -> Pairs:
    pairs = draw(_combination(values))
    for _ in range(draw(st.sampled_from((0, 0, 0, 0, 1, 1, 2)))):
        pairs.append(draw(_noise(values, pairs)))
    return draw(st.permutations(pairs))


def _noise(values: Values, pairs: Pairs) -> SearchStrategy[tuple[str, str]]:
    free = sorted(values.keys() - {name for name, _ in pairs})
    unknown = st.sampled_from([name for name in UNKNOWN if name not in values])
    kinds = [
        st.tuples(st.sampled_from(sorted(values)), st.sampled_from(("", *WHITE_SPACE))),
        st.tuples(unknown, st.just("x")),
        st.tuples(st.sampled_from(IGNORED), st.sampled_from(("", "1", "%"))),
    ]
    if free:
        wrong = st.sampled_from(free).flatmap(lambda name: st.tuples(st.just(name), _wrong(values[name])))
        kinds += [st.tuples(st.sampled_from(free), st.sampled_from(BROKEN)), wrong, wrong]
    # All limits beyond the maximum are cut to it, so that two of them may be equal.
    scalars = [
        (name, value) for name, value in pairs if not _is_list(name) and name != "limit" and value.strip()
    ]
    if scalars:
        kinds += [
            st.sampled_from(scalars),
            st.sampled_from(scalars).map(lambda pair: (pair[0], f"{pair[1]}1")),
        ]
    return st.one_of(kinds)


def _wrong(right: SearchStrategy[str]) -> SearchStrategy[str]:
    damaged = st.builds(_damage, right, st.integers(0, 30), st.booleans(), st.sampled_from(DAMAGES))
    return st.one_of(st.sampled_from(WRONG), damaged, damaged)


def _damage(text: str, place: int, instead: bool, damage: str) -> str:  # noqa: FBT001  # As Hypothesis draws it.
    place %= len(text) + 1
    return text[:place] + damage + text[place + instead :]
