"""The talk of the demo: while `make run` runs, its conversations go on, with a message every few seconds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from threading import Event, Thread

import click
import psycopg
from psycopg import sql

from projector.database.connect import connect
from projector.database.rows import Connection, rows
from projector.database.source_names import source_names
from projector.database.sql import query
from projector.report.errors import ProjectorError
from projector.trial.demo.tenant import Chance, load_data

# Some of the leads with the newest messages, this many, wait for an answer at any time.
_LEADS = 60
_LEAST_SECONDS, _MOST_SECONDS = 2, 6
# If two runs continue one conversation at once, only one of them writes.
_INSERT = (
    "INSERT INTO {} (message_id, conversation_id, sender, text, sequence_no)"
    " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class _Message:
    """The newest message of a lead, as the query `find_newest_messages` returns it."""

    conversation_id: str
    sender: str | None
    text: str | None
    sequence_no: int | None


class Talk(Thread):
    """Writes into the conversations of a tenant of the demo until `stop`; nothing where that tenant is not there.

    Nobody waits for this thread: it ends with the process.
    """

    def __init__(self, user_id: str) -> None:
        """Take the tenant; nothing is written before `begin`."""
        super().__init__(name="talk", daemon=True)
        self._url = ""
        self._user_id = user_id
        self._is_over = Event()

    def begin(self, url: str) -> None:
        """Begin to write into the embedded server's database: a platform's own must never be written to."""
        self._url = url
        self.start()

    def run(self) -> None:
        """Write a message every few seconds. The first error ends that, and is printed."""
        chance = Chance()
        try:
            with connect(self._url, application_name="leads-projector trial") as conn:
                while not self._is_over.wait(
                    _LEAST_SECONDS + (_MOST_SECONDS - _LEAST_SECONDS) * chance.random()
                ):
                    write_next(conn, self._user_id, chance)
        except (psycopg.Error, ProjectorError) as error:
            if not self._is_over.is_set():
                click.echo(f"The demo stands still until the next `make run`: {error}", err=True)

    def stop(self) -> None:
        """Write no further message, and do not wait for a statement that is under way."""
        self._is_over.set()


def write_next(conn: Connection, user_id: str, chance: Chance) -> None:
    """Write the next message of a lead that was heard of lately; none where the demo cannot continue what was said."""
    parameters = {"user_id": user_id, "leads": _LEADS}
    newest = rows(conn, _Message, query("trial", "find_newest_messages"), parameters)
    if not newest:
        return
    last = chance.pick(newest)
    sender = "agent" if last.sender == "user" else "user"
    text = continue_talk(last.text or "", chance, sender)
    if text is not None:
        insert = sql.SQL(_INSERT).format(sql.SQL(source_names(conn)["messages"]))
        message_id = f"demo.{chance.getrandbits(240):060X}"
        conn.execute(insert, (message_id, last.conversation_id, sender, text, (last.sequence_no or 0) + 1))


def continue_talk(text: str, chance: Chance, sender: str) -> str | None:
    """Return what this sender says after a text of the other one, in its language; None where the demo lacks the text.

    An agent answers, and names again what the customer has named. A customer goes on with any question.
    """
    chats = load_data("chats")
    words = {word: chance.pick(pool) for word, pool in chats["words"].items()}
    for talk in chats["languages"].values():
        for question, answer in talk["openings"] + talk["exchanges"]:
            said = pattern_of(question if sender == "agent" else answer).fullmatch(text)
            if said is not None and sender == "agent":
                return _sentence(answer, {"name": talk["nameless"], **words, **said.groupdict()})
            if said is not None:
                return _sentence(chance.pick(talk["exchanges"])[0], words)
    return None


def _sentence(template: str, words: Mapping[str, str]) -> str:
    text = template.format(**words)
    return text[0].upper() + text[1:]


@cache
def pattern_of(template: str) -> re.Pattern[str]:
    """Return what a text matches that was made from a template of `chats.json`, with a group for each of its words."""
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(template)), re.IGNORECASE | re.DOTALL)
