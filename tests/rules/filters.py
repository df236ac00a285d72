"""The filters that a request of the list can give."""

from dataclasses import fields

from api.request.kinds import Parameter
from api.request.parameters import OF_ALL, OF_LIST, OF_ONE_PAGE, OTHER_NAMES, Parameters


def filters_of_the_request() -> dict[str, Parameter]:
    """Return the parameters of the list that filter."""
    others = (*OF_ONE_PAGE, *OF_ALL, "sort_by", "sort_order")
    return {name: one for name, one in OF_LIST.items() if name not in others}


def lost_filters() -> list[str]:
    """Return the filters that Parameters does not keep: with one of them, no request of the list can be read."""
    kept = {field.name for field in fields(Parameters)}
    return [name for name in filters_of_the_request() if name not in kept and name not in OTHER_NAMES]
