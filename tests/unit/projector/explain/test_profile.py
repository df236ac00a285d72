"""The fields that come from one extraction or one contact."""

import pytest

from projector.operate.explain.model import Row
from tests.unit.projector.explain.conftest import World


def notes(rows: list[Row]) -> list[tuple[str, str | None]]:
    return [(row.key[-1], row.note) for row in rows]


def test_a_field_names_the_winning_extraction_and_why_the_others_lost(world: World) -> None:
    world.extraction(1, name="Old", extracted_at="2025-04-01")
    world.extraction(2, name=" Ann ", is_latest=True, extracted_at="2025-03-01 10:00:00.123456")
    world.extraction(3, name="Newer", extracted_at="2025-06-01")
    world.insert("contacts", contact_id="k", user_id="u", phone="+49151000001", name="Contact")
    found = world.field("name")
    assert found.value == "Ann"
    [source] = found.sources
    assert (source.table, source.key[-1], source.column, source.value) == (
        "extractions",
        "2",
        "name",
        " Ann ",
    )
    assert (source.time_column, source.time) == ("extracted_at", "2025-03-01 10:00:00.123456+00")
    assert notes(found.losers) == [
        ("3", "is_latest is not true, as it is of the winner"),
        ("1", "is_latest is not true, as it is of the winner"),
        ("k", "the winning extraction has a name"),
    ]


@pytest.mark.parametrize(
    ("time", "note"),
    [
        ("2025-04-01", "its extracted_at is older"),
        ("2025-05-01", "its extracted_at is the same, and its extraction_id is smaller"),
        (None, "its extracted_at is null"),
    ],
)
def test_among_equals_the_time_decides_and_then_the_key(world: World, time: str | None, note: str) -> None:
    world.extraction(9, lead_status_tag="hot")
    world.extraction(1, lead_status_tag="cold", extracted_at=time)
    found = world.field("lead_status")
    assert (found.value, found.sources[0].column, found.sources[0].value) == ("Hot", "lead_status_tag", "hot")
    assert notes(found.losers) == [("1", note)]


def test_a_blank_name_of_the_winning_extraction_decides_that_the_contact_is_asked(world: World) -> None:
    world.extraction(1, name="Lost", extracted_at="2025-04-01")
    world.extraction(2, name="\t", extracted_at="2025-05-01")
    world.insert(
        "contacts", contact_id="j", user_id="u", phone="49151000001", name="Older", updated_at="2025-01-01"
    )
    world.insert(
        "contacts", contact_id="k", user_id="u", phone="+49151000001", name="Bo", updated_at="2025-02-01"
    )
    found = world.field("name")
    assert (found.value, notes(found.sources)) == ("Bo", [("k", None)])
    assert notes(found.decided_by) == [("2", "it is the winning extraction, and its name is blank")]
    assert notes(found.losers) == [("1", "its extracted_at is older"), ("j", "its updated_at is older")]


def test_both_rows_that_say_nothing_decide_that_there_is_no_name(world: World) -> None:
    world.extraction(2, name="")
    world.insert("contacts", contact_id="k", user_id="u", phone="49151000001", name="\N{NO-BREAK SPACE}")
    found = world.field("name")
    assert (found.value, found.sources) == (None, [])
    assert [key for key, _ in notes(found.decided_by)] == ["2", "k"]


def test_losers_are_bounded_and_the_others_counted(world: World) -> None:
    for number in range(1, 8):
        world.extraction(number, extracted_at=f"2025-05-0{number}", intent_score=2)
    found = world.field("intent_score", candidates=2)
    assert (found.value, [row.key[-1] for row in found.losers], found.more_losers) == (2, ["6", "5"], 4)
    found = world.field("intent_score", candidates=0)
    assert (len(found.sources), found.losers, found.more_losers) == (1, [], 6)


@pytest.mark.parametrize(
    ("scores", "total", "note"),
    [
        ((1, 2, 3, 1, 2), 9, "total_score is null, and so the five scores are added up"),
        (
            (1, 2, None, 1, 2),
            None,
            "total_score is null, and not all five scores are there to be added up",
        ),
    ],
)
def test_a_total_that_is_not_stored_is_the_sum_of_the_five_scores(
    world: World, scores: tuple[int | None, ...], total: int | None, note: str
) -> None:
    names = ("intent_score", "urgency_score", "budget_score", "fit_score", "engagement_score")
    world.extraction(1, **dict(zip(names, scores, strict=True)))
    found = world.field("total_score")
    assert (found.value, found.sources[0].note) == (total, note)


@pytest.mark.parametrize(
    ("name", "value"), [("has_extraction", False), ("extraction_id", None), ("fit_score", None)]
)
def test_a_lead_without_extractions_names_none(world: World, name: str, value: object) -> None:
    found = world.field(name)
    assert (found.value, found.sources, found.losers, found.more_losers) == (value, [], [], 0)
