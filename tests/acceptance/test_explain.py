"""An explanation prints what the API answers, and its page shows what the command prints."""

import json
import random
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import orjson

from projector.operate.explain import explain_lead, render
from projector.report.progress import QUIET
from projector.trial import demo
from tests.acceptance.conftest import MakePlatform
from tests.support import edge_cases
from tests.support.server import Database

PAGE = Path(__file__).parents[2] / "docs" / "explain.md"
NOW = datetime(2026, 3, 29, 13, 7, 11, tzinfo=UTC)
USER_ID = "789895c8-4bd6-43e9-bfea-a4171ec47197"
PHONE = "918979556941"


def test_each_printed_value_is_that_of_the_api(make_platform: MakePlatform, database: Database) -> None:
    platform = make_platform(database, NOW)
    edge_cases.write(platform.connection, edge_cases.generate(random.Random(7), 30))
    platform.rebuild()
    platform.refresh()
    # A phone with a slash has no page of its own.
    leads = [lead for lead in platform.model().all_leads() if "/" not in lead.customer_phone]
    assert len(leads) > 20
    for lead in leads:
        answer = platform.client.get(f"/users/{quote(lead.user_id)}/leads/{quote(lead.customer_phone)}")
        if lead.customer_phone == "stats":
            continue
        assert answer.status_code == HTTPStatus.OK
        found = explain_lead(platform.connection, lead.user_id, lead.customer_phone)
        printed = {one["field"]: one["value"] for one in found.fields}
        # As texts, so that the order of the keys counts.
        assert json.dumps(printed) == json.dumps(orjson.loads(answer.data)["data"])


def test_the_page_shows_what_the_command_prints(make_platform: MakePlatform, database: Database) -> None:
    platform = make_platform(database, NOW)
    demo.load(
        platform.connection,
        leads=10,
        messages_per_lead=1,
        today=NOW.date(),
        progress=QUIET,
    )
    platform.rebuild()
    platform.refresh()
    printed = render(explain_lead(platform.connection, USER_ID, PHONE))
    shown = PAGE.read_text(encoding="utf-8").split("\n```text\n", 1)[1].split("\n```", 1)[0]
    # A field that was added to the lead since need not be shown.
    lines = shown.splitlines()
    assert [line for line in printed.splitlines() if line in lines] == lines
