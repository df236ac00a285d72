"""Attributes in statements: the conditions of filters, the counts of values, and the list of all attributes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    FromClause,
    Numeric,
    Select,
    SelectBase,
    Text,
    and_,
    bindparam,
    case,
    cast,
    collate,
    column,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH, aggregate_order_by

from api.database.statement import BoundStatement
from api.database.tables import projection
from api.plan.sql import (
    USER,
    ZERO,
    Condition,
    PageRow,
    any_row,
    attribute_counts,
    constant,
    constant_text,
    freshness_columns,
    lead_conversations,
    lead_profiles,
    unfilled,
    with_page,
)
from api.request.attributes import CONVERSATION, LEAD, AttributeCondition, Contains, Path, Range, name_read

MOST_VALUES = 100
"""How many values of an attribute a facet has at most."""

_NUMBER = "number"
# A text that the filter reads as a range of numbers.
_SPACE, _DIGITS = r"[ \t\n\v\f\r\u00A0]*", r"-?[0-9]+(\.[0-9]+)?"
_BOUND = f"{_SPACE}{_DIGITS}{_SPACE}"
_RANGE = literal_column(rf"'^({_BOUND}\.\.({_BOUND}|{_SPACE})|{_SPACE}\.\.{_BOUND})$'", Text)


class _RangeShape(NamedTuple):
    """The part of a range that changes the statement's text. The name does, because each name has its own index."""

    is_number: bool
    has_low: bool
    has_high: bool
    name: str


_PartShape = _RangeShape | type[Contains | Path]


class ConditionShape(NamedTuple):
    """The part of a condition that changes the statement's text. Of a value or a path only the kind does.

    `at` is the place of the condition in its filter, and part of the names of its values.
    """

    at: int
    levels: tuple[str, ...]
    is_absent: bool
    alternatives: tuple[_PartShape, ...]

    @property
    def is_indexed(self) -> bool:
        """Whether an index finds what passes: a value, or a range of a declared attribute."""
        return bool(self.alternatives) and Path not in self.alternatives


Shape = tuple[ConditionShape, ...]


def shape_of(conditions: Sequence[AttributeCondition]) -> Shape:
    """Return the part of these conditions that changes the statement's text."""
    return tuple(
        ConditionShape(
            at,
            condition.levels,
            condition.is_absent,
            tuple(
                _RangeShape(part.is_number, part.low is not None, part.high is not None, condition.name)
                if isinstance(part, Range)
                else type(part)
                for part in condition.alternatives
            ),
        )
        for at, condition in enumerate(conditions)
    )


def bind(conditions: Sequence[AttributeCondition], prefix: str) -> dict[str, object]:
    """Return the values of these conditions, by names that begin with a prefix."""
    values: dict[str, object] = {}
    for at, condition in enumerate(conditions):
        name = f"{prefix}_{at}"
        if not condition.alternatives:
            values[name] = condition.name
        for number, part in enumerate(condition.alternatives):
            if isinstance(part, Range):
                bounds = {f"{name}_{number}_low": part.low, f"{name}_{number}_high": part.high}
                values |= {bound: value for bound, value in bounds.items() if value is not None}
            else:
                [values[f"{name}_{number}"]] = part
    return values


def condition(columns: Any, shape: Shape, prefix: str) -> Condition:  # noqa: ANN401  # A table's columns by name.
    """Return the conditions on the columns of lead_profiles, or on the key of a lead if no level is that of the lead.

    A conversation passes by any conversation of the lead, each condition by itself.
    """
    return and_(*(_of_levels(columns, part, f"{prefix}_{part.at}") for part in shape))


def _of_levels(columns: Any, shape: ConditionShape, name: str) -> Condition:  # noqa: ANN401
    ways: list[Condition] = []
    if LEAD in shape.levels:
        own = has(columns.attributes, shape, name)
        # An index does not serve what is in coalesce().
        ways.append(func.coalesce(own, literal_column("false")) if shape.is_absent else own)
    if CONVERSATION in shape.levels:
        conversations = lead_conversations.c
        having = any_row(
            lead_conversations,
            conversations.user_id == USER,
            conversations.customer_phone == columns.customer_phone,
            has(conversations.attributes, shape, name),
        )
        ways.append(func.coalesce(having, literal_column("false")))
    return not_(or_(*ways)) if shape.is_absent else or_(*ways)


