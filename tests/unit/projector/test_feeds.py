"""What `status` says of subscriptions. tests/acceptance/test_second_server.py has real ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from projector.database.rows import Connection, Row
from projector.observe.status import as_dict, find_attention, read_status, render

WELL: dict[str, object] = {
    "name": "leads",
    "slot_name": "leads",
    "is_enabled": True,
    "unready_tables": 0,
    "has_worker": True,
    "position": "0/1",
    "errors": 3,
    "bytes_behind": 0,
}


def test_status_tells_of_each_subscription_and_of_what_none_brings(built: Connection) -> None:
    status = read_status(built)
    assert status.projection is not None
    moment = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
    status.projection.proved_at = status.projection.read_at = moment
    status.projection.errors_at_proof = 3
    well = Row(**{**WELL, "bytes_behind": 2048})
    others = [Row(**{**WELL, "is_enabled": False, "errors": 0}), Row(**{**WELL, "has_worker": False})]
    found = replace(status, feeds=[well, *others], unfed_tables=["public.contacts"])
    arrived = "all until 2026-11-25 01:02:03 UTC is proved to have arrived"
    assert [line[13:] for line in render(found).splitlines() if line.startswith("Origin ")] == [
        f"subscription leads: its worker is at 0/1, 2 kB behind; failed 3 times; {arrived}",
        f"subscription leads: disabled; never failed; {arrived}",
        f"subscription leads: no worker; failed 3 times; {arrived}",
        "no subscription brings rows of public.contacts",
    ]
    [sentence] = find_attention(found)
    assert sentence.startswith("Changes of the platform may not arrive: The subscription leads is disabled.")
    [sentence] = find_attention(replace(found, feeds=[Row(**{**WELL, "unready_tables": 1})]))
    assert "The subscription leads has yet to copy 1 table" in sentence
    [sentence] = find_attention(replace(found, feeds=[well]))
    assert "may not arrive: No subscription brings rows of public.contacts." in sentence
    told = as_dict(found)["origin"]
    assert (told["proved_at"], told["unfed_tables"]) == (moment, ["public.contacts"])
    assert told["subscriptions"][0] == {**WELL, "bytes_behind": 2048}
    alone = replace(status, feeds=[well])
    assert find_attention(alone) == []
    status.projection.failed_at, status.projection.read_at = moment, moment + timedelta(minutes=3)
    assert "failed 3 times, seen last 2026-11-25 01:02:03 UTC; " in render(alone)
    [sentence] = find_attention(alone)
    assert "Nothing is proved to have arrived from the platform for 3 min" in sentence
