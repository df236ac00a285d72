"""A demo tenant of any size: its channels, and lead after lead with everything that belongs to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp
from random import Random
from statistics import NormalDist

from projector.trial.demo.chance import happens, pick
from projector.trial.demo.clock import DAY, SECOND, timestamp, timestamp_with_microseconds
from projector.trial.demo.conversations import Between, add_conversation
from projector.trial.demo.extractions import STATUSES, add_extractions
from projector.trial.demo.identifiers import nine_digits, random_uuid
from projector.trial.demo.people import make_address, make_person
from projector.trial.demo.script import Script
from projector.trial.demo.setting import Lead, Setting
from projector.trial.demo.source_rows import SourceRows

_CHANNELS = (
    ("whatsapp", "Sales", "Sales assistant"),
    ("whatsapp", "Support", "Support assistant"),
    ("instagram", "Instagram", "Social assistant"),
    ("webchat", "Website", "Website assistant"),
    ("webchat", "Landing page", "Campaign assistant 🚀"),
)
_TEMPLATES = ("welcome_offer", "order_update", "festival_sale", "appointment_reminder")

# Drawn as often as each is listed.
_PLATFORMS = ("whatsapp",) * 6 + ("instagram",) * 2 + ("webchat",) * 2
_CONVERSATIONS = (1,) * 16 + (2,) * 3 + (3,)
# Other platforms of the same identifier: a customer may leave a number in the webchat, or come from Instagram.
_OTHER_PLATFORMS = {"whatsapp": ("webchat", "webchat", "instagram"), "instagram": ("webchat",)}
_COUNTED = ("SENT", "DELIVERED", "DELIVERED", "READ", "READ")
_UNCOUNTED = ("FAILED", "FAILED", "PENDING")
_ANY = _COUNTED * 2 + _UNCOUNTED

_TEMPLATE_ONLY = 0.1
_SILENT = 0.03
_ON_OTHER_PLATFORM = 0.4
_EXTRACTED = 0.75
_BYSTANDER = 0.04

# The sigma of a log-normal distribution: the tenth of the leads that talk most has half of all messages.
_SKEW = 1.1
_QUANTILES = 4_096
_GOLDEN = 0.6180339887498949


def _message_counts() -> tuple[float, ...]:
    """Return how many messages leads have, from few to many, where the average is 1."""
    normal = NormalDist(0, _SKEW)
    counts = [exp(normal.inv_cdf((step + 0.5) / _QUANTILES)) for step in range(_QUANTILES)]
    average = sum(counts) / _QUANTILES
    return tuple(count / average for count in counts)


_MESSAGE_COUNTS = _message_counts()


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who a tenant is, and how large."""

    user_id: str
    company_name: str
    email: str
    leads: int
    messages_per_lead: float


