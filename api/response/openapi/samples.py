"""Samples of whole answers, made of the examples that the properties of their schemas have."""

from collections.abc import Mapping
from typing import Any


def sample(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:  # noqa: ANN401  # Any JSON.
    """Returns a value that the schema describes; `schemas` are those that a `$ref` names.

    Raises LookupError for a property without an example.
    """
    if "examples" in schema:
        return schema["examples"][0]
    if "anyOf" in schema:
        # The other one is null.
        return sample(schema["anyOf"][0], schemas)
    if "$ref" in schema:
        return sample(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if schema.get("type") == "array":
        return [sample(schema["items"], schemas)]
    if "properties" in schema:
        return {name: sample(one, schemas) for name, one in schema["properties"].items()}
    raise LookupError(f"There is no example of {dict(schema)}")
