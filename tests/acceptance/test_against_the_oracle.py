"""Every endpoint over random edge cases, against an independent reading of the same rows.

Once over a platform with `timestamp` columns, once over one with `timestamptz` columns on a database that, like the
operating system, has another time zone and another DateStyle than ours, and whose mapping declares attributes of every
type, of conversations too, beside JSON.
"""

import csv
import io
import json
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from urllib.parse import unquote_to_bytes

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest

from api.request.query import QUERIES, Query
from projector.database.schema import sections
from projector.operate.install import migrate
from tests.acceptance.conftest import NOW, MakePlatform, Platform, expected_answers
from tests.oracle import answers
from tests.oracle.answers import Answer
from tests.oracle.attributes import REFERENCE
from tests.oracle.leads import Model
from tests.oracle.parameters import OF_LIST, OF_MESSAGES, Pairs, Reader, read_parameters
from tests.support import attributes, edge_cases, mutations, queries
from tests.support.cases import cases, repeated
from tests.support.server import Database, Server

SIZE = 60
ZONE = "Asia/Kolkata"
# Those that are counted where a request names none.
FACETS = ("lead_status", "platform", "agent_id", "has_email", "last_message_sender")
RIGHT = ("2025-01-31T09:30:00.123Z", "2025-01-31 09:30+05:30", "7", "true", "whatsapp,webchat")


@contextmanager
def operating_system_zone(zone: str) -> Iterator[None]:
    try:
        with pytest.MonkeyPatch.context() as patches:
            patches.setenv("TZ", zone)
            time.tzset()
            yield
    finally:
        time.tzset()


def create_source(database: Database, times: str) -> None:
    """Source tables whose times are declared so, in a database that is set to another zone and style than ours."""
    declared = re.sub(r"(?<=\w )timestamp\b", times, sections()["source"])
    with psycopg.connect(database.url, autocommit=True) as conn:
        if times == "timestamptz":
            for setting in (
                f"TimeZone = '{ZONE}'",
                "DateStyle = 'SQL, DMY'",
                "IntervalStyle = 'sql_standard'",
            ):
                conn.execute(f'ALTER DATABASE "{database.name}" SET {setting}'.encode())
        conn.execute(declared.encode())
    with database.connect() as conn:
        migrate(conn, create_source=False, mapping=attributes.MAPPING if times == "timestamptz" else None)


@pytest.fixture(scope="module", params=["timestamptz", *repeated("timestamp")])
def edge_cases_database(
    server: Server, request: pytest.FixtureRequest, answers_mb: int
) -> Iterator[tuple[Database, int]]:
    """Written to before and after a first refresh, so that both ways into the read model are at work."""
    zone = ZONE if request.param == "timestamptz" else "UTC"
    with operating_system_zone(zone):
        database = server.create(f"edge_cases_{request.param}_{answers_mb}")
        create_source(database, request.param)
        seed = 1 if request.param == "timestamp" else 2
        yield database, seed
        server.drop(database)


@pytest.fixture(scope="module")
def platform(edge_cases_database: tuple[Database, int], make_platform_once: MakePlatform) -> Platform:
    database, seed = edge_cases_database
    rng = random.Random(seed)
    made = make_platform_once(database, NOW)
    made.declaration = attributes.DECLARATION if database.name.count("timestamptz") else REFERENCE
    edge_cases.write(made.connection, edge_cases.generate(rng, SIZE, now=NOW))
    made.rebuild()
    with database.connect() as writer:
        for _ in range(60):
            mutations.mutate(rng, writer, now=NOW)
        # A TRUNCATE may just have emptied everything.
        edge_cases.write(writer, edge_cases.generate(rng, SIZE, now=NOW))
    made.refresh()
    return made


@pytest.fixture(scope="module")
def model(platform: Platform) -> Model:
    rows = platform.model()
    assert len(rows.all_leads()) > SIZE
    return rows


def compare(platform: Platform, path: str, params: Pairs, expected: Answer) -> None:
    # As a server hands it on; Flask's client would mend broken UTF-8 in a path.
    raw = {"PATH_INFO": unquote_to_bytes(path).decode("latin-1")}
    answer = platform.client.get(f"{path}?{queries.query_string(params)}", environ_overrides=raw)
    assert answers.differences(expected, answer.status_code, answer.get_json()) == [], (path, params)


