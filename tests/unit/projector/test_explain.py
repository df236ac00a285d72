"""What `explain` says of a lead: its fields, the rows that compete for them, what waits, and what to do."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from projector.database.rows import Connection
from projector.operate import explain as explaining
from projector.operate.explain import Explanation, explain_in, explain_lead, render
from projector.report.errors import BlockedError, NotInstalledError, ProjectorError, TenantNotFoundError
from tests.exactness.platform import Platform, refresh_now, value

PHONE = "49151000001"
PAGE = Path(__file__).parents[3] / "docs" / "troubleshooting.md"


class World(Platform):
    """The platform's connection and the projector's. Conversation `c-u-1` of tenant `u` is there."""

    def __init__(self, conn: Connection, projector: Connection) -> None:
        super().__init__(conn)
        self.projector = projector

    def extraction(self, number: int, **columns: object) -> None:
        """Insert an extraction of `c-u-1`; its id ends with the number."""
        row = {"conversation_id": "c-u-1", "extracted_at": "2025-05-01", "is_latest": False, **columns}
        self.insert("extractions", extraction_id=f"00000000-0000-0000-0000-{number:012}", **row)

    def write(self, message_id: str, timestamp: str, **columns: object) -> None:
        """Insert a message of `c-u-1`."""
        row = {"conversation_id": "c-u-1", "sender": "user", "text": f"text of {message_id}", **columns}
        self.insert("messages", message_id=message_id, timestamp=timestamp, **row)

    def refresh(self) -> None:
        refresh_now(self.projector)

    def explain(self, phone: str = PHONE, user_id: str = "u", candidates: int = 3) -> Explanation:
        return explain_lead(self.projector, user_id, phone, candidates=candidates)


@pytest.fixture
def world(built: Connection, other: Connection) -> World:
    """A read model of one lead with one conversation, whose times are known."""
    other.execute("UPDATE conversations SET created_at = '2025-01-01'")
    made = World(other, built)
    made.refresh()
    return made


def said(explanation: Explanation) -> str:
    return " ".join(explanation.sentences)


def keys(explanation: Explanation, table: str, column: str) -> list[Any]:
    return [row[column] for row in explanation.candidates[table]["rows"]]


def test_the_rows_that_compete_stand_in_the_order_of_the_rule(world: World) -> None:
    world.extraction(1, name="Old", extracted_at="2025-04-01")
    world.extraction(2, name=" Ann ", is_latest=True, extracted_at="2025-03-01")
    world.extraction(3, name="Newer", extracted_at="2025-06-01")
    for key, phone, time in (("j", PHONE, "2025-01-01"), ("k", f"+{PHONE}", "2025-02-01")):
        world.insert("contacts", contact_id=key, user_id="u", phone=phone, updated_at=time)
    world.write("m1", "2025-02-01 10:00", sequence_no=2)
    world.write("m2", "2025-02-01 10:00", sequence_no=1)
    world.write("m3", "2025-01-05 10:00", text="x" * 300)
    world.insert("templates", template_id="t", user_id="u", phone_number_id="p-u")
    for key, status, day in (("s1", "PENDING", 5), ("s2", "SENT", 3), ("s3", "READ", 4)):
        world.insert(
            "template_sends",
            send_id=key,
            template_id="t",
            customer_phone=PHONE,
            status=status,
            sent_at=f"2025-02-0{day}",
        )
    second = world.conversation("a-u", "+49 151 000001")
    explanation = world.explain()
    assert [key[-1] for key in keys(explanation, "extractions", "extraction_id")] == ["2", "3", "1"]
    # As stored; the printed field is trimmed.
    assert keys(explanation, "extractions", "name")[0] == " Ann "
    assert {field["field"]: field["value"] for field in explanation.fields}["name"] == "Ann"
    assert keys(explanation, "contacts", "contact_id") == ["k", "j"]
    assert keys(explanation, "messages", "message_id") == ["m1", "m2", "m3"]
    assert keys(explanation, "messages", "text")[2] == "x" * 200 + "…"
    assert keys(explanation, "template_sends", "send_id") == ["s3", "s2", "s1"]
    assert keys(explanation, "template_sends", "is_counted") == [True, True, False]
    assert keys(explanation, "conversations", "conversation_id") == ["c-u-1", second]
    assert keys(explanation, "conversations", "message_count") == [3, 0]
    less = world.explain(candidates=1)
    assert (keys(less, "messages", "message_id"), less.candidates["messages"]["more"]) == (["m1", "m2"], True)
    assert not less.candidates["contacts"]["more"]
    as_object = asdict(explanation)
    assert orjson.loads(orjson.dumps(as_object)) == as_object
    section = PAGE.read_text(encoding="utf-8").split("`--json` prints one object", 1)[1].split("\n## ", 1)[0]
    described = set(re.findall(r"`([a-z_]+)`", section))
    members = {*as_object, *as_object["waiting"][0], *as_object["candidates"]["messages"]}
    members |= {name for field in as_object["fields"] for name in field}
    assert members <= described


def test_the_changes_of_the_status_stand_with_their_extractions(world: World) -> None:
    world.extraction(1, lead_status_tag="cold", extracted_at="2025-04-01")
    world.extraction(2, lead_status_tag="hot", extracted_at="2025-05-01")
    explanation = world.explain()
    assert keys(explanation, "status_changes", "lead_status") == ["Hot", "Cold"]
    assert [key[-1] for key in keys(explanation, "status_changes", "extraction_id")] == ["2", "1"]
    fields = {field["field"]: field["value"] for field in explanation.fields}
    assert fields["status_since"] == "2025-05-01T00:00:00.000Z"
    assert "\nChanges of the status, the newest first:\n" in render(explanation)


def test_each_attribute_is_a_field_and_stands_in_the_row_that_gives_it(world: World) -> None:
    world.extraction(1, is_latest=True, requirements="Two rooms")
    world.extraction(2, requirements="x" * 300)
    contact = {"contact_id": "k", "user_id": "u", "phone": PHONE}
    world.insert("contacts", **contact, tags=["vip", " demo "], source="web", opted_out=False)
    world.refresh()
    explanation = world.explain()
    fields = {
        field["field"]: field for field in explanation.fields if field["field"].startswith("attributes.")
    }
    assert {name: field["value"] for name, field in fields.items()} == {
        "attributes.tags": ["vip", "demo"],
        "attributes.source": "web",
        "attributes.opted_out": False,
        "attributes.requirements": "Two rooms",
    }
    assert keys(explanation, "extractions", "requirements") == ["Two rooms", "x" * 200 + "…"]
    assert keys(explanation, "contacts", "tags") == [["vip", "demo"]]
    assert not {"declared_attributes", "attributes"} & explanation.candidates["contacts"]["rows"][0].keys()
    text = render(explanation)
    assert '\nattributes.tags: ["vip", "demo"]\n' in text
    # A line breaks where it is full.
    printed = text.partition("\nContacts, the one that counts first:")[2]
    assert 'source "web"' in " ".join(printed.split())
    assert (explanation.state, explanation.left_out) == ("current", 0)
    world.conn.execute("UPDATE contacts SET source = 'import'")
    waiting = world.explain()
    assert waiting.state == "waiting"
    assert [field for field in waiting.fields if field["differs"]] == [
        {"field": "attributes.source", "value": "import", "differs": True, "read_model": "web"}
    ]


@pytest.mark.parametrize(
    ("table", "attributes", "field", "read_model"),
    [
        ("lead_profiles", '{"source": "fair"}', "attributes.source", "fair"),
        ("lead_profiles", '{"source": "web", "more": 1}', "attributes.more", 1),
        ("lead_profiles", None, "attributes.source", None),
        ("lead_conversations", '{"label": "x"}', "conversations", {"label": "x"}),
    ],
)
def test_drift_of_an_attribute_is_told(
    world: World, table: str, attributes: str | None, field: str, read_model: object
) -> None:
    world.insert("contacts", contact_id="k", user_id="u", phone=PHONE, source="web")
    world.refresh()
    world.conn.execute(f"UPDATE read_model.{table} SET attributes = %s".encode(), (attributes,))
    explanation = world.explain()
    [drifted] = [printed for printed in explanation.fields if printed["differs"]]
    assert (explanation.state, drifted["field"]) == ("drift", field)
    if field == "conversations":
        assert [conversation["attributes"] for conversation in drifted["read_model"]] == [read_model]
    else:
        assert drifted["read_model"] == read_model


def test_attributes_that_are_left_out_are_counted_and_long_values_are_cut(world: World) -> None:
    world.insert("contacts", contact_id="k", user_id="u", phone=PHONE, tags=["x" * 2000] * 6)
    world.refresh()
    explanation = world.explain()
    assert explanation.left_out == 1
    assert "1 attribute is left out: beyond 64 or 8 KiB" in said(explanation)
    [tags] = keys(explanation, "contacts", "tags")
    assert tags == f'["{"x" * 198}…'
    row = {"user_id": "u", "contact_id": "k", "attributes": {"city": "Pune", "note": "x" * 300}}
    assert explaining._shortened(row) == {"contact_id": "k", "attributes": row["attributes"]}  # noqa: SLF001
    long = {"contact_id": "k", "attributes": {"note": "x" * 3000}}
    assert len(str(explaining._shortened(long)["attributes"])) == 2001  # noqa: SLF001


def test_what_cannot_be_explained_is_an_error(world: World) -> None:
    with pytest.raises(TenantNotFoundError, match="There is no tenant 'nobody'"):
        world.explain(user_id="nobody")
    with pytest.raises(ProjectorError, match="The phone is blank"):
        world.explain(" ")
    world.conn.execute("TRUNCATE read_model.projection")
    with pytest.raises(NotInstalledError, match="never built"):
        world.explain()


def test_nothing_can_be_written_and_nothing_is_left(world: World) -> None:
    explaining.prepare(world.projector)
    with world.projector.transaction():
        explain_in(world.projector, "u", PHONE, candidates=3)
        assert value(world.projector, "SELECT current_setting('statement_timeout')") == "30s"
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), world.projector.transaction():
            world.projector.execute("DELETE FROM messages")
    assert world.projector.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert value(world.projector, "SELECT current_setting('statement_timeout')") == "0"
    assert value(world.projector, "SELECT current_setting('transaction_read_only')") == "off"


@pytest.mark.usefixtures("impatient")
def test_a_table_that_another_session_holds_is_given_up(world: World) -> None:
    with world.conn.transaction():
        world.conn.execute("LOCK messages IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(BlockedError, match="another session holds one"):
            world.explain()


def test_a_statement_that_takes_too_long_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> None:
        raise psycopg.errors.QueryCanceled("canceling statement due to statement timeout")

    monkeypatch.setattr(explaining, "explain_in", slow)
    with pytest.raises(BlockedError, match="could not be read in 30 s"):
        world.explain()


OTHER_NAME = 'UPDATE read_model.leads SET document = replace(document, \'"name":null\', \'"name":"X"\')'


@pytest.mark.parametrize(
    ("changes", "state", "sentence"),
    [
        (
            "INSERT INTO users (user_id) VALUES ('v'); UPDATE agents SET user_id = 'v'",
            "waiting",
            "The source rows make this lead no more, and the read model still has it. 1",
        ),
        ("TRUNCATE messages", "waiting", "A source table was truncated, and that waits in the queue"),
        ("DELETE FROM read_model.leads", "drift", "the read model does not have it"),
        (
            f"{OTHER_NAME}; INSERT INTO projector.capture_gaps (reason) VALUES ('somebody dropped a trigger')",
            "capture_gap",
            "Changes may have been missed: somebody dropped a trigger.",
        ),
        (
            f"{OTHER_NAME}; UPDATE read_model.projection SET version = 'older'",
            "rebuilding",
            "A rebuild is under way, or still to come",
        ),
    ],
)
def test_what_makes_a_difference_is_said(world: World, changes: str, state: str, sentence: str) -> None:
    world.conn.execute(changes.encode(), prepare=False)
    explanation = world.explain()
    assert (explanation.state, explanation.exists) == (state, "no more" not in sentence)
    assert sentence in said(explanation)
    # Of which tenant it is now is not told.
    assert "'v'" not in repr(explanation)


def test_a_lead_that_cannot_be_computed_shows_the_read_model(world: World) -> None:
    scores = {f"{name}_score": 2_147_483_647 for name in ("intent", "urgency", "budget", "fit", "engagement")}
    world.extraction(1, **scores)
    world.refresh()
    explanation = world.explain()
    assert (explanation.state, explanation.exists) == ("dead_letter", True)
    assert "cannot be computed from its source rows: integer out of range." in said(explanation)
    values = {field["field"]: field for field in explanation.fields}
    assert (values["intent_score"]["value"], values["intent_score"]["differs"]) == (None, False)
    assert keys(explanation, "extractions", "intent_score") == [2_147_483_647]


def test_what_is_no_phone_has_near_ones_too_and_another_tenant_is_not_revealed(world: World) -> None:
    world.conversation("a-u", "web-session-17")
    world.insert("users", user_id="v")
    world.refresh()
    assert world.explain("WEB-SESSION-17").nearest == ["web-session-17"]
    assert world.explain("web-session-18").nearest == ["web-session-17"]
    assert (world.explain("other").nearest, world.explain("4915100001", user_id="v").nearest) == ([], [])


def test_rows_that_make_no_lead_are_shown(world: World) -> None:
    world.insert("contacts", contact_id="k", user_id="u", phone="+3917")
    world.refresh()
    explanation = world.explain("3917")
    assert (explanation.state, explanation.is_there, keys(explanation, "contacts", "contact_id")) == (
        "no_lead",
        False,
        ["k"],
    )
    assert "It has rows with this phone, but none that makes a lead" in said(explanation)
    assert '\nContacts, the one that counts first:\n- contact_id "k", ' in render(explanation)


def test_lines_fit_a_terminal_and_rows_cannot_harm_it(world: World) -> None:
    evil = "\x1b]0;evil\x07\x1b[2J\r\n\N{RIGHT-TO-LEFT OVERRIDE}"
    world.extraction(1, name=evil)
    world.write("m" * 200 + "\x1b[0m", "2025-01-02", text=evil * 40)
    for phone in (PHONE, "\x1b[31m49151000001"):
        text = render(world.explain(phone))
        assert max(map(len, text.splitlines())) <= 80
        assert all(line.isprintable() for line in text.splitlines())
