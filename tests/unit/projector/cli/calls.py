"""Calls of the command line that record what they would run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from click.testing import CliRunner, Result

from projector.cli import cli


@dataclass
class Calls:
    """What the commands called, and what they get for it."""

    answers: dict[str, Any] = field(default_factory=dict)
    made: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def function(self, name: str) -> Callable[..., object]:
        def called(_conn: object, *arguments: object, **keywords: object) -> object:
            keywords.pop("progress", None)
            self.made.append((name, keywords | ({"arguments": arguments} if arguments else {})))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return called


def call(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(cli, arguments, input=answer)
