"""Every curl line of the documents runs on the demo data, and together they show all that the API takes."""

import csv
import io
import re
import shlex
import shutil
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import orjson
import psycopg
import pytest
import yaml
from werkzeug.test import TestResponse

from api.request.position import change_token
from api.request.position.change_token import LEADS, STATUSES, Position
from api.request.query import QUERIES
from api.response.openapi import document
from projector.capture.texts import read_mapping
from projector.observe.status.read import read_status
from projector.observe.status.render import render
from projector.operate.explain import explain_lead
from projector.operate.explain import render as render_explanation
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep.verify import verify
from projector.trial import demo
from tests.acceptance.conftest import NOW, MakePlatform, Platform
from tests.support.server import Database, Server

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
DATABASE = (ROOT / "docs" / "your-database.md").read_text(encoding="utf-8")
STATUS = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
TROUBLESHOOTING = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
CURL = re.compile(r"^curl .*$", re.MULTILINE)
COPIES = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
API_LINES = CURL.findall(API) + CURL.findall(COPIES)
START = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
LINES = list(
    dict.fromkeys(CURL.findall(README) + re.findall(r"^ +(curl .*)$", START, re.MULTILINE) + API_LINES)
)
TEMPLATES = {
    re.compile(re.sub(r"\{\w+\}", "[^/]+", path)): operation
    for path, operations in orjson.loads(document())["paths"].items()
    for operation in operations.values()
}
PARAMETERS = sorted(
    (operation["operationId"], parameter["name"])
    for operation in TEMPLATES.values()
    for parameter in operation.get("parameters", [])
    # The others take the filters of the list, which has a line for each.
    if parameter["in"] == "query"
    and not (
        (operation["tags"] == ["Copies"] or operation["operationId"] == "getLeadFacets")
        and parameter["name"] in QUERIES["listLeads"].parameters
    )
)


@pytest.fixture(scope="module")
def demo_database(server: Server, template: Database, answers_mb: int) -> Iterator[Database]:
    made = server.create(f"readme_{answers_mb}", template=template.name)
    yield made
    server.drop(made)


@pytest.fixture(scope="module")
def platform(make_platform_once: MakePlatform, demo_database: Database) -> Platform:
    """The demo as `make run` loads it, and changes after that, the last one of a status."""
    made = make_platform_once(demo_database, NOW)
    demo.load(made.connection, now=NOW, progress=QUIET)
    made.rebuild()
    made.connection.execute("UPDATE contacts SET name = 'Somebody new' WHERE contact_id LIKE '%0'")
    made.refresh()
    made.connection.execute(
        "UPDATE extractions SET lead_status_tag = 'Hot' WHERE extraction_id = ("
        " SELECT min(e.extraction_id::text)::uuid FROM extractions AS e"
        " JOIN conversations AS c USING (conversation_id) JOIN agents AS a USING (agent_id)"
        " WHERE a.user_id = '5d1c2a77-0b3e-4f56-9a84-2c6e8f90b1d3' AND e.is_latest AND e.lead_status_tag = 'Cold')"
    )
    made.refresh()
    return made


def url_of(line: str) -> str:
    return next(word for word in shlex.split(line) if word.startswith("http"))


def operation_of(line: str) -> str:
    """The endpoint that a line calls; `stats`, `facets` and `lookup` before the lead of that name."""
    path = urlsplit(url_of(line)).path
    operations = [
        str(operation["operationId"]) for pattern, operation in TEMPLATES.items() if pattern.fullmatch(path)
    ]
    return "".join(operations[:1])


