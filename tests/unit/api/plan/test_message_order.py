"""Messages before and after others, however equal their times and numbers are; tests/acceptance has the pages."""

from urllib.parse import quote

from flask.testing import FlaskClient

from tests.support import queries
from tests.unit.api.conftest import Library


def test_before_and_after_each_message_and_from_each_time_to_itself(
    client: FlaskClient, library: Library
) -> None:
    """A time range has the whole of its last millisecond and no more."""
    equal = 0
    for lead in library.model.all_leads():
        if not queries.has_page(lead.customer_phone):
            continue
        base = f"{queries.path(lead.user_id, lead.customer_phone, 'messages')}?limit=200"

        def ids(query: str, base: str = base) -> list[str]:
            data = client.get(f"{base}&{query}").get_json()["data"]
            assert data["pagination"]["total"] == len(data["messages"])
            return [message["message_id"] for message in data["messages"]]

        whole = ids("")
        for place, message_id in enumerate(whole):
            named = quote(message_id)
            assert ids(f"before={named}") == whole[:place]
            assert ids(f"after={named}&sort_order=desc") == whole[:place:-1]
        times = [str(message.document()["timestamp"]) for message in lead.messages]
        equal += len(times) - len(set(times))
        for time in set(times):
            within = [message for message, at in zip(whole, times, strict=True) if at == time]
            assert ids(f"from_date={time}&to_date={time}") == within
    assert equal > 20
