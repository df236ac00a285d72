"""The page of explanations shows what the command prints."""

from datetime import UTC, datetime
from pathlib import Path

from projector.operate.explain import explain_lead, render
from projector.report.progress import QUIET
from projector.trial import demo
from tests.acceptance.conftest import MakePlatform
from tests.support.server import Database

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
NOW = datetime(2026, 3, 29, 13, 7, 11, tzinfo=UTC)
USER_ID = "789895c8-4bd6-43e9-bfea-a4171ec47197"
PHONE = "918979556941"


def test_the_page_shows_what_the_command_prints(make_platform: MakePlatform, database: Database) -> None:
    platform = make_platform(database, NOW)
    demo.load(platform.connection, leads=10, messages_per_lead=1, today=NOW.date(), progress=QUIET)
    platform.rebuild()
    platform.refresh()
    printed = render(explain_lead(platform.connection, USER_ID, PHONE))
    shown = PAGE.read_text(encoding="utf-8").split("\n```text\n", 1)[1].split("\n```", 1)[0]
    # The page leaves out most fields and rows.
    lines = [line for line in shown.splitlines() if line]
    assert [line for line in printed.splitlines() if line in lines] == lines