def has(attributes: ColumnElement[Any], shape: ConditionShape, name: str) -> Condition:
    """Return whether a column of attributes fulfils a condition; `name` begins the names of its values."""
    if not shape.alternatives:
        return func.jsonb_exists(attributes, bindparam(name, type_=Text))
    return or_(*(_is(attributes, part, f"{name}_{at}") for at, part in enumerate(shape.alternatives)))


def _is(attributes: ColumnElement[Any], part: _PartShape, name: str) -> Condition:
    if isinstance(part, _RangeShape):
        return _in_range(attributes, part, name)
    if part is Path:
        empty = literal_column("'{}'", JSONB)
        return func.jsonb_path_exists(attributes, _once(name, JSONPATH), empty, true())
    return attributes.op("@>")(_once(name, JSONB))


def _once(name: str, type_: Any) -> ColumnElement[Any]:  # noqa: ANN401  # Of SQLAlchemy.
    """Return a value as a subquery, which PostgreSQL computes once; it would cast a plain value for each row."""
    return select(cast(bindparam(name, type_=Text), type_)).scalar_subquery()


def _in_range(attributes: ColumnElement[Any], range_: _RangeShape, name: str) -> Condition:
    key = constant_text(range_.name)
    value = (
        number_of(attributes, key)
        if range_.is_number
        # A time has 24 characters: `attribute_indexes` of the projector has the same expression.
        else collate(func.left(attributes.op("->>", return_type=Text)(key), constant(24)), "C")
    )
    kind = Numeric if range_.is_number else Text
    bounds: list[Condition] = []
    if range_.has_low:
        bounds.append(value >= bindparam(f"{name}_low", type_=kind))
    if range_.has_high:
        bounds.append(value <= bindparam(f"{name}_high", type_=kind))
    return and_(*bounds)


def number_of(attributes: ColumnElement[Any], key: ColumnElement[str]) -> ColumnElement[Any]:
    """Return an attribute as a number, or null; `attribute_indexes` of the projector has the same expression."""
    value = attributes.op("->", return_type=JSONB)(key)
    return case((func.jsonb_typeof(value) == constant_text(_NUMBER), cast(value, Numeric)))


class FacetShape(NamedTuple):
    """The part of a facet of an attribute that changes the statement's text.

    `own` names the conditions on the attribute itself: the name of the filter and the place in it.
    """

    levels: tuple[str, ...]
    is_list: bool
    is_declared: bool
    own: frozenset[tuple[str, int]]


def counted_values(
    shape: FacetShape, name: BindParameter[Any], phones: Select[tuple[str]] | None
) -> ColumnElement[str]:
    """Return the most frequent values of an attribute with their leads, and how many values there are, as JSON text.

    It counts the leads with these phones, or all leads, as the filter by each value would. No request can ask for a
    text that the filter reads as a range of numbers: such a value counts among the distinct ones, but is not printed.
    """
    ways = [way for level in shape.levels for way in _values_of(level, shape, name, phones)]
    pairs: FromClause = (union_all(*ways) if ways[1:] else ways[0]).subquery("pairs")
    if shape.levels != (LEAD,):
        pairs = select(pairs.c.customer_phone, pairs.c.value).distinct().subquery("pair")
    value = pairs.c.value
    # The offset keeps PostgreSQL from testing each row instead of each value.
    counted = select(value, func.count().label("leads")).group_by(value).offset(ZERO).subquery("counted")
    order: list[ColumnElement[Any]] = [counted.c.leads.desc(), collate(counted.c.value, "C")]
    columns: list[ColumnElement[Any]] = []
    if not shape.is_declared:
        is_range = counted.c.value.op("~", return_type=Boolean)(_RANGE)
        order.insert(0, is_range)
        columns.append(is_range.label("is_range"))
    placed_ = select(counted, *columns, func.row_number().over(order_by=order).label("place"))
    placed = placed_.where(counted.c.value.is_not(None)).subquery("placed")
    member = cast(func.to_json(placed.c.value), Text) + constant_text(":") + cast(placed.c.leads, Text)
    members = func.string_agg(member, aggregate_order_by(constant_text(","), placed.c.place), type_=Text)
    printed_ = [placed.c.place <= constant(MOST_VALUES), *(~placed.c[column.name] for column in columns)]
    most = members.filter(*printed_)
    printed = (
        constant_text('"values":{')
        + func.coalesce(most, constant_text(""))
        + constant_text('},"distinct":')
        + cast(func.count(), Text)
    )
    return select(printed).select_from(placed).scalar_subquery()


