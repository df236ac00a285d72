"""What a run tells whoever started it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RunReport:
    """One finished run: how long it took, in seconds, and how many rows it wrote or took."""

    kind: str
    seconds: float
    leads: int = 0
    messages: int = 0
    changes: int = 0
    notes: tuple[str, ...] = field(default=())
