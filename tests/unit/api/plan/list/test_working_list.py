"""The filters of a working list: any conversation has the value, each filter by itself."""

from collections.abc import Iterator

import pytest

from api.config import Config
from api.database.pool import Database as ApiDatabase
from api.plan.list.statement import list_leads
from api.request.parameters import LIST_QUERY
from tests.exactness.platform import Platform, refresh_now
from tests.support.server import Database, Server
from tests.unit.api.plan.conftest import NOON


@pytest.fixture(scope="module")
def api(server: Server, template: Database) -> Iterator[ApiDatabase]:
    """An API over some leads: one of two agents, one with an ended conversation, one of a template send."""
    database = server.create("working_list", template=template.name)
    with database.connect() as conn:
        world = Platform(conn)
        world.tenant("one")
        for agent, channel in (("a", "p"), ("b", "q")):
            world.insert("phone_numbers", id=channel, user_id="one", platform="whatsapp")
            world.insert("agents", agent_id=agent, user_id="one", phone_number_id=channel, name="Ava")
        for number, (agent, phone, is_active) in enumerate(
            (("a", "1", True), ("b", "1", False), ("b", "2", None), ("a", "4", True))
        ):
            world.insert(
                "conversations",
                conversation_id=f"c{number}",
                agent_id=agent,
                customer_phone=phone,
                is_active=is_active,
            )
        for number, (conversation, sender) in enumerate(
            (("c0", "user"), ("c1", "agent"), ("c2", "user"), ("c3", "User"))
        ):
            world.insert(
                "messages",
                message_id=f"m{number}",
                conversation_id=conversation,
                sender=sender,
                timestamp=f"2025-01-0{number + 1}",
            )
        world.send(world.template("one"), "3")
        refresh_now(conn)
    opened = ApiDatabase(Config(database.url))
    yield opened
    opened.engine.dispose()
    server.drop(database)


@pytest.mark.parametrize(
    ("query", "phones"),
    [
        ("agent_id=a", "14"),
        ("agent_id=b", "12"),
        ("agent_id=A", ""),
        ("phone_number_id=q", "12"),
        ("phone_number_id=q&agent_id=a", "1"),
        ("is_active=true", "14"),
        ("is_active=false", "12"),
        # The active conversation is the other agent's.
        ("is_active=true&agent_id=b", "1"),
        ("is_active=true&agent_id=a&phone_number_id=q&is_active=true", "1"),
        ("agent_id=b&search=2", "2"),
        ("agent_id=b&customer_phone=2", "2"),
        ("agent_id=b&has_email=false&platform=whatsapp&date=2025-01-03", "2"),
        # As the lead prints it, so a sender that is neither is none of them.
        ("last_message_sender=user", "2"),
        ("last_message_sender=agent", "1"),
        ("last_message_sender=user&agent_id=a", ""),
        ("last_message_sender=agent&lead_status=Hot", ""),
        ("last_message_sender=agent&platform=whatsapp&has_conversation=true", "1"),
        ("has_conversation=true", "124"),
        ("has_conversation=false", "3"),
        ("has_conversation=false&platform=whatsapp", "3"),
        ("has_conversation=false&agent_id=a", ""),
        ("has_conversation=true&days=36500", "124"),
    ],
)
@pytest.mark.parametrize("collect_matches", [False, True])
@pytest.mark.parametrize("sort", ["", "&sort_by=name", "&sort_by=total_messages&offset=1", "&offset=20001"])
def test_the_leads_and_their_number(
    api: ApiDatabase,
    query: str,
    phones: str,
    sort: str,
    collect_matches: bool,  # noqa: FBT001  # A parameter.
) -> None:
    parameters = LIST_QUERY.read(f"{query}{sort}&sort_order=asc")
    row = api.fetch(list_leads("one", parameters, NOON, collect_matches=collect_matches))
    assert row.total == len(phones)
    if "offset" not in sort:
        found = [phone for phone in "1234" if f'"customer_phone":"{phone}"'.encode() in b",".join(row.page)]
        assert found == list(phones)
    elif "total_messages" in sort:
        assert b",".join(row.page).count(b'"customer_phone"') == max(len(phones) - 1, 0)
    else:
        assert row.page == []