def _values_of(
    level: str, shape: FacetShape, name: BindParameter[Any], phones: Select[tuple[str]] | None
) -> Iterator[Select[Any]]:
    """Return each value of a level that is not a list, null if there is none, and each item of a list once."""
    table = lead_profiles if level == LEAD else lead_conversations
    attributes = table.c.attributes
    of_leads = [] if phones is None else [table.c.customer_phone.in_(phones)]
    counts = attribute_counts.c
    has_lists = exists().where(
        counts.user_id == USER,
        counts.level == constant_text(level),
        counts.name == name,
        counts.value_type == constant_text("array"),
    )
    value = attributes.op("->", return_type=JSONB)(name)
    is_list = func.jsonb_typeof(value) == constant_text("array")
    if not (shape.is_list and shape.is_declared):
        scalars = select(table.c.customer_phone, attributes.op("->>", return_type=Text)(name).label("value"))
        others = [or_(not_(has_lists), not_(is_list))] if shape.is_list else []
        yield scalars.where(table.c.user_id == USER, *others, *of_leads)
    if shape.is_list:
        items = func.jsonb_array_elements_text(case((is_list, value)))
        item = items.table_valued(column("value", Text)).render_derived(name="item")
        pairs = select(table.c.customer_phone, item.c.value).select_from(table.join(item, true()))
        yield pairs.where(table.c.user_id == USER, is_list, has_lists, *of_leads).distinct()


# The attributes that the mapping declares, as JSON.
_CATALOG = select(cast(projection.c.attributes, Text).label("text"))


class CatalogRow(NamedTuple):
    """The catalog, None before an installation, and the unfilled parts as in any other row."""

    text: bytes | None
    unfilled: bytes | None


CATALOG = BoundStatement(_CATALOG.add_columns(unfilled()), CatalogRow)


@dataclass(slots=True)
class AttributesRow(PageRow):
    """The catalog, and then a JSON array of each attribute of a tenant: level, name, type of value and leads."""


def attributes_of_tenant(user_id: str) -> BoundStatement[AttributesRow]:
    """Return the statement of the attributes of a tenant."""
    return BoundStatement(_OF_TENANT, AttributesRow, {"user_id": user_id})


def _of_tenant() -> SelectBase:
    counts = attribute_counts.c
    row = func.json_build_array(counts.level, counts.name, counts.value_type, counts.leads)
    rows = select(cast(row, Text).label("line")).where(counts.user_id == USER)
    # One snapshot for both, so that the catalog belongs to this version of the tenant.
    return with_page(freshness_columns(), [_CATALOG, rows])


_OF_TENANT = _of_tenant()

_TYPES = {"string": "text", "array": "list"}


def printed_attributes(
    catalog: Mapping[str, Any], rows: Iterable[tuple[str, str, str, int]], unfilled: AbstractSet[str]
) -> list[dict[str, object]]:
    """Return the attributes of a tenant, by name: those that are declared, and those that its leads have from JSON.

    An attribute from JSON whose values have several types is printed with the type that most leads have. Attributes of
    a replaced mapping are left out, and so are those in `unfilled`, which has names of parts of the read model.
    """
    declared, spreads = catalog.get("declared", ()), catalog.get("spreads", {})
    printed: dict[tuple[str, str], dict[str, Any]] = {
        (made["name"], made["of"]): {**{key: made[key] for key in ("name", "type", "of", "from")}, "leads": 0}
        for made in declared
        if name_read(made["of"], made["name"]) not in unfilled
    }
    counted: dict[tuple[str, str], dict[str, int]] = {}
    for level, name, value_type, leads in rows:
        is_open = spreads.get(level) and unfilled.isdisjoint((name_read(level), name_read(level, name)))
        if (name, level) in printed or is_open:
            counted.setdefault((name, level), {})[_TYPES.get(value_type, value_type)] = leads
    for (name, level), leads_of in counted.items():
        most = min(leads_of, key=lambda of_type: (-leads_of[of_type], of_type))
        made = {"name": name, "type": most, "of": level, "from": spreads.get(level)}
        printed.setdefault((name, level), made)["leads"] = sum(leads_of.values())
    return [printed[key] for key in sorted(printed)]
