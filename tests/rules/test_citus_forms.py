"""On Citus, no statement on the read model has a form that Citus refuses, or takes and does wrong."""

import re
from collections.abc import Iterator

import pytest

from projector import sql
from projector.look_ups import CITUS, ENGINE
from projector.steps import Step, header_of
from tests.rules.files import ROOT
from tests.rules.test_sides import FOLDERS
from tests.support.citus import goes_to_one_server, refusals

TENANT = "'one'"
FOR_POSTGRESQL = "-- engine: postgresql"
# What placeholders mean that the projector fills in.
GIVEN = {
    ENGINE: CITUS,
    "fence": "OFFSET 0",
    "table": "read_model.leads",
    "staging_table": "stale_keys",
    "tenant": TENANT,
}


def steps_on_read_model() -> Iterator[Step]:
    for folder in ("refresh", "rebuild", "verify"):
        for file in sorted((ROOT / "sql" / folder).rglob("*.sql")):
            name = str(file.relative_to(ROOT / "sql").with_suffix(""))
            given = {"fence": GIVEN["fence"]} if "/piece/" in name else {}
            yield from (one for one in sql.steps(name, **given) if one.is_on_read_model)


def texts_on_citus(one: Step) -> Iterator[str]:
    """What the projector sends for a step."""
    for name, rows in one.fetches:
        yield f"INSERT INTO pg_temp.{name} {rows}".replace("{tenant}", TENANT)
    yield one.citus_text.decode().replace("{tenant}", TENANT)


def queries_on_read_model() -> Iterator[tuple[str, str, bool]]:
    """Each query on the read model: its name, its text, and whether it is for PostgreSQL alone."""
    for file in sorted((ROOT / "sql" / "queries").glob("*.sql")):
        pieces = re.split(r"^-- name: (\w+)\n", file.read_text("utf-8"), flags=re.MULTILINE)
        for name, own in zip(pieces[1::2], pieces[2::2], strict=True):
            if header_of(own).get("on") == "read_model":
                yield f"{file.stem} {name}", sql.query(file.stem, name, **GIVEN), FOR_POSTGRESQL in own


@pytest.mark.parametrize("one", list(steps_on_read_model()), ids=lambda one: one.name)
def test_citus_takes_each_step(one: Step) -> None:
    if one.is_for_postgresql:
        return
    found = {text: refusals(text) for text in texts_on_citus(one)}
    assert not any(found.values()), (
        f"{one.name} has a form that Citus refuses: {found}. Look up rows by {{look_up.…}}, delete them by"
        " `-- deletes:`, and name the tenant: projector/look_ups.py says why."
    )


@pytest.mark.parametrize(
    ("name", "text", "is_for_postgresql"), list(queries_on_read_model()), ids=lambda given: str(given)[:60]
)
def test_citus_takes_each_query(name: str, text: str, *, is_for_postgresql: bool) -> None:
    if is_for_postgresql or text.lstrip().startswith("DO"):
        return
    assert refusals(text.replace("{tenant}", TENANT)) == (), name


def test_the_forms_of_one_server_are_those_that_citus_refuses() -> None:
    """Or the tests above could not fail."""
    merge = [one for one in steps_on_read_model() if one.name.startswith("refresh/")]
    refused = {one.name.split()[0] for one in merge if refusals(one.text.decode())}
    assert len(refused) >= 14
    assert "refresh/8_write_leads/30_delete_leads" in refused


