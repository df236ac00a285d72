"""What the makers of a tenant's rows share: chance, the time, and where rows go."""

from dataclasses import dataclass
from random import Random

from projector.trial.demo.chance import happens
from projector.trial.demo.clock import DAY, HOUR
from projector.trial.demo.people import Person
from projector.trial.demo.source_rows import SourceRows

DAYS = 400
"""How far back the demo goes."""


@dataclass(slots=True)
class Setting:
    """One tenant's rows in the making; nothing in them is later than `now`."""

    user_id: str
    rng: Random
    now: int
    rows: SourceRows

    @property
    def horizon(self) -> int:
        """The time before which nothing happened."""
        return self.now - DAYS * DAY

    def lately(self) -> int:
        """Return some time at which a lead was last heard of: a tenth of them on the last day."""
        return self.now - 1 - int((DAYS * DAY - HOUR) * self.rng.random() ** 2.6)

    def before(self, at: int, within: int) -> int:
        """Return some earlier time, and leave room for what was before it."""
        return at - 1 - int(self.rng.random() * min(within, (at - self.horizon) // 2))

    def after(self, at: int, within: int) -> int:
        """Return some later time that is not in the future."""
        return at + int(self.rng.random() * min(within, self.now - at))


@dataclass(slots=True)
class Lead:
    """One lead while its rows are made: who it is, how warm, and when it was first and last heard of."""

    person: Person
    customer_phone: str
    platform: str
    status: str
    first: int
    last: int

    def spelled(self, rng: Random, with_plus: float) -> str:
        """Return the identifier as a source row may hold it: some put a `+` before a phone."""
        if self.platform != "whatsapp" or not happens(rng, with_plus):
            return self.customer_phone
        if happens(rng, 0.1):
            return f"+{self.customer_phone[:-9]} {self.customer_phone[-9:-4]}-{self.customer_phone[-4:]}"
        return f"+{self.customer_phone}"
