"""A lead, and what the messages endpoint prints of it, are described by the same words."""

from api.response.openapi.lead_schemas import Lead, LeadInfo


def test_the_short_form_of_a_lead_has_the_fields_of_the_lead() -> None:
    lead, info = Lead().fields, LeadInfo().fields
    assert list(info) == [name for name in lead if name in info]
    for name, field in info.items():
        assert field.metadata == lead[name].metadata
        assert field.allow_none == lead[name].allow_none


def test_each_score_says_what_it_is_of() -> None:
    scores = [
        field.metadata["description"] for name, field in Lead().fields.items() if name.endswith("_score")
    ]
    assert len(set(scores)) == len(scores) == 6
