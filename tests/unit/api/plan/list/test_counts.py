"""Totals within any time range, wherever it starts and ends in an hour and a day: the buckets add up to the count."""

from datetime import timedelta
from itertools import pairwise
from random import Random

from api.database.pool import Database as ApiDatabase
from api.plan.list.pages import list_leads
from api.request.cursor import encode, scope_of
from api.request.query import LIST_QUERY
from api.request.text import format_time
from tests.support.cases import cases
from tests.unit.api.plan.conftest import NOON, USER, Connection, count_leads, some_time


@cases(
    ("also", "condition"),
    [
        ("", "true"),
        ("&offset=30000", "true"),
        ("&sort_by=name&sort_order=asc", "true"),
        ("&platform=webchat", "on_webchat"),
        ("&platform=whatsapp", "on_whatsapp"),
        ("&platform=whatsapp,webchat", "(on_whatsapp OR on_webchat)"),
        ("&lead_status=Hot", "lead_status = 'Hot'"),
        ("&lead_status=Warm,Cold&offset=30000", "lead_status IN ('Warm', 'Cold')"),
        ("&has_email=true", "has_email"),
        ("&has_email=false&sort_by=total_messages", "NOT has_email"),
        ("&has_extraction=true&sort_order=asc", "has_extraction"),
        ("&has_extraction=false", "NOT has_extraction"),
        ("&has_extraction=true&has_email=false", "has_extraction AND NOT has_email"),
        ("&last_message_sender=user", "last_message_sender = 'user'"),
        ("&last_message_sender=agent&offset=30000", "last_message_sender = 'agent'"),
        ("&last_message_sender=agent&has_email=true", "last_message_sender = 'agent' AND has_email"),
        ("&has_conversation=true", "has_conversation"),
        ("&is_active=true&has_email=true", "has_email"),
    ],
)
def test_the_total_between_any_two_moments(
    api: ApiDatabase, leads: Connection, also: str, condition: str
) -> None:
    rng = Random(3)
    for number in range(24):
        start, end = sorted((some_time(rng, -45, 4), some_time(rng, -45, 4)))
        if number % 3:
            # Within an hour or so, or a day.
            end = start + timedelta(milliseconds=rng.randrange((2_000_000, 60_000_000)[number % 2]))
        query = f"limit=3&from_date={start:%FT%T.%f}Z&to_date={end:%FT%T.%f}Z{also}"
        row = api.fetch(list_leads(USER, LIST_QUERY.read(query), NOON))
        assert row.total == count_leads(leads, start, end, condition), query


def test_a_page_goes_on_among_leads_of_the_first_moment_of_an_hour(
    api: ApiDatabase, leads: Connection
) -> None:
    rows = leads.execute(
        "SELECT last_message_at, customer_phone FROM read_model.leads WHERE user_id = %s"
        ' ORDER BY last_message_at DESC, customer_phone COLLATE "C" DESC',
        (USER,),
    ).fetchall()
    equal = [(one, other) for one, other in pairwise(rows) if one[0] == other[0]]
    assert len(equal) > 5
    scope = scope_of(LIST_QUERY.read("platform=webchat").page.asked, (USER,))
    for (moment, phone), (_, next_phone) in equal:
        cursor = encode(scope, [format_time(moment), phone])
        parameters = LIST_QUERY.read(f"platform=webchat&limit=1&cursor={cursor}", USER)
        row = api.fetch(list_leads(USER, parameters, NOON, collect_matches=True))
        assert row.page[0].startswith(f'{{"customer_phone":"{next_phone}"'.encode())
