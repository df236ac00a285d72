"""The explanation as one object for machines."""

import re
from pathlib import Path

import orjson

from projector.operate.explain import as_dict
from tests.unit.projector.explain.conftest import World

PAGE = Path(__file__).parents[3] / "docs" / "explain.md"


def test_the_object_has_the_members_that_the_page_describes(world: World) -> None:
    world.extraction(1, name="Ann")
    world.message("m", "2025-02-01")
    found = as_dict(world.explain())
    assert orjson.loads(orjson.dumps(found)) == found
    described = set(re.findall(r"^\| `([a-z_, `]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    names = {name for cell in described for name in re.split("`, `", cell)}
    members = set(found) | set(found["fields"][1]) | set(found["fields"][1]["sources"][0])
    members |= {name for count in found["fields"][13]["counts"] for name in count}
    members |= set(found["waiting"][0])
    assert members <= names


def test_values_of_rows_are_as_stored_and_paths_name_table_and_key(world: World) -> None:
    world.extraction(1, lead_status_tag=" hOT ")
    world.refresh()
    fields = {one["field"]: one for one in as_dict(world.explain())["fields"]}
    status = fields["lead_status"]
    assert (status["value"], status["sources"][0]["value"], status["differs"]) == ("Hot", " hOT ", False)
    assert "read_model" not in status
    assert fields["platforms"]["sources"][0]["through"] == [
        {"table": "agents", "key": "a-u"},
        {"table": "phone_numbers", "key": "p-u"},
    ]
