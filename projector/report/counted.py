"""The result of a refresh or a rebuild, and the printed form of numbers and texts in messages."""

import json
from dataclasses import dataclass, field


def counted(number: float, noun: str) -> str:
    """Return a number with its noun, given in the singular: `1 lead`, `2,004 leads`."""
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def counted_of(done: float, total: float, noun: str) -> str:
    """Return how many of a total are done: `1 of 1 lead`, `250 of 2,004 leads`.

    The total is counted before the work begins. If more came meanwhile, the result leaves it out.
    """
    return f"{done:,} of {counted(total, noun)}" if done <= total else counted(done, noun)


def repeated_rows(relation: str, rows: int, key: str, value: str) -> str:
    """Return the sentence, without a full stop, about a relation of a mapping that gives several rows for a key."""
    return f"{relation}.sql gives {counted(rows, 'row')} with the {key} {value}, and has to give one"


def bytes_in_words(number: float) -> str:
    """Return a number of bytes in the largest unit that fits, in steps of 1,024 as in PostgreSQL."""
    for unit in ("B", "kB", "MB"):
        if number < 1024:  # noqa: PLR2004
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GB"


def escape_hidden(text: str) -> str:
    r"""Return the text with unprintable characters and control characters escaped, such as `\x1b`."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode()
        for letter in text
    )


def escape_lines(text: str) -> str:
    """Return a text of several lines, each as by `escape_hidden`."""
    return "\n".join(map(escape_hidden, text.split("\n")))


def escape_json(text: str) -> str:
    r"""Return JSON, indented or not, with unprintable characters and control characters escaped, such as `\u009b`."""
    return "".join(
        character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1]
        for character in text
    )


@dataclass(frozen=True, slots=True)
class RunReport:
    """One finished run.

    `seconds` is how long it took, `changes` how many queued changes it took, `leads` how many leads it recomputed,
    and `messages` how many message rows it wrote or deleted. `notes` are sentences for the operator.
    """

    kind: str
    seconds: float
    leads: int = 0
    messages: int = 0
    changes: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def did_something(self) -> bool:
        """Whether it found anything to do, or has notes."""
        return bool(self.leads or self.messages or self.changes or self.notes)