def test_a_folder_has_no_steps_that_are_left_out() -> None:
    assert {"refresh", "rebuild", "verify", "queries"} <= set(FOLDERS)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("DELETE FROM read_model.leads WHERE ctid = '(0,1)' AND user_id = 'a'", "a ctid names"),
        ("DELETE FROM read_model.leads", "no constant tenant"),
        (
            "DELETE FROM read_model.leads AS l USING (SELECT 1) AS s WHERE l.user_id = s.user_id",
            "no constant",
        ),
        (
            "UPDATE read_model.tenants SET epoch = gen_random_uuid() WHERE user_id = 'a'",
            "a volatile function",
        ),
        ("UPDATE read_model.freshness SET as_of = clock_timestamp()", "a volatile function"),
        ("INSERT INTO x SELECT l.* FROM s INNER JOIN read_model.leads AS l ON l.user_id = 'a'", "a staging"),
        (
            (
                "INSERT INTO x SELECT l.* FROM (SELECT s.* FROM s) AS s INNER JOIN read_model.leads AS l"
                " ON l.user_id = s.user_id"
            ),
            "no constant tenant",
        ),
        (
            (
                "INSERT INTO x SELECT l.* FROM (SELECT s.* FROM s) AS s CROSS JOIN LATERAL (SELECT l.* FROM"
                " read_model.leads AS l WHERE l.user_id = 'a' AND l.customer_phone = s.phone OFFSET 0) AS l"
            ),
            "LATERAL with",
        ),
        (
            "INSERT INTO x SELECT (SELECT count(*) FROM read_model.leads AS l WHERE l.user_id = s.user_id) FROM s",
            "a correlated look-up",
        ),
        (
            "INSERT INTO read_model.leads SELECT l.* FROM read_model.leads AS l",
            "a write of rows that are read from several tenants",
        ),
        (
            (
                "INSERT INTO read_model.tenants AS t SELECT * FROM s"
                " ON CONFLICT (user_id) DO UPDATE SET version = random()"
            ),
            "a volatile function in ON CONFLICT",
        ),
        ("SELECT * FROM read_model.leads FOR UPDATE", "FOR UPDATE"),
        ("SELECT 1; CREATE INDEX i ON read_model.leads (user_id)", "a change of a table among"),
        ("MERGE INTO read_model.leads AS l USING s ON l.user_id = s.u WHEN MATCHED THEN DELETE", "MERGE"),
        (
            "SELECT * FROM read_model.leads AS l WHERE EXISTS (SELECT FROM s WHERE s.user_id = l.user_id)",
            "EXISTS between",
        ),
        (
            (
                "WITH RECURSIVE w AS (SELECT l.user_id FROM read_model.leads AS l UNION ALL SELECT w.user_id FROM w)"
                " SELECT * FROM w"
            ),
            "WITH RECURSIVE",
        ),
    ],
)
def test_each_form_is_found(text: str, why: str) -> None:
    assert any(found.startswith(why) for found in refusals(text)), refusals(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) FROM read_model.leads",
        (
            "SELECT * FROM read_model.leads AS l LEFT JOIN read_model.lead_profiles AS p ON p.user_id = l.user_id"
            " WHERE l.user_id = %(user_id)s FOR UPDATE"
        ),
        "DELETE FROM read_model.leads AS l USING (SELECT s.* FROM s) AS k WHERE k.u = l.user_id AND l.user_id = 'a'",
        (
            "INSERT INTO x SELECT l.* FROM (SELECT s.* FROM s) AS s INNER JOIN read_model.leads AS l"
            " ON l.customer_phone = s.phone AND l.user_id = 'a'"
        ),
        "UPDATE read_model.freshness SET as_of = %(as_of)s",
        "CREATE INDEX i ON read_model.leads (user_id)",
        "SELECT s.* FROM s CROSS JOIN LATERAL (SELECT 1 OFFSET 0) AS t",
    ],
)
def test_what_citus_takes_is_left_alone(text: str) -> None:
    assert refusals(text) == ()


def test_a_query_of_one_tenant_goes_to_its_server() -> None:
    assert goes_to_one_server("SELECT * FROM read_model.leads AS l WHERE l.user_id = $1")
    assert goes_to_one_server("SELECT 1")
    assert not goes_to_one_server("SELECT count(*) FROM read_model.leads")
    assert not goes_to_one_server("SELECT * FROM read_model.leads AS l, s WHERE l.user_id = $1")
