"""Scripts: long dialogues, computed once. Every demo conversation is a part of one."""

from random import Random

from projector.trial.demo.chance import happens, pick
from projector.trial.demo.chats import TALKS, Talk
from projector.trial.demo.clock import DAY, HOUR, MINUTE, SECOND
from projector.trial.demo.source_rows import message_end

_LENGTH = 1 << 13

_USER_STATUSES = ("sent",) * 16 + ("read",) * 3 + ("delivered",)
_AGENT_STATUSES = ("read",) * 26 + ("delivered",) * 12 + ("sent",) * 9 + ("failed",) * 2 + ("pending",)


class Script:
    """An endless dialogue in one language.

    The slow work is done here, once: texts are chosen and written for COPY, pauses and sequence numbers are summed
    up. A conversation starts at one of the `starts` and reads on; after the end it continues at the beginning.
    """

    def __init__(self, rng: Random, talk: Talk) -> None:
        self.talk = talk
        self.starts: list[int] = []
        self.from_user: list[bool] = []
        self.endings: list[str] = []
        self._elapsed: list[int] = []
        self._numbers: list[int] = []
        self._play(rng, talk.filled())

    def places(self, start: int, count: int) -> list[int]:
        """Return the places of a stretch, at which `from_user` and `endings` hold what is said."""
        return [place % _LENGTH for place in range(start, start + count)]

    def span(self, start: int, count: int) -> int:
        """Return how long a stretch takes in milliseconds, from its first message to its last."""
        return self._since(self._elapsed, start, start + count - 1, 1)[0] if count else 0

    def offsets(self, start: int, place: int, count: int) -> list[int]:
        """Return when each message from a place on is said, in milliseconds since the stretch began."""
        return self._since(self._elapsed, start, place, count)

    def numbers(self, start: int, place: int, count: int) -> list[int]:
        """Return the sequence number of each message from a place on; that of the start is 1."""
        return [1 + number for number in self._since(self._numbers, start, place, count)]

    @staticmethod
    def _since(sums: list[int], start: int, place: int, count: int) -> list[int]:
        first, whole = sums[start], sums[_LENGTH]
        if place + count <= _LENGTH:
            return [value - first for value in sums[place : place + count]]
        return [sums[at % _LENGTH] + at // _LENGTH * whole - first for at in range(place, place + count)]

    def _play(self, rng: Random, exchanges: list[tuple[str, str]]) -> None:
        elapsed = number = 0
        recent: list[tuple[str, str]] = []
        while len(self.endings) < _LENGTH:
            asked, answered = exchange = pick(rng, exchanges)
            if exchange in recent:
                continue
            recent = [exchange, *recent[:1]]
            says = [(True, asked), (False, answered)]
            if happens(rng, 0.06):
                # Some customers ask something else before the agent answers.
                says.insert(0, (True, pick(rng, exchanges)[0]))
            else:
                self.starts.append(len(self.endings))
            for from_user, text in says[: _LENGTH - len(self.endings)]:
                elapsed += _pause(rng, before_user=from_user)
                number += 1 if happens(rng, 0.99) else 2 + int(rng.random() * 3)
                sender, statuses = ("user", _USER_STATUSES) if from_user else ("agent", _AGENT_STATUSES)
                self.from_user.append(from_user)
                self.endings.append(message_end(sender, text, pick(rng, statuses)))
                self._elapsed.append(elapsed)
                self._numbers.append(number)
        # One more sum: what a whole turn through the script adds.
        self._elapsed.append(elapsed + _pause(rng, before_user=True) - self._elapsed[0])
        self._numbers.append(number + 1 - self._numbers[0])

    def opening(self, rng: Random, first_name: str | None) -> list[str]:
        """Return what a conversation's first two messages end with."""
        asked, answered = pick(rng, self.talk.openings)
        name = first_name or self.talk.nameless
        return [
            message_end("user", asked.format(name=name), "sent"),
            message_end("agent", answered.format(name=name), pick(rng, _AGENT_STATUSES)),
        ]


def _pause(rng: Random, *, before_user: bool) -> int:
    """Return the pause before a message in milliseconds."""
    if happens(rng, 0.007):
        return 0
    if not before_user:
        return 2 * SECOND + int(rng.random() * 18 * SECOND)
    if happens(rng, 0.82):
        return 10 * SECOND + int(rng.random() * 8 * MINUTE)
    return HOUR + int(rng.random() ** 2 * 3 * DAY)


def make_scripts(rng: Random) -> dict[str, Script]:
    """Play a script in every language."""
    return {language: Script(rng, talk) for language, talk in TALKS.items()}
