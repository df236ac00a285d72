"""What filters by attributes are refused for, and what they mean by the attributes that there are."""

from decimal import Decimal

import pytest
from werkzeug.exceptions import BadRequest

from api.request.attributes import Catalog, Contains, Path, Range
from api.request.parameters import Parameters
from api.request.query import QUERIES, Query
from tests.support.cases import cases

_TYPES = {
    "budget": "number", "city": "text", "opted_out": "boolean", "seen_at": "time", "tags": "list", "visit_on": "date",
}  # fmt: skip
DECLARED = [
    {"name": name, "type": type_, "of": "lead", "from": ["contacts"]} for name, type_ in _TYPES.items()
]
DECLARED.append({"name": "state", "type": "text", "of": "conversation", "from": ["conversations"]})
CLOSED = Catalog(DECLARED, {"lead": [], "conversation": []})
OPEN = Catalog(DECLARED, {"lead": ["contacts"], "conversation": ["conversations"]})
MANY = "&".join(f"attributes[n{number}]=1" for number in range(9))


def asked(text: str, catalog: Catalog = CLOSED, query: Query = QUERIES["listLeads"]) -> Parameters:
    return query.read(text).resolved(catalog)


def refused(text: str, catalog: Catalog = CLOSED, query: Query = QUERIES["listLeads"]) -> str:
    with pytest.raises(BadRequest) as caught:
        asked(text, catalog, query)
    return str(caught.value.description)


THERE = "there are: budget, city, opted_out, seen_at, tags, visit_on, state"
A_NUMBER = "takes a number such as 10, or a range such as 10..20, 10.. or ..20"
A_DAY = "takes a date such as 2025-01-31, or a range such as 2025-01-01..2025-01-31"
A_NAME = "names no attribute: a name has lower-case letters, digits and _"


