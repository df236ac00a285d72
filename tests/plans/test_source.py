"""The functions over the platform's tables are inlined where they are called, and its indexes serve them."""

import re
from collections.abc import Iterator
from typing import Any

from projector.core import pipeline
from projector.database.schema import ROOT
from projector.database.sql import steps
from tests.plans.conftest import Crowd
from tests.support.source import SOURCE_TABLES

_CALL = re.compile(r"projector\.(?:source|current)_\w+\(\)")
SOURCE = {table.name for table in SOURCE_TABLES}


def statements() -> Iterator[tuple[str, str]]:
    """The steps of a refresh that read the platform's tables."""
    for folder in sorted(path.name for path in (ROOT / "sql" / "refresh").iterdir()):
        for step in steps(f"refresh/{folder}"):
            if _CALL.search(text := step.text.decode()):
                yield step.name, text


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def test_every_call_is_inlined_and_reads_by_index(crowd: Crowd) -> None:
    seen = []
    with crowd.database.connect() as conn:
        pipeline.prepare_session(conn)
        for name, text in statements():
            row = conn.execute(f"EXPLAIN (FORMAT JSON) {text}", prepare=False).fetchone()
            assert row is not None
            scans = [node for node in nodes(row[0][0]["Plan"]) if "Scan" in node["Node Type"]]
            assert [node for node in scans if node.get("Function Name", "unnest") != "unnest"] == [], name
            read = [node for node in scans if node.get("Relation Name") in SOURCE]
            assert [node for node in read if node["Node Type"] == "Seq Scan"] == [], name
            seen += read
    assert len(seen) > 10