def call(platform: Platform, line: str) -> TestResponse:
    words = shlex.split(line)
    headers = [words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H"]
    url = url_of(line).removeprefix("http://localhost:4000")
    if "since=TOKEN" in url:
        url = url.replace("TOKEN", token_before_the_last_change(platform, urlsplit(url).path))
    if "--json" in words:
        return platform.client.post(url, data=words[words.index("--json") + 1], headers=dict(headers))
    return platform.client.get(url, headers=dict(headers))


def token_before_the_last_change(platform: Platform, path: str) -> str:
    tenant = path.split("/")[2]
    feed = STATUSES if path.endswith("/status-changes") else LEADS
    now = change_token.read(tenant, platform.client.get(path).get_json()["next"], feed)
    before = now._replace(position=Position(now.position.version - 1))
    return change_token.write(tenant, before, feed)


def test_each_line_runs_and_has_something_to_show(platform: Platform) -> None:
    for line in LINES:
        answer = call(platform, line)
        assert answer.status_code == HTTPStatus.OK, line
        # Else curl takes brackets for a list of addresses.
        assert ("[" in url_of(line)) == ("-g" in shlex.split(line)), line
        if operation_of(line).startswith("export"):
            is_table = answer.mimetype == "text/csv"
            lines = list(csv.reader(io.StringIO(answer.text)))[1:] if is_table else answer.text.splitlines()
            assert len(lines) == int(answer.headers["X-Total-Count"]) > 0, line
        if operation_of(line) in ("listLeads", "getLeadMessages"):
            assert answer.json is not None
            assert answer.json["data"], line
            pagination = answer.json.get("pagination") or answer.json["data"]["pagination"]
            assert pagination["total"] > 0, line
        if "since=TOKEN" in line:
            # It waits for as long as it says if there is none.
            assert answer.json is not None
            assert answer.json["data"], line


def test_the_parquet_line_has_the_leads_of_the_export(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [line] = [candidate for candidate in CURL.findall(COPIES) if "-fo leads.ndjson" in candidate]
    exported = call(platform, line).data
    Path("leads.ndjson").write_bytes(exported)
    [statement] = re.findall(r'^duckdb -c "(.+)"$', COPIES, re.MULTILINE)
    duckdb.execute(statement)
    moment = "strftime(last_message_at, '%Y-%m-%dT%H:%M:%S.%gZ')"
    columns = f"customer_phone, name, total_score, platforms, {moment}"
    converted = duckdb.execute(f"SELECT {columns} FROM 'leads.parquet'").fetchall()
    names = ("customer_phone", "name", "total_score", "platforms", "last_message_at")
    leads = map(orjson.loads, exported.splitlines())
    assert converted == [tuple(lead[name] for name in names) for lead in leads]


def test_the_sources_of_dbt_are_the_views_and_pass_their_tests(platform: Platform) -> None:
    [text] = re.findall(r"^```yaml\n(.*?)^```", COPIES, re.MULTILINE | re.DOTALL)
    [source] = yaml.safe_load(text)["sources"]
    tables = {table["name"]: [column["name"] for column in table["columns"]] for table in source["tables"]}
    views = "SELECT viewname FROM pg_views WHERE schemaname = %s"
    assert set(tables) == {name for (name,) in platform.connection.execute(views, (source["schema"],))}
    for table, columns in tables.items():
        numbers = ", ".join(f"count(*) - count({column})" for column in columns)
        query = f"SELECT count(*), {numbers} FROM {source['schema']}.{table}"
        [(rows, *nulls)] = platform.connection.execute(query.encode()).fetchall()
        assert rows > 0
        assert nulls == [0] * len(columns)


def sql_blocks(page: str) -> list[str]:
    return re.findall(
        r"^```sql\n(.*?)^```", (ROOT / "docs" / page).read_text("utf-8"), re.MULTILINE | re.DOTALL
    )


def test_the_sql_of_the_documents_shows_each_login_what_it_says(platform: Platform) -> None:
    run, tenant = platform.connection.execute, urlsplit(url_of(CURL.findall(README)[0])).path.split("/")[2]
    queries, *readers = (text.replace("'u1'", f"'{tenant}'") for text in sql_blocks("export.md"))
    [connecting] = sql_blocks("internals/locks.md")
    explain = sql_blocks("internals/row-security.md")[0].replace("u1", "5d1c2a77-0b3e-4f56-9a84-2c6e8f90b1d3")
    may_connect = "SELECT has_database_privilege(current_user, current_database(), 'CONNECT')"

    def read_as(login: str, query: str) -> list[Any]:
        with platform.connection.transaction(force_rollback=True):
            run("SET LOCAL row_security = on")
            run(f"SET LOCAL ROLE {login}".encode())
            return [value for (value,) in run(query.encode()).fetchall()]

    with platform.connection.transaction(force_rollback=True):
        for text in (
            queries,
            *readers,
            "CREATE ROLE leads_web",
            "CREATE ROLE platform",
            "ANALYZE read_model.leads",
        ):
            run(text.encode(), prepare=False)
        assert len(read_as("analyst", "SELECT DISTINCT user_id FROM leads_sql.leads")) > 1
        assert read_as("analyst", "SELECT as_of FROM read_model.freshness")
        assert read_as("partner", "SELECT DISTINCT user_id FROM public.our_leads") == [tenant]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            read_as("partner", "SELECT user_id FROM leads_sql.leads")
        # If PostgreSQL ever says no more of the 2,000 leads, the page has to change.
        assert re.search(r"rows=\d{4}", str(read_as("leads_api", explain)))
        before = read_as("partner", may_connect)
        run(
            connecting.replace(
                " DATABASE platform ", f" DATABASE {platform.connection.info.dbname} "
            ).encode(),
            prepare=False,
        )
        may = [read_as(login, may_connect) for login in ("partner", "analyst")]
        assert (before, may) == ([True], [[False], [True]])


def test_the_documented_attributes_answer_the_question(
    make_platform: MakePlatform, database: Database, tmp_path: Path
) -> None:
    """From a column of the platform to the leads of Pune with a budget of 10 or more who are tagged vip."""
    platform = make_platform(database, NOW)
    run = platform.connection.execute
    run("ALTER TABLE contacts ADD COLUMN city text, ADD COLUMN budget numeric, ADD COLUMN extra jsonb")
    run(
        "INSERT INTO users (user_id) VALUES ('u1'); INSERT INTO phone_numbers (id, user_id) VALUES ('p', 'u1')"
    )
    run("INSERT INTO agents (agent_id, user_id, phone_number_id) VALUES ('a', 'u1', 'p')")
    for phone, city, budget, tags in (
        ("1", "Pune", "12.50", ["vip"]),
        ("2", "Pune", "9.5", ["vip"]),
        ("3", "Pune", "30", ["demo"]),
        ("4", "Mumbai", "30", ["demo", "vip"]),
    ):
        run(
            "INSERT INTO conversations (conversation_id, agent_id, customer_phone, created_at)"
            " VALUES (%(phone)s, 'a', %(phone)s, now())",
            {"phone": phone},
        )
        run(
            "INSERT INTO contacts (contact_id, user_id, phone, city, budget, tags, extra)"
            """ VALUES (%(phone)s, 'u1', %(phone)s, %(city)s, %(budget)s, %(tags)s, '{"plan": "gold"}')""",
            {"phone": phone, "city": city, "budget": budget, "tags": tags},
        )
    folder = Path(shutil.copytree(ROOT / "sql" / "mapping", tmp_path / "our-tables"))
    [contacts] = [block for block in sql_blocks("your-database.md") if "AS attributes" in block]
    (folder / "contacts.sql").write_text(contacts, "utf-8")
    migrate(platform.connection, create_source=False, mapping=read_mapping(str(folder)))
    platform.rebuild()
    [line] = [line for line in CURL.findall(DATABASE) if "attributes[city]=Pune" in line]
    answer = call(platform, line)
    assert answer.json is not None
    assert [(lead["customer_phone"], lead["attributes"]) for lead in answer.json["data"]] == [
        ("1", {"tags": ["vip"], "city": "Pune", "budget": 12.5, "plan": "gold"})
    ]


def test_a_documented_cursor_is_that_of_the_page_before(platform: Platform) -> None:
    shown = [line for line in API_LINES if "cursor=" in line]
    assert shown
    for line in shown:
        before, _, cursor = url_of(line).partition("&cursor=")
        link = call(platform, f"curl '{before}'").headers["Link"]
        assert link.endswith(f'&cursor={cursor}>; rel="next"')


def test_each_endpoint_and_each_parameter_has_a_line() -> None:
    shown = {
        (operation_of(line), name.partition("[")[0])
        for line in API_LINES
        for name in parse_qs(urlsplit(url_of(line)).query)
    }
    assert {str(operation["operationId"]) for operation in TEMPLATES.values()} <= set(
        map(operation_of, API_LINES)
    )
    missing = [parameter for parameter in PARAMETERS if parameter not in shown]
    assert not missing, f"add a curl line with each of these to docs/api.md: {missing}"


def test_the_readme_prints_the_whole_answer_to_its_first_request(platform: Platform) -> None:
    printed = orjson.loads(README.split("\n```json\n", 1)[1].split("\n```", 1)[0])
    answer = orjson.loads(call(platform, CURL.findall(README)[0]).data)
    for name in ("timestamp", "correlationId"):
        assert printed.pop(name)
        assert answer.pop(name)
    # A field that was added to the lead since need not be shown: the rules hold the response schema to it.
    answer["data"] = {key: value for key, value in answer["data"].items() if key in printed["data"]}
    # As texts, so that the order of the keys counts.
    assert orjson.dumps(printed) == orjson.dumps(answer)


def test_the_status_has_the_lines_that_are_explained(platform: Platform) -> None:
    platform.connection.execute("UPDATE contacts SET name = 'Somebody else'")
    platform.refresh()
    verify(platform.connection, tenants=None, sample=1, heal=False, progress=QUIET)
    shown = STATUS.split("\nRead model  ", 1)[1].split("\n```", 1)[0]
    # No session holds a lock here, and one database holds both sides, so that the status has no lines of these.
    explained = re.findall(
        r"^\| ([A-Z][\w …]+) \|(?!.* Left out where (?:there is none|one database holds both))",
        STATUS.split("| line |", 1)[1].split("\n\n", 1)[0],
        re.MULTILINE,
    )

    def labels(text: str) -> list[str]:
        return [line[:12].strip() for line in text.split("\n\n", 1)[0].splitlines() if line[:1].strip()]

    printed = labels(render(read_status(platform.connection)))
    assert labels("Read model  " + shown) == printed
    assert explained == list(dict.fromkeys(re.sub("^Last .*", "Last …", label) for label in printed))


def test_the_page_shows_what_explain_prints(platform: Platform) -> None:
    user_id, phone = urlsplit(url_of(CURL.findall(README)[0])).path.split("/")[2::2]
    printed = render_explanation(explain_lead(platform.connection, user_id, phone))
    shown = TROUBLESHOOTING.split("\n```text\n", 1)[1].split("\n```", 1)[0]
    # The page leaves out most fields and rows.
    lines = [line for line in shown.splitlines() if line]
    assert [line for line in printed.splitlines() if line in lines] == lines
