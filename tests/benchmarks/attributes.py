"""What attributes cost: filters and facets by them, and a refresh and a first build against the same without."""

from collections.abc import Iterator
from contextlib import contextmanager

import orjson

from api.plan.attributes import CATALOG, attributes_of_tenant
from api.plan.list.facets import lead_facets
from api.plan.list.pages import ListRow, list_leads
from api.request.attributes import Catalog
from api.request.parameters import Parameters
from api.request.query import QUERIES, Query
from projector.capture.texts import Texts, default_mapping
from projector.database.rows import Connection
from projector.operate.install import migrate
from tests.benchmarks import statements
from tests.benchmarks.core import Arm, Row, milliseconds
from tests.benchmarks.fixtures import Bench, Database
from tests.benchmarks.refresh import Compared
from tests.benchmarks.statements import Reader

# The last columns of a relation that are none of its attributes, and the attributes: six columns and two keys of JSON.
_GIVEN = {
    "contacts": (
        "c.updated_at",
        "c.city, c.region, c.budget, c.visit_on, c.labels, c.vip, c.more AS attributes",
    ),
    "extractions": ("e.lead_status_tag", "e.budget, e.visit_on, e.more AS attributes"),
}
_COLUMNS = """
ALTER TABLE contacts ADD COLUMN city text, ADD COLUMN region text, ADD COLUMN budget numeric, ADD COLUMN visit_on date,
    ADD COLUMN labels text[], ADD COLUMN vip boolean, ADD COLUMN more jsonb;
ALTER TABLE extractions ADD COLUMN budget numeric, ADD COLUMN visit_on date, ADD COLUMN more jsonb;
INSERT INTO contacts (contact_id, user_id, phone)
SELECT 'benchmark-' || row_number() OVER (), l.user_id, l.customer_phone
FROM read_model.leads AS l
WHERE NOT EXISTS (
    SELECT FROM projector.source_keys AS k
    WHERE k.kind = 'contact' AND k.user_id = l.user_id AND k.customer_phone = l.customer_phone
)
"""
# A thousand leads of a city, a third of a region, a thousandth of each budget and size; 10,000 origins.
_FILL = """
UPDATE contacts AS c
SET city = 'City ' || n.number %% %(cities)s, region = 'Region ' || n.number %% 3, budget = n.number %% 1000,
    visit_on = date '2025-01-01' + n.number %% 500, vip = n.number %% 7 = 0,
    labels = ARRAY['label ' || n.number %% 20, 'label ' || n.number %% 11],
    more = jsonb_build_object('origin', 'Origin ' || n.number %% 10000, 'size', n.number %% 1000)
FROM (
    SELECT contact_id, row_number() OVER (ORDER BY md5(contact_id::text))::integer AS number FROM contacts
) AS n
WHERE n.contact_id = c.contact_id;
"""
_FILL_EXTRACTIONS = """
UPDATE extractions AS e
SET budget = n.number %% 1000, visit_on = date '2025-01-01' + n.number %% 500,
    more = jsonb_build_object('size', n.number %% 1000)
FROM (
    SELECT extraction_id, row_number() OVER (ORDER BY md5(extraction_id::text))::integer AS number FROM extractions
) AS n
WHERE n.extraction_id = e.extraction_id
"""
_LISTS = {
    "attributes[city]=City 1": ("attribute_equality", 'attributes @> \'{"city": "City 1"}\''),
    "attributes[region]=Region 1": ("attribute_third", 'attributes @> \'{"region": "Region 1"}\''),
    "attributes[budget]=100..109": (
        "attribute_range",
        "(attributes ->> 'budget')::numeric BETWEEN 100 AND 109",
    ),
    "attributes[size]=100..109": (
        "attribute_json_range",
        "(attributes ->> 'size')::numeric BETWEEN 100 AND 109",
    ),
    "attributes[labels]=label 3&attributes[vip]=true": (
        "",
        'attributes @> \'{"labels": ["label 3"], "vip": true}\'',
    ),
    "without_attributes=nothing": ("", "NOT attributes ? 'nothing'"),
}
_PROFILES = "read_model.lead_profiles WHERE user_id = %s"
_NAMES = "read_model.lead_profiles CROSS JOIN jsonb_object_keys(attributes) AS key WHERE user_id = %s"