@cases(
    ("text", "said"),
    [
        ("attributes[cty]=1", f"attributes[cty] names no attribute (did you mean city?); {THERE}"),
        ("with_attributes=city,zzz", f"with_attributes names no attribute; {THERE}"),
        ("without_attributes=zzz", f"without_attributes names no attribute; {THERE}"),
        ("attributes[budget]=ten", f"attributes[budget] {A_NUMBER}"),
        ("attributes[budget]=1..2..3", f"attributes[budget] {A_NUMBER}"),
        ("attributes[budget]=..", f"attributes[budget] {A_NUMBER}"),
        ("attributes[budget]=1e3", f"attributes[budget] {A_NUMBER}"),
        ("attributes[budget]=10,ten", f"attributes[budget] {A_NUMBER}"),
        ("attributes[opted_out]=yes", "attributes[opted_out] takes true or false"),
        ("attributes[visit_on]=2025-02-30", f"attributes[visit_on] {A_DAY}"),
        (
            "attributes[seen_at]=now",
            (
                "attributes[seen_at] takes a date such as 2025-01-31 or 2025-01-31T09:30:00Z,"
                " or a range of them with .. between"
            ),
        ),
        (
            "attributes[budget]=x&attributes[opted_out]=x",
            f"attributes[budget] {A_NUMBER}; attributes[opted_out] takes true or false",
        ),
        ("attributes[City]=1", f"'attributes[City]' {A_NAME}"),
        ("attributes[]=1", f"'attributes[]' {A_NAME}"),
        (f"attributes[{'x' * 41}]=1", f"'attributes[{'x' * 41}]' {A_NAME}"),
        (f"attributes[{'x' * 200}]=1", f"'attributes[{'x' * 89}…' {A_NAME}"),
        ("attributes[city]=%2C", "attributes[city] takes 1 to 20 values"),
        (f"attributes[city]={','.join(map(str, range(21)))}", "attributes[city] takes 1 to 20 values"),
        (MANY, "attributes takes at most 8 names"),
        (
            "with_attributes=city,tags,budget,state,visit_on&without_attributes=city,tags,budget,state",
            "attributes takes at most 8 filters, with_attributes and without_attributes among them",
        ),
        (f"with_attributes={','.join(f'n{n}' for n in range(21))}", "with_attributes takes at most 20 names"),
        ("with_attributes=City", "with_attributes takes the names of attributes, separated by commas"),
        ("with_attributes=%2C", "with_attributes takes the names of attributes, separated by commas"),
        ("attributes=city", "attributes takes a name in brackets, as in attributes[city]=Mumbai"),
        (
            "attributes[city]=%00",
            "'attributes[city]' contains a NUL character (%00) or bytes that are not UTF-8",
        ),
        (
            "include=tags",
            "include takes one or more of attributes, waiting, status_since, separated by commas",
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    assert refused(text) == said


def test_a_parameter_of_attributes_is_known_where_leads_are_filtered() -> None:
    assert "'attributes[city]' is not a parameter" in refused(
        "attributes[city]=1", query=QUERIES["getLeadMessages"]
    )
    assert "facets=attributes.zzz names no attribute" in refused(
        "facets=attributes.zzz", query=QUERIES["getLeadFacets"]
    )
    names = ",".join(f"attributes.n{number}" for number in range(9))
    assert refused(f"facets={names}", OPEN, QUERIES["getLeadFacets"]) == "facets takes at most 8 attributes"
    assert "attributes.city for an attribute" in refused(
        "facets=attributes.City", query=QUERIES["getLeadFacets"]
    )


def contains(name: str, *values: str) -> list[Contains | Path | Range]:
    return [Contains(f'{{"{name}":{value}}}') for value in values]


def between(low: str | None, high: str | None, *, is_number: bool = True) -> Range:
    low_, high_ = ((Decimal(end) if is_number and end else end) for end in (low, high))
    return Range(is_number, low_, high_)


@cases(
    ("text", "alternatives"),
    [
        ("attributes[city]=Pune", contains("city", '"Pune"')),
        ("attributes[city]=1..2", contains("city", '"1..2"')),
        ("attributes[city]=Pune\\,+M,+Goa+", contains("city", '"Pune, M"', '"Goa"')),
        ("attributes[city]=a\\\\,b", contains("city", '"a\\\\,b"')),
        ("attributes[city]=Pune&attributes[city]=Goa,Pune", contains("city", '"Pune"', '"Goa"')),
        ("attributes[city]=%C3%A9%F0%9F%98%80", contains("city", '"\\u00e9\\ud83d\\ude00"')),
        ("attributes[budget]=010.50,-0", contains("budget", "10.50", "-0")),
        ("attributes[budget]=10..20,..5", [between("10", "20"), between(None, "5")]),
        ("attributes[budget]=-1.5+..", [between("-1.5", None)]),
        ("attributes[opted_out]=TRUE", contains("opted_out", "true")),
        ("attributes[tags]=vip", contains("tags", '["vip"]')),
        ("attributes[tags]=7", contains("tags", '["7"]', "[7]")),
        ("attributes[visit_on]=2025-01-31", [between("2025-01-31", "2025-01-31", is_number=False)]),
        ("attributes[visit_on]=2025-01-31T23:00-02:00..", [between("2025-02-01", None, is_number=False)]),
        (
            "attributes[seen_at]=2025-01-31",
            [between("2025-01-31T00:00:00.000Z", "2025-01-31T23:59:59.999Z", is_number=False)],
        ),
        # A name that is not declared: whatever an answer prints so.
        ("attributes[x]=Pune", contains("x", '"Pune"', '["Pune"]')),
        ("attributes[x]=10", contains("x", '"10"', "10", '["10"]', "[10]")),
        ("attributes[x]=-0.25", contains("x", '"-0.25"', "-0.25", '["-0.25"]', "[-0.25]")),
        ("attributes[x]=010", contains("x", '"010"', '["010"]')),
        ("attributes[x]=10.0", contains("x", '"10.0"', '["10.0"]')),
        ("attributes[x]=-0", contains("x", '"-0"', '["-0"]')),
        ("attributes[x]=true", contains("x", '"true"', "true", '["true"]', "[true]")),
        ("attributes[x]=True", contains("x", '"True"', '["True"]')),
        (
            "attributes[x]=..-2.50",
            [Path('strict $."x" ? ((@ <= -2.50) || @ == "..-2.50" || exists(@[*] ? (@ == "..-2.50")))')],
        ),
        ("attributes[x]=a..b", contains("x", '"a..b"', '["a..b"]')),
    ],
)
def test_what_a_value_means(text: str, alternatives: list[Contains | Path | Range]) -> None:
    [condition] = asked(text, OPEN).by_attributes
    assert list(condition.alternatives) == alternatives


def test_where_an_attribute_may_be() -> None:
    conditions = asked("attributes[city]=1&with_attributes=state&without_attributes=x", OPEN).by_attributes
    assert [(part.name, part.levels, part.is_absent, part.is_declared) for part in conditions] == [
        ("city", ("lead",), False, True),
        ("state", ("conversation",), False, True),
        ("x", ("lead", "conversation"), True, False),
    ]


@cases(
    ("text", "included", "keys"),
    [
        ("", (), None),
        ("include=attributes", ("attributes",), None),
        ("fields=attributes", ("attributes",), ("attributes",)),
        ("fields=name&include=attributes", ("attributes",), ("name", "attributes")),
        ("fields=attributes,name", ("attributes",), ("name", "attributes")),
    ],
)
def test_what_is_printed_of_a_lead(
    text: str, included: tuple[str, ...], keys: tuple[str, ...] | None
) -> None:
    parameters = asked(text)
    assert (parameters.included, parameters.keys) == (included, keys)


def test_a_cursor_belongs_to_the_attributes_that_are_filtered_by() -> None:
    texts = (
        "",
        "attributes[city]=a",
        "attributes[city]=b",
        "with_attributes=city",
        "without_attributes=city",
    )
    assert len({QUERIES["listLeads"].read(text).page.asked for text in texts}) == len(texts)
    same = (
        "attributes[city]=a,b&attributes[tags]=c",
        "attributes[tags]=c&attributes[city]=a&attributes[city]=b",
    )
    assert len({QUERIES["listLeads"].read(text).page.asked for text in same}) == 1
    assert QUERIES["listLeads"].read("attributes[city]=a\\,b&cursor=&limit=3").page.query == (
        "attributes%5Bcity%5D=a%5C,b&limit=3"
    )