@cases(("query", "readers"), [(QUERIES["listLeads"], OF_LIST), (QUERIES["getLeadMessages"], OF_MESSAGES)])
def test_the_api_refuses_the_values_that_the_oracle_refuses(query: Query, readers: dict[str, Reader]) -> None:
    """Each of these values, and each that is right in each way damaged, of each parameter."""
    damaged = {
        f"{right[:place]}{damage}{right[end:]}"
        for right in RIGHT
        for place in range(len(right) + 1)
        for end in (place, place + 1)
        for damage in queries.DAMAGES
    }
    # An error names each wrong parameter; two names of one thing are wrong together.
    groups = [readers.keys() - {"start_date", "end_date", "date"}, {"start_date", "end_date"}, {"date"}]
    wrong = []
    for names, value in product(groups, {*RIGHT, *queries.WRONG, *damaged}):
        message = ""
        try:
            query.read(queries.query_string((name, value) for name in names))
        except BadRequest as error:
            message = f"; {error.description}"
        wrong += [
            (name, value, message)
            for name in names
            if (f"; {name} " in message) != read_parameters(readers, [(name, value)]).refused
        ]
    assert wrong == []


@given(data=st.data())
def test_list(platform: Platform, model: Model, data: st.DataObject) -> None:
    user_id = data.draw(st.sampled_from([*model.leads, "nobody"]))
    words = queries.vocabulary(model, user_id)
    params = data.draw(st.one_of(queries.valid_list_params(words), queries.list_params(words)))
    expected = answers.list_leads(model, user_id, params, NOW)
    compare(platform, queries.path(user_id), params, expected)


@given(data=st.data())
def test_series(platform: Platform, model: Model, data: st.DataObject) -> None:
    user_id = data.draw(st.sampled_from([*model.leads, "nobody"]))
    params = data.draw(queries.series_params(queries.vocabulary(model, user_id)))
    expected = answers.series(model, user_id, params)
    compare(platform, queries.path(user_id, "stats", "series"), params, expected)


@given(data=st.data())
def test_facets(platform: Platform, model: Model, data: st.DataObject) -> None:
    user_id = data.draw(st.sampled_from([*model.leads, "nobody"]))
    params = data.draw(queries.list_filters(queries.vocabulary(model, user_id)))
    names = data.draw(st.lists(st.sampled_from([*FACETS, "reply_window"]), unique=True))
    asked = [*params, ("facets", ",".join(names))] if names else params
    answer = platform.client.get(f"{queries.path(user_id, 'facets')}?{queries.query_string(asked)}")
    listed = answers.list_leads(model, user_id, params, NOW)
    assert answer.status_code == listed.status, (params, answer.get_json())
    if listed.status == answers.OK:
        assert answer.headers["X-Total-Count"] == str(listed.body["pagination"]["total"])
        printed = answer.get_json()["data"]
        counted = {name: {word: n for word, n in words.items() if n} for name, words in printed.items()}
        assert counted == answers.facets(model, user_id, names or FACETS, params, NOW), asked
        more = [("facets", "agent_id"), ("include", "agent_names")]
        named = platform.client.get(
            f"{queries.path(user_id, 'facets')}?{queries.query_string([*params, *more])}"
        )
        shown = named.get_json()["data"]
        assert list(shown) == ["agent_id", "agent_names"]
        assert shown["agent_id"] == printed.get("agent_id", shown["agent_id"])
        conversations = (row for lead in model.of_tenant(user_id).values() for row in lead.conversations)
        called = {row.agent_id: row.agent_name for row in conversations}
        assert shown["agent_names"] == {agent: called[agent] for agent in shown["agent_id"]}


@given(data=st.data())
def test_facets_of_attributes(platform: Platform, model: Model, data: st.DataObject) -> None:
    user_id = data.draw(st.sampled_from([*model.leads, "nobody"]))
    words = queries.vocabulary(model, user_id)
    params = data.draw(queries.list_filters(words))
    names = data.draw(st.lists(st.sampled_from([*words.attributes]), min_size=1, max_size=3, unique=True))
    asked = [*params, ("facets", ",".join(f"attributes.{name}" for name in names))]
    answer = platform.client.get(f"{queries.path(user_id, 'facets')}?{queries.query_string(asked)}")
    listed = answers.list_leads(model, user_id, params, NOW)
    if listed.status != answers.OK or not all(map(model.declaration.levels, names)):
        assert answer.status_code == answers.BAD_REQUEST, (params, answer.get_json())
        return
    assert answer.headers["X-Total-Count"] == str(listed.body["pagination"]["total"])
    for name in names:
        printed = answer.get_json()["data"][f"attributes.{name}"]
        expected = answers.facet_of_attribute(model, user_id, name, params, NOW)
        assert printed == expected, (name, asked)
        assert list(printed["values"]) == list(expected["values"])
        # Each count is the total of the list with that value.
        others = [pair for pair in params if pair[0] != f"attributes[{name}]"]
        for value in [*printed["values"]][:2]:
            of_value = [*others, (f"attributes[{name}]", value.replace(",", "\\,"))]
            total = answers.list_leads(model, user_id, of_value, NOW).body["pagination"]["total"]
            assert printed["values"][value] == total


