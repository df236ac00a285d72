"""The talk of the demo: what is said next, and a thread that nobody waits for."""

import re
from collections.abc import Callable

import pytest

from projector.database.rows import Connection
from projector.report.progress import QUIET
from projector.sweep.verify import verify
from projector.trial.demo import talk
from projector.trial.demo.tenant import Chance, load_data
from tests.support.patience import PATIENCE
from tests.support.running import value, wait_until, write_message
from tests.support.server import Database
from tests.unit.projector.recovering import healed

CHATS = load_data("chats")
WORDS = {"name": "Ann", **{word: pool[0] for word, pool in CHATS["words"].items()}}
QUESTION, ANSWER = CHATS["languages"]["ru"]["exchanges"][1]
MESSAGES = "SELECT string_agg(sender || ': ' || text, '; ' ORDER BY sequence_no) FROM messages"


Begin = Callable[[str], talk.Talk]


@pytest.fixture
def begin(database: Database, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Begins a talk in which somebody writes every few milliseconds."""
    for name in ("_LEAST_SECONDS", "_MOST_SECONDS"):
        monkeypatch.setattr(talk, name, 0.02)

    def started(user_id: str) -> talk.Talk:
        made = talk.Talk(user_id)
        made.begin(database.url)
        return made

    return started


def test_each_text_of_the_demo_has_an_answer_in_its_language_and_another_question_after_it() -> None:
    chance = Chance(1)

    def groups(template: str, text: str | None) -> dict[str, str]:
        said = talk.pattern_of(template).fullmatch(text or "")
        return said.groupdict() if said else {"no": template}

    for language in CHATS["languages"].values():
        for question, answer in language["openings"] + language["exchanges"]:
            asked, answered = (text.format(**WORDS) for text in (question, answer))
            words = groups(answer, talk.continue_talk(asked[0].upper() + asked[1:], chance, "agent"))
            assert set(words) <= set(WORDS), question
            # What the customer has named is named again.
            named = groups(question, asked).keys() & words
            assert [words[word].lower() for word in named] == [WORDS[word].lower() for word in named]
            next_question = talk.continue_talk(answered, chance, "user")
            assert any("no" not in groups(text, next_question) for text, _ in language["exchanges"]), answer
    assert talk.continue_talk("What nobody of the demo says", chance, "agent") is None


def test_agent_and_customer_write_in_turn_into_the_demo_alone(built: Connection, other: Connection) -> None:
    chance = Chance(1)
    talk.write_next(built, "u", chance)
    write_message(other, "m", text="My own text")
    healed(built)
    talk.write_next(built, "u", chance)
    assert value(other, MESSAGES) == "user: My own text"
    other.execute("UPDATE messages SET text = %s, sequence_no = 1", (QUESTION,))
    healed(built)
    talk.write_next(built, "nobody", chance)
    assert value(other, MESSAGES) == f"user: {QUESTION}"
    # Another run that goes on with the same conversation adds nothing.
    for _ in range(2):
        talk.write_next(built, "u", chance)
    assert value(other, MESSAGES) == f"user: {QUESTION}; agent: {ANSWER}"
    healed(built)
    talk.write_next(built, "u", chance)
    assert re.fullmatch(f"user: {re.escape(QUESTION)}; agent: {ANSWER}; user: .+", value(other, MESSAGES))
    healed(built)
    assert verify(built, tenants=None, sample=None, heal=False, progress=QUIET).drifts == []


def test_nobody_waits_for_the_talk(
    built: Connection, other: Connection, begin: Begin, capsys: pytest.CaptureFixture[str]
) -> None:
    sessions = "FROM pg_stat_activity WHERE application_name = 'leads-projector trial'"
    write_message(other, "m", text=QUESTION)
    healed(built)
    with other.transaction():
        other.execute("LOCK TABLE messages")
        held = begin("u")
        wait_until(built, f"count(*) = 1 {sessions} AND wait_event_type = 'Lock'")
        held.stop()
        # Python does not wait for such a thread at its end, and PostgreSQL ends its session.
        assert held.is_alive()
        assert held.daemon
        built.execute(f"SELECT pg_terminate_backend(pid) {sessions}".encode())
        held.join(PATIENCE)
    assert value(other, MESSAGES) == f"user: {QUESTION}"
    stopped, broken = begin("u"), begin("nobody")
    wait_until(other, "count(*) = 2 FROM messages")
    stopped.stop()
    stopped.join(PATIENCE)
    assert capsys.readouterr().err == ""
    built.execute(f"SELECT pg_terminate_backend(pid) {sessions}".encode())
    broken.join(PATIENCE)
    assert "The demo stands still until the next `make run`: " in capsys.readouterr().err
    assert not any(thread.is_alive() for thread in (held, stopped, broken))
