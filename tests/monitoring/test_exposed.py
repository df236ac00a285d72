"""What the programs print is as Prometheus wants it, and as the page says."""

import re
import subprocess

import pytest

from tests.monitoring.exposed import families, page_of_api, page_of_projector
from tests.support.commands import ROOT
from tests.support.server import Database
from tests.unit.projector.scheduler.running import build

_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", re.MULTILINE)


def told(program: str) -> dict[str, str]:
    """The metrics that the page has of a program, with their types."""
    page = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    return {name: kind for name, kind, of in _ROW.findall(page) if of in (program, "both")}


def test_the_page_has_each_metric_with_its_type(database: Database) -> None:
    assert told("API") == families(page_of_api())
    assert told("projector") == families(page_of_projector(database))


@pytest.mark.prometheus
def test_promtool_finds_nothing_in_the_pages_of_the_programs(database: Database) -> None:
    from api.observe import meters  # noqa: PLC0415

    meters.count_response("/users/<user_id>/leads", 200, 0.01)
    with database.connect() as conn:
        build(conn)
    for page in (page_of_api(), page_of_projector(database)):
        done = subprocess.run(
            ["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
