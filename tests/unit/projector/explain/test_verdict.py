"""How the read model stands to a lead, and what is to be done."""

from projector import capture
from projector.core.refresh import refresh
from projector.operate.explain.model import Explanation
from projector.report.progress import QUIET
from tests.unit.projector.explain.conftest import World


def said(explanation: Explanation) -> str:
    return " ".join(explanation.sentences)


def test_at_rest_the_read_model_shows_what_the_rules_give(world: World) -> None:
    found = world.explain()
    assert (found.state, found.sentences) == ("current", ["The read model shows what the rules give now."])


def test_a_change_that_waits_is_named_with_what_it_will_change(world: World) -> None:
    world.message("m", "2025-02-01")
    world.platform.execute("UPDATE agents SET name = 'Bea'")
    found = world.explain()
    assert (found.state, found.waiting[0].total) == ("waiting", 2)
    assert {(change.kind, change.key) for change in found.waiting} == {
        ("messages", "c-u-1"),
        ("agents", "a-u"),
    }
    assert "2 changes of this lead wait in the queue, since 2" in said(found)
    differing = [one.name for one in found.fields if one.differs]
    assert {"total_messages", "last_message_text", "conversations"} <= set(differing)
    assert f"differs from what the rules give now in {', '.join(differing)}." in said(found)
    [total] = [one for one in found.fields if one.name == "total_messages"]
    assert (total.value, total.read_model) == (1, 0)
    world.refresh()
    assert world.explain().state == "current"


def test_a_change_of_another_lead_does_not_wait_for_this_one(world: World) -> None:
    world.insert("conversations", conversation_id="c2", agent_id="a-u", customer_phone="4917")
    assert world.explain().state == "current"


def test_a_lead_that_the_read_model_does_not_know_yet_is_explained(world: World) -> None:
    world.insert("conversations", conversation_id="c2", agent_id="a-u", customer_phone="+49 17")
    world.message("m", "2025-02-01", conversation_id="c2")
    found = world.explain("4917")
    assert (found.state, found.exists, found.in_read_model) == ("waiting", True, False)
    assert said(found).startswith(
        "The source rows make this lead, and the read model does not have it. 2 changes"
    )
    assert {one.name: one.value for one in found.fields}["total_messages"] == 1


def test_a_conversation_whose_agent_came_to_the_tenant_is_found(world: World) -> None:
    world.insert("users", user_id="v")
    world.platform.execute("UPDATE agents SET user_id = 'v'")
    found = world.explain(user_id="v")
    assert (found.state, found.exists, found.in_read_model) == ("waiting", True, False)
    gone = world.explain()
    assert (gone.state, gone.exists, gone.in_read_model, gone.fields) == ("waiting", False, True, [])
    assert said(gone).startswith(
        "The source rows make this lead no more, and the read model still has it. 1 change of"
    )
    assert [(row.key, row.note) for row in gone.without_effect] == [
        ("c-u-1", "it is gone, or belongs to another lead now")
    ]
    # Of which tenant it is now is not told.
    assert "'v'" not in repr(gone)


def test_a_truncate_waits_for_every_lead(world: World) -> None:
    world.platform.execute("TRUNCATE messages")
    found = world.explain()
    assert found.state == "waiting"
    assert "A source table was truncated, and that waits in the queue" in said(found)


def test_a_queue_longer_than_what_is_looked_at_is_said(world: World) -> None:
    world.platform.execute("ALTER TABLE messages DISABLE TRIGGER USER")
    world.message("m", "2025-02-01")
    world.platform.execute(
        "INSERT INTO projector.changes (shard, kind, keys)"
        " SELECT 0, 'contacts', ARRAY['k' || n] FROM generate_series(1, 10001) AS n"
    )
    found = world.explain()
    assert found.state == "waiting"
    assert "More than 10,000 changes wait" in said(found)


def test_a_difference_of_which_nothing_waits_is_drift(world: World) -> None:
    world.platform.execute(
        'UPDATE read_model.leads SET document = replace(document, \'"name":null\', \'"name":"X"\')'
    )
    found = world.explain()
    assert found.state == "drift"
    assert "differs from what the rules give now in name." in said(found)
    assert "Nothing of the lead waits, so this is drift, a bug: run `verify --user u --heal`" in said(found)


def test_a_difference_while_changes_may_have_been_missed_is_a_gap(world: World) -> None:
    world.platform.execute("ALTER TABLE messages DISABLE TRIGGER USER")
    world.message("m", "2025-02-01")
    capture.open_gap(world.projector, "somebody dropped a trigger")
    found = world.explain()
    assert found.state == "capture_gap"
    assert "Changes may have been missed: somebody dropped a trigger." in said(found)


def test_a_difference_that_a_rebuild_is_to_correct(world: World) -> None:
    world.platform.execute("UPDATE read_model.projection SET version = 'older'")
    world.platform.execute(
        'UPDATE read_model.leads SET document = replace(document, \'"name":null\', \'"name":"X"\')'
    )
    found = world.explain()
    assert found.state == "rebuilding"
    assert "A rebuild is under way, or still to come" in said(found)


def test_a_dead_letter_says_what_failed_when_and_what_to_do(world: World) -> None:
    world.platform.execute("ALTER TABLE read_model.leads ADD CONSTRAINT refused CHECK (total_messages = 0)")
    world.message("m", "2025-02-01")
    refresh(world.projector, retry_failed=False, progress=QUIET)
    found = world.explain()
    assert found.state == "dead_letter"
    [letter] = found.dead_letters
    assert (letter.kind, letter.key, letter.attempts) == ("reload_conversations", "c-u-1", 1)
    assert "The key reload_conversations c-u-1 is set aside: new row for relation" in said(found)
    assert f"It failed first at {letter.first_failed_at}, 1 attempt so far" in said(found)
    assert "run `refresh --retry-failed`" in said(found)
    assert "differs from what the rules give now in total_messages," in said(found)


def test_a_lead_that_cannot_be_computed_shows_the_read_model(world: World) -> None:
    scores = {f"{name}_score": 2_147_483_647 for name in ("intent", "urgency", "budget", "fit", "engagement")}
    world.extraction(1, **scores)
    refresh(world.projector, retry_failed=False, progress=QUIET)
    found = world.explain()
    assert found.state == "dead_letter"
    assert "cannot be computed from its source rows: integer out of range." in said(found)
    values = {one.name: one for one in found.fields}
    assert (values["intent_score"].value, values["intent_score"].differs) == (None, False)
    assert values["intent_score"].sources[0].value == 2_147_483_647
