"""What schema.sql says of the tables."""

from projector.database.schema import (
    sections,
    tables,
)


def test_the_sections_are_in_the_order_of_the_installation() -> None:
    names = ["source", "read_model", "projector", "access", "later", "search", "roles", "readers"]
    assert list(sections()) == names


def test_a_description_of_several_lines_is_one_text() -> None:
    assert tables()["read_model.tenants"].columns["version"] == (
        "Grows with every transaction that changed a row of this tenant: who knows a version knows whether something"
        " changed since."
    )