def mapping(*, declares: bool) -> Texts:
    """Return the mapping of the reference tables with these attributes, or with none."""
    files = dict(default_mapping().files)
    for name, (last, attributes) in _GIVEN.items():
        head = files[name].partition(last)[0]
        files[name] = f"{head}{last}{', ' + attributes if declares else ''} FROM {name} AS {last[0]};"
    return Texts(files)


def fill(conn: Connection, leads: int, *, declares: bool) -> None:
    """Give the contacts and the extractions values, and install the mapping, so that the next build is the first."""
    conn.execute("SET session_replication_role = replica")
    for text in _COLUMNS.split(";"):
        conn.execute(text.encode())
    conn.execute(_FILL.encode(), {"cities": max(leads // 1000, 2)})
    conn.execute(_FILL_EXTRACTIONS.encode(), {})
    conn.execute("RESET session_replication_role")
    conn.execute("VACUUM ANALYZE")
    migrate(conn, create_source=False, mapping=mapping(declares=declares))


def measure(bench: Bench) -> Iterator[Row]:
    with (
        bench.no_autovacuum(),
        _filled(bench, declares=True) as with_,
        _filled(bench, declares=False) as without,
    ):
        compared = Compared(
            bench, with_, without, "with 8 attributes", "the same mapping without", "attribute"
        )
        yield from compared.builds()
        yield from reads(bench, with_)
        yield from compared.refreshes()


@contextmanager
def _filled(bench: Bench, *, declares: bool) -> Iterator[Database]:
    with bench.database("with_attributes" if declares else "without_attributes", bench.main) as database:
        with database.connect() as conn:
            fill(conn, bench.size.big, declares=declares)
        yield database


def reads(bench: Bench, database: Database) -> Iterator[Row]:
    """Return the rows of reads in a session of leads_api, which row security filters, against a look at each lead."""
    user_id = database.tenants["big"]
    with statements.reader(database) as reader, statements.reader(database) as owner:
        reader.connection.execute("SET ROLE leads_api")
        for query, (goal, condition) in _LISTS.items():
            ours, total = _listed(reader, user_id, query)
            baseline = f"SELECT count(*) FROM {_PROFILES} AND {condition}"
            [(matches,)] = owner.rows(baseline, user_id)
            if total != matches:
                raise AssertionError(f"The total of {query} is {total}, but {matches} leads match.")
            what = f"{query}: page and total of {matches:,} matches"
            theirs = owner.bare(baseline, user_id)
            yield bench.compare(what, "ms", ours, "count(*) of the matching profiles", theirs, goal)
        for name, goal in (("origin", "attribute_facet"), ("labels", ""), ("city", "")):
            facets = lead_facets(
                user_id, _resolved(reader, QUERIES["getLeadFacets"], f"facets=attributes.{name}")
            )
            counting = f"SELECT attributes ->> '{name}', count(*) FROM {_PROFILES} GROUP BY 1"
            arms = (reader.arm(facets, 3), "GROUP BY of the profiles", owner.bare(counting, user_id))
            yield bench.compare(f"facets=attributes.{name}", "ms", *arms, goal)
        counting = f"SELECT key, count(*) FROM {_NAMES} GROUP BY 1"
        ours = reader.arm(attributes_of_tenant(user_id), 5)
        theirs = owner.bare(counting, user_id)
        yield bench.compare(
            "leads/attributes", "ms", ours, "count(*) of every name", theirs, "attribute_names"
        )


def _resolved(reader: Reader, query: Query, text: str) -> Parameters:
    [(catalog, _)] = reader.fetch(CATALOG)
    return query.read(text).resolved(Catalog(**orjson.loads(catalog)))


def _listed(reader: Reader, user_id: str, query: str) -> tuple[Arm, int]:
    """Return an arm that asks as the endpoint does, twice where the first statement says so, and the total."""
    parameters = _resolved(reader, QUERIES["listLeads"], query)

    def ask() -> ListRow:
        row = ListRow(*reader.fetch(list_leads(user_id, parameters))[0])
        if row.collect_matches:
            row = ListRow(*reader.fetch(list_leads(user_id, parameters, collect_matches=True))[0])
        return row

    return lambda: milliseconds(ask, 5), ask().total
