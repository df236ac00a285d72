"""The attributes that a mapping declares, and those that the rows of a lead or a conversation give it."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.oracle.values import Infinite, bytewise, cut, cut_text, printed_time, trim

Types = Mapping[str, str]
"""Names of declared attributes: each is a text, number, boolean, date, time or list."""

REPLY_WINDOWS = {"whatsapp": timedelta(hours=24), "instagram": timedelta(hours=24)}
"""How long one may answer a message of a customer freely, by the platform."""

Given = tuple[Mapping[str, object], object]
"""The attributes in a row: the values of its declared columns, and its JSON or None."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PRINTED = {
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "time": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"),
}
_UNPRINTABLE = re.compile("[\0\ud800-\udfff\uffff]")


@dataclass(frozen=True, slots=True)
class Declaration:
    """The attributes that a mapping declares for leads and conversations, and how to read them from a row.

    `spreads` are the relations of each level that give JSON, and `relations` those of each declared attribute.
    `reply_windows` are what the mapping gives as such, by the platform.
    """

    lead: Types
    conversation: Types
    given: Callable[[Any], Given]
    spreads: Mapping[str, Sequence[str]] = field(default_factory=dict)
    relations: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reply_windows: Mapping[str, timedelta] = field(default_factory=lambda: REPLY_WINDOWS)

    def levels(self, name: str) -> Sequence[str]:
        """Return where an attribute may be: at the lead, at conversations, at both, or nowhere."""
        if name in self.lead:
            return ("lead",)
        if name in self.conversation:
            return ("conversation",)
        return [level for level, relations in self.spreads.items() if relations]

    def types_of(self, level: str) -> Types:
        """Return the declared types at a level, `elsewhere` for what is declared of the other one."""
        own = self.lead if level == "lead" else self.conversation
        return {name: own.get(name, "elsewhere") for name in (*self.lead, *self.conversation)}

    def type_of(self, name: str) -> str | None:
        return {**self.lead, **self.conversation}.get(name)


def _of_reference(row: Any) -> Given:  # noqa: ANN401  # An extraction, a contact or a conversation.
    values = {name: getattr(row, name) for name in REFERENCE.lead if name in row._fields}
    if values.get("custom_cta") is not None:
        values["custom_cta"] = values["custom_cta"].split(",")
    return values, None


REFERENCE = Declaration(
    lead={
        "requirements": "text",
        "custom_cta": "list",
        "in_detail_summary": "text",
        "smart_notification": "text",
        "demo_book_datetime": "time",
        "tags": "list",
        "opted_out": "boolean",
        "source": "text",
    },
    conversation={},
    given=_of_reference,
    relations={
        **dict.fromkeys(
            ("requirements", "custom_cta", "in_detail_summary", "smart_notification", "demo_book_datetime"),
            ("extractions",),
        ),
        **dict.fromkeys(("tags", "opted_out", "source"), ("contacts",)),
    },
)


def merge(rows: Iterable[Given], types: Types) -> tuple[dict[str, Any] | None, int]:
    """Return the attributes of rows, of which the first counts most, and how many were left out."""
    chosen: dict[str, object] = {}
    left_out = set()
    for declared, spread_ in rows:
        spread = _within_bound(spread_)
        values = {name: made for name, value in declared.items() if (made := _attribute(value)) is not None}
        chosen = {**values, **chosen}
        for name, value in spread.items() if isinstance(spread, Mapping) else ():
            made = _attribute(value)
            if made is not None and _NAME.fullmatch(name):
                if _is_of_type(made, types.get(name)):
                    chosen.setdefault(name, made)
                else:
                    left_out.add(name)
    ordered = sorted(chosen, key=lambda name: (name not in types, bytewise(name)))
    kept: dict[str, Any] = {}
    size = 0
    for name in ordered[:64]:
        # A name with its quotes, a colon, a comma and two blanks.
        size += len(name) + len(_as_text(chosen[name]).encode()) + 6
        if size > 8192:
            break
        kept[name] = _as_read(chosen[name])
    return kept or None, len(left_out - chosen.keys()) + len(chosen) - len(kept)


def _within_bound(spread: object) -> object:
    """Return the JSON of a row, or if its text exceeds 64 KiB a value that counts as one attribute left out."""
    text = json.dumps(spread, ensure_ascii=False, default=str)
    return {"attributes": "\uffff"} if len(text.encode(errors="surrogatepass")) > 65_536 else spread


def _attribute(value: object) -> object:
    """Return a value as an attribute has it; None for one that is no attribute."""
    if isinstance(value, list | tuple):
        if any(isinstance(item, Mapping | list) for item in value):
            return None
        return [made for item in value if (made := _attribute(item)) is not None] or None
    attribute: object = value if isinstance(value, bool) else None
    if isinstance(value, str):
        attribute = cut_text(trim(value[:65536]), 2048) or None
    elif isinstance(value, int | float | Decimal) and attribute is None:
        number = Decimal(str(value))
        is_short = number.is_finite() and abs(number) < 10**308
        decimals = _digits(number).partition(".")[2] if is_short else ""
        attribute = number if is_short and len(decimals) <= 400 else None
    elif isinstance(value, datetime):
        attribute = None if isinstance(value, Infinite) else printed_time(cut(value))
    elif isinstance(value, date):
        attribute = value.isoformat()
    return attribute


def _is_of_type(value: object, type_: str | None) -> bool:
    """Return whether a value of JSON is printable, and of the declared type of its name, if there is one."""
    if any(isinstance(item, str) and _UNPRINTABLE.search(item) for item in _items(value)):
        return False
    if type_ in _PRINTED:
        return isinstance(value, str) and _PRINTED[type_].fullmatch(value) is not None
    if type_ == "elsewhere":
        return False
    kinds = {"text": str, "number": Decimal, "boolean": bool, "list": list}
    return type_ is None or isinstance(value, kinds[type_])


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [value]


def _as_text(value: object) -> str:
    """Return a value as PostgreSQL writes JSON."""
    if isinstance(value, list):
        return f"[{', '.join(map(_as_text, value))}]"
    return _digits(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _digits(number: Decimal) -> str:
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _as_read(value: object) -> object:
    """Return a value as a reader of the JSON has it."""
    return json.loads(_as_text(value))


def printed(value: object) -> str:
    """Return a text, a number or a flag as an answer prints it, a text without its quotes."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return _digits(Decimal(repr(value)))


def printed_items(value: object) -> list[str]:
    """Return the items of a list as they are printed, or the value itself."""
    return [printed(item) for item in _items(value)]


def kind_of_value(value: object) -> str:
    """Return what a value is in JSON."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, list):
        return "array"
    return "string" if isinstance(value, str) else "number"