class TenantMaker:
    """Makes the rows of one tenant: always the same for the same tenant, seed and time."""

    def __init__(
        self,
        tenant: Tenant,
        *,
        seed: int,
        now: int,
        scripts: dict[str, Script],
        rows: SourceRows,
    ) -> None:
        rng = Random(f"{tenant.user_id} {seed}")  # noqa: S311  # Nothing here is secret.
        self._tenant = tenant
        self._setting = Setting(tenant.user_id, rng, now, rows)
        self._scripts = scripts
        self._agents: dict[str, list[str]] = {}
        self._templates: list[str] = []
        self._start = int(rng.random() * 1_000_000_000)
        self._bystanders = 0
        self._average = tenant.messages_per_lead / (1 - _TEMPLATE_ONLY) / (1 - _SILENT)
        self._quantile = rng.random()

    def make(self) -> Iterator[None]:
        """Add the tenant's rows. Yields after every lead."""
        self._add_tenant()
        for number in range(self._tenant.leads):
            self._add_lead(number)
            if happens(self._setting.rng, _BYSTANDER):
                self._add_bystander()
            self._setting.rows.write_when_enough()
            yield

    def _add_tenant(self) -> None:
        tenant, rng, rows = self._tenant, self._setting.rng, self._setting.rows
        since = timestamp(self._setting.horizon)
        rows.add("users", tenant.user_id, tenant.email, tenant.company_name, since, since)
        whatsapp = []
        for platform, display_name, agent_name in _CHANNELS:
            channel, agent_id = random_uuid(rng), random_uuid(rng)
            meta_id = f"10{int(rng.random() * 1e13):013}"
            rows.add("phone_numbers", channel, tenant.user_id, platform, meta_id, display_name)
            rows.add("agents", agent_id, tenant.user_id, channel, agent_name)
            self._agents.setdefault(platform, []).append(agent_id)
            if platform == "whatsapp":
                whatsapp.append(channel)
        for name in _TEMPLATES:
            self._templates.append(random_uuid(rng))
            rows.add("templates", self._templates[-1], tenant.user_id, pick(rng, whatsapp), name)

    def _add_lead(self, number: int) -> None:
        rng = self._setting.rng
        template_only = happens(rng, _TEMPLATE_ONLY)
        lead = self._make_lead("whatsapp" if template_only else pick(rng, _PLATFORMS), number)
        if happens(rng, 0.45 if lead.platform == "whatsapp" else 0.15):
            self._add_contacts(lead)
        if template_only:
            self._add_send(lead, lead.last, pick(rng, _COUNTED))
            while happens(rng, 0.45):
                self._add_send(lead, self._setting.before(lead.last, 60 * DAY), pick(rng, _ANY))
            return
        conversation_id = self._add_conversations(lead)
        if lead.platform == "whatsapp" and happens(rng, 0.2):
            # A campaign that the lead answered, or one that tried to wake it up again.
            answered = happens(rng, 0.6)
            at = (
                self._setting.before(lead.first, 3 * DAY)
                if answered
                else self._setting.after(lead.last, 20 * DAY)
            )
            self._add_send(lead, at, pick(rng, _ANY), conversation_id if happens(rng, 0.5) else None)

    def _add_bystander(self) -> None:
        """Add a person who is not a lead: only a contact, or the recipient of a template send that never went out."""
        bystander = self._make_lead("whatsapp", self._tenant.leads + self._bystanders)
        self._bystanders += 1
        if happens(self._setting.rng, 0.5):
            self._add_contacts(bystander)
        else:
            self._add_send(bystander, bystander.last, pick(self._setting.rng, _UNCOUNTED))

    def _make_lead(self, platform: str, number: int) -> Lead:
        rng = self._setting.rng
        person = make_person(rng)
        customer_phone = make_address(rng, platform, person, nine_digits(number, self._start))
        last = self._setting.lately()
        return Lead(person, customer_phone, platform, pick(rng, STATUSES), last, last)

    def _add_conversations(self, lead: Lead) -> str:
        """Add a lead's conversations from the newest back, and return the id of the oldest."""
        rng = self._setting.rng
        own_agent = pick(rng, self._agents[lead.platform])
        script = self._scripts[lead.person.region.language]
        taken: set[tuple[str, str, bool | None]] = set()
        conversation_id, end = "", lead.last
        for age, messages in enumerate(self._messages_of_conversations()):
            agent_id = self._older_agent(lead, own_agent) if age else own_agent
            customer_phone = lead.spelled(rng, 0.3 if age else 0.06)
            # An agent and a customer can have one active conversation, and one that is not; null is neither.
            flags = (True, False, None) if age == 0 and happens(rng, 0.85) else (False, None)
            is_active = next(
                flag for flag in flags if flag is None or (agent_id, customer_phone, flag) not in taken
            )
            taken.add((agent_id, customer_phone, is_active))
            between = Between(lead, customer_phone, agent_id, is_active, messages)
            conversation_id, lead.first = add_conversation(self._setting, script, between, end)
            if happens(rng, _EXTRACTED):
                add_extractions(self._setting, lead, conversation_id, lead.first, end)
            end = self._setting.before(lead.first, 50 * DAY)
        return conversation_id

    def _messages_of_conversations(self) -> list[int]:
        """Return how many messages each conversation of a lead has, the newest first."""
        rng = self._setting.rng
        conversations = pick(rng, _CONVERSATIONS)
        if happens(rng, _SILENT):
            return [0] * conversations
        # Steps of the golden ratio meet all quantiles evenly: small tenants come near the average too.
        self._quantile = (self._quantile + _GOLDEN) % 1
        average = self._average * _MESSAGE_COUNTS[int(self._quantile * _QUANTILES)]
        messages = int(average + rng.random())
        older = [messages // (conversations + 1) for _ in range(conversations - 1)]
        return [messages - sum(older), *older]

    def _older_agent(self, lead: Lead, own_agent: str) -> str:
        rng = self._setting.rng
        platforms = _OTHER_PLATFORMS.get(lead.platform)
        if platforms and happens(rng, _ON_OTHER_PLATFORM):
            return pick(rng, self._agents[pick(rng, platforms)])
        return own_agent

    def _add_contacts(self, lead: Lead) -> None:
        """Add a contact, and sometimes another of a different spelling that is the same person."""
        rng, person = self._setting.rng, lead.person
        spellings = [lead.customer_phone]
        if lead.platform == "whatsapp":
            spellings.insert(0 if happens(rng, 0.85) else 1, f"+{lead.customer_phone}")
        for phone in spellings if happens(rng, 0.05) else spellings[:1]:
            updated_at = self._setting.lately()
            self._setting.rows.add(
                "contacts",
                random_uuid(rng),
                self._tenant.user_id,
                phone,
                person.name if happens(rng, 0.9) else None,
                person.email if happens(rng, 0.5) else pick(rng, (None, "")),
                person.company if happens(rng, 0.4) else pick(rng, (None, " ")),
                timestamp_with_microseconds(updated_at, int(rng.random() * 1_000))
                if happens(rng, 0.95)
                else None,
            )

    def _add_send(self, lead: Lead, at: int, status: str, conversation_id: str | None = None) -> None:
        """Add a template send, asked for at a time and sent a little later, if at all."""
        rng = self._setting.rng
        sent_at = None
        if status in _COUNTED and happens(rng, 0.95):
            sent = self._setting.after(at, 20 * SECOND)
            sent_at = timestamp_with_microseconds(sent, int(rng.random() * 1_000))
        self._setting.rows.add(
            "template_sends",
            random_uuid(rng),
            pick(rng, self._templates),
            conversation_id,
            lead.spelled(rng, 0.3),
            status,
            sent_at,
            timestamp(at),
        )