@given(data=st.data())
def test_lookup(platform: Platform, model: Model, data: st.DataObject) -> None:
    user_id = data.draw(st.sampled_from([*model.leads, "nobody"]))
    words = queries.vocabulary(model, user_id)
    of_lead = st.sampled_from(words.phones).flatmap(queries.spellings)
    phones = data.draw(st.lists(st.one_of(of_lead, of_lead, st.sampled_from(("nobody", "", "é")))))
    include = data.draw(st.booleans())
    path = queries.path(user_id, "lookup") + "?include=attributes" * include
    answer = platform.client.post(path, json={"customer_phones": phones})
    expected = [answers.single(model, user_id, phone, include=include).body.get("data") for phone in phones]
    assert answer.get_json()["data"] == expected


@given(data=st.data())
def test_messages(platform: Platform, model: Model, data: st.DataObject) -> None:
    user_id = data.draw(st.sampled_from(list(model.leads)))
    words = queries.vocabulary(model, user_id)
    phone = data.draw(queries.paths_to_leads(words))
    params = data.draw(st.one_of(queries.valid_message_params(words), queries.message_params(words)))
    expected = answers.messages(model, user_id, phone, params, NOW)
    compare(platform, queries.path(user_id, phone, "messages"), params, expected)


@given(data=st.data())
def test_history(platform: Platform, model: Model, data: st.DataObject) -> None:
    user_id = data.draw(st.sampled_from(list(model.leads)))
    phone = data.draw(queries.paths_to_leads(queries.vocabulary(model, user_id)))
    params = data.draw(queries.history_params())
    compare(
        platform,
        queries.path(user_id, phone, "history"),
        params,
        answers.history(model, user_id, phone, params),
    )


@given(data=st.data())
def test_funnel(platform: Platform, model: Model, data: st.DataObject) -> None:
    user_id = data.draw(st.sampled_from([*model.leads, "nobody"]))
    params = data.draw(queries.funnel_params(queries.vocabulary(model, user_id)))
    compare(
        platform, queries.path(user_id, "stats", "funnel"), params, answers.funnel(model, user_id, params)
    )


@given(data=st.data())
def test_single(platform: Platform, model: Model, data: st.DataObject) -> None:
    user_id = data.draw(st.sampled_from([*model.leads, "nobody"]))
    phone = data.draw(queries.paths_to_leads(queries.vocabulary(model, user_id)))
    compare(platform, queries.path(user_id, phone), (), answers.single(model, user_id, phone))


def test_every_tenant_and_lead_and_all_messages(platform: Platform, model: Model) -> None:
    for path, params, expected in expected_answers(model, NOW):
        compare(platform, path, params, expected)


def test_the_moments_of_waiting_are_printed_wherever_leads_are(platform: Platform, model: Model) -> None:
    user_id = max(model.leads, key=lambda tenant: len(model.leads[tenant]))
    leads = {phone: lead.document() | lead.moments() for phone, lead in model.of_tenant(user_id).items()}
    base = queries.path(user_id)
    exported = platform.client.get(f"{base}.ndjson?include=waiting,status_since").text.strip().split("\n")
    assert {row["customer_phone"]: row for row in map(json.loads, exported)} == leads
    phones = [*leads][:100]
    looked_up = platform.client.post(
        f"{base}/lookup?include=waiting,status_since", json={"customer_phones": phones}
    )
    assert looked_up.get_json()["data"] == [leads[phone] for phone in phones]
    phone = next(filter(queries.has_page, phones))
    single = platform.client.get(f"{queries.path(user_id, phone)}?include=waiting,status_since&fields=name")
    moments = model.of_tenant(user_id)[phone].moments()
    assert single.get_json()["data"] == {"name": leads[phone]["name"], **moments}
    rows = csv.DictReader(io.StringIO(platform.client.get(f"{base}.csv?include=waiting,status_since").text))
    assert list(rows.fieldnames or ())[-4:] == [*moments]
    in_csv = sorted([row[name] for name in moments] for row in rows)
    assert in_csv == sorted([str(lead[name] or "") for name in moments] for lead in leads.values())
