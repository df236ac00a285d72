"""What the list takes for a working list: its filters, other names of parameters, and which keys are printed."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from marshmallow import Schema

from api.request.fields import Choice, Choices, EndMoment, Flag, Moment, Parameter
from api.request.text import MILLISECOND, read_moment, shift

SENDERS = ("user", "agent")
# The keys of a printed lead, in their order.
LEAD_KEYS = (
    "customer_phone",
    "name",
    "email",
    "company",
    "lead_status",
    "total_score",
    "intent_score",
    "urgency_score",
    "budget_score",
    "fit_score",
    "engagement_score",
    "platforms",
    "conversation_count",
    "total_messages",
    "template_sends_count",
    "last_message_at",
    "last_message_text",
    "last_message_sender",
    "first_contact_at",
    "has_extraction",
    "extraction_id",
    "conversations",
)
# Other names, which dashboards for other versions of this API use, and the parameters that they mean.
OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "start_date": ("from_date",),
    "end_date": ("to_date",),
    "date": ("from_date", "to_date"),
}
OTHER_SORTS: Mapping[str, str] = {"created_at": "first_contact_at"}


class Day(Parameter):
    """A date without a time."""

    takes = "a date such as 2025-01-31"

    def read(self, text: str) -> datetime:
        """Returns the first millisecond of the day in UTC. Raises ValueError for any other text."""
        first, last = read_moment(text)
        if first == last:
            raise ValueError(text)
        return first

    def as_openapi(self) -> dict[str, object]:
        """Returns the JSON schema of a date."""
        return {"type": "string", "format": "date"}


class OtherDates(Schema):
    """Other names of from_date and to_date."""

    start_date = Moment("Another name of `from_date`.", example="2025-01-01")
    end_date = EndMoment("Another name of `to_date`.", example="2025-12-31")
    date = Day(
        "One day in UTC: another name of `from_date` and `to_date` on the same date.", example="2025-12-12"
    )


class FewerKeys(Schema):
    """Which keys of a lead are printed."""

    # marshmallow takes it out of the class, whose own attribute of this name stays as it is. Written as an assignment,
    # it would have the type checker take it for that attribute.
    vars()["fields"] = Choices(
        "The keys of each lead to print, and no others.", LEAD_KEYS, example="customer_phone,name"
    )


class WorkingListQuery(OtherDates, FewerKeys):
    """What the list takes beside the documented parameters; `api/plan/list/filters.py` has the conditions."""

    last_message_sender = Choice(
        "Leads whose last message is from the customer (user) or the agent (agent).", SENDERS
    )
    has_conversation = Flag("Leads with a conversation, or (false) of template sends alone.")
    agent_id = Parameter("Leads with a conversation of this agent.", example="test-agent-001")
    phone_number_id = Parameter("Leads with a conversation on this channel.", example="test-phone-001")
    is_active = Flag("Leads with a conversation that is active, or (false) with one that is not.")
    ignore_accents = Flag("Whether `search` takes letters with and without an accent for the same.")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingList:
    """The checked parameters of a working list; None is a parameter that the request does not give."""

    last_message_sender: str | None = None
    has_conversation: bool | None = None
    agent_id: str | None = None
    phone_number_id: str | None = None
    is_active: bool | None = None
    ignore_accents: bool | None = None
    fields: tuple[str, ...] | None = None


def unite_names(loaded: MutableMapping[str, Any], errors: dict[str, str]) -> dict[str, str]:
    """Put each value that has another name under its own one, and return by which name each was given.

    Two names of one thing are an error of the other name.
    """
    given_as: dict[str, str] = {}
    for other, names in OTHER_NAMES.items():
        value = loaded.pop(other, None)
        if value is None:
            continue
        for name in names:
            if loaded.get(name) is not None:
                errors[other] = f"is another name of {given_as.get(name, name)}: give one of them"
            else:
                loaded[name] = _of_day(value)[names.index(name)] if len(names) > 1 else value
                given_as[name] = other
    return given_as


def _of_day(midnight: datetime) -> tuple[datetime, datetime]:
    """Returns the first and the last millisecond of a day."""
    return midnight, shift(midnight, timedelta(days=1) - MILLISECOND)
