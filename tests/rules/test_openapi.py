"""The OpenAPI document explains everything in it: each part has a sentence, and an example that its schema takes."""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.plan import csv_lines
from api.response.openapi.samples import sample
from tests.rules.openapi import openapi

ON, OFF = openapi(asks_who_calls=True), openapi(asks_who_calls=False)
SCHEMAS = ON["components"]["schemas"]
PROPERTIES = [(name, key) for name, schema in SCHEMAS.items() for key in schema["properties"]]
OPERATIONS = {path: operations["get"] for path, operations in ON["paths"].items()}
PARAMETERS = [
    (path, parameter["name"])
    for path, operation in OPERATIONS.items()
    for parameter in operation.get("parameters", [])
]
HEADERS = ON["components"]["headers"]
JSON = "application/json"
# One or more sentences: a capital letter or a code at the beginning, and a full stop at the end.
SENTENCES = re.compile(r"[A-Z`].*\w.*\.", re.DOTALL)
CHECKER = FormatChecker()


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Of a schema that may refer to others of the document."""
    return Draft202012Validator({**schema, "components": ON["components"]}, format_checker=CHECKER)


def property_of(name: str, key: str) -> dict[str, Any]:
    described: dict[str, Any] = SCHEMAS[name]["properties"][key]
    return described


def parameter_of(path: str, name: str) -> dict[str, Any]:
    [found] = [one for one in OPERATIONS[path]["parameters"] if one["name"] == name]
    return dict(found)


def answers() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each status of each operation, resolved, by path and status."""
    for path, operation in OPERATIONS.items():
        for status, answer in operation["responses"].items():
            if "$ref" in answer:
                kind, name = answer["$ref"].split("/")[-2:]
                yield path, status, ON["components"][kind][name]
            else:
                yield path, status, answer


ANSWERS = list(answers())


def test_formats_are_checked() -> None:
    assert {"date", "date-time", "uuid"} <= set(CHECKER.checkers)
    assert not validator({"type": "string", "format": "date-time"}).is_valid("2025-01-31")


@pytest.mark.parametrize("document", [ON, OFF], ids=["with credentials", "open"])
def test_the_document_is_as_the_specification_has_it(document: dict[str, Any]) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_says_what_it_is(name: str) -> None:
    assert SENTENCES.fullmatch(SCHEMAS[name]["description"])
    assert SCHEMAS[name]["additionalProperties"] is False
    assert SCHEMAS[name]["required"] == sorted(SCHEMAS[name]["properties"])


@pytest.mark.parametrize(("name", "key"), PROPERTIES)
def test_a_property_says_what_it_is(name: str, key: str) -> None:
    described = property_of(name, key)
    assert SENTENCES.fullmatch(described["description"])
    kinds = described.get("type", [])
    if "null" in kinds:
        assert re.search(r"\b[Nn]ull\b", described["description"]), "Say when it is null."
    if "integer" in kinds:
        assert "minimum" in described
    if key.endswith("_at") or key == "timestamp":
        assert described["format"] == "date-time"
    if key.endswith("_score"):
        assert (described["minimum"], described["maximum"]) == ((5, 15) if key == "total_score" else (1, 3))
        assert f"from {described['minimum']} " in described["description"]
        assert f"to {described['maximum']}" in described["description"]


@pytest.mark.parametrize(("name", "key"), PROPERTIES)
def test_a_property_has_examples_that_it_takes(name: str, key: str) -> None:
    described = property_of(name, key)
    check = validator(described)
    for example in [sample(described, SCHEMAS), *described.get("examples", [])]:
        check.validate(example)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("platform", ["whatsapp", "instagram", "webchat", None]),
        ("sender", ["user", "agent", None]),
        ("last_message_sender", ["user", "agent", None]),
        ("status", ["sent", "pending", "failed"]),
        ("lead_status", ["Hot", "Warm", "Cold", None]),
    ],
)
def test_the_words_of_an_answer_are_listed(key: str, words: list[str | None]) -> None:
    found = [
        property_of(name, key) for name, one in PROPERTIES if one == key and name not in ("Live", "Ready")
    ]
    assert found
    assert [one["enum"] for one in found] == [words] * len(found)


@pytest.mark.parametrize(("path", "name"), PARAMETERS)
def test_a_parameter_says_what_it_is_and_has_an_example_that_it_takes(path: str, name: str) -> None:
    described = parameter_of(path, name)
    assert SENTENCES.fullmatch(described["description"])
    validator(described["schema"]).validate(described["example"])
    if described["schema"].get("type") == "integer":
        assert "minimum" in described["schema"]
    if described["in"] == "path":
        assert described["required"] is True


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_says_what_it_is_and_has_an_example_that_it_takes(name: str) -> None:
    assert SENTENCES.fullmatch(HEADERS[name]["description"])
    validator(HEADERS[name]["schema"]).validate(HEADERS[name]["example"])


@pytest.mark.parametrize("path", OPERATIONS)
def test_an_operation_says_what_it_does(path: str) -> None:
    operation = OPERATIONS[path]
    assert operation["summary"][0].isupper()
    assert SENTENCES.fullmatch(operation["description"])
    assert set(operation["tags"]) <= {tag["name"] for tag in ON["tags"]}


def test_operations_have_names_of_their_own() -> None:
    assert len({operation["operationId"] for operation in OPERATIONS.values()}) == len(OPERATIONS)


@pytest.mark.parametrize(
    ("path", "status", "answer"), ANSWERS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_answer_says_what_it_means_and_has_a_sample(
    path: str, status: str, answer: dict[str, Any]
) -> None:
    assert SENTENCES.fullmatch(answer["description"])
    assert answer["headers"]
    if status == "304":
        assert "content" not in answer
        return
    for kind, content in answer["content"].items():
        samples = [content["example"]] if "example" in content else []
        samples += [one["value"] for one in content.get("examples", {}).values()]
        # Of a text and of the document itself there is no sample.
        assert samples or path in ("/metrics", "/openapi.json")
        for one in samples:
            assert kind == JSON or path.endswith((".csv", ".ndjson"))
            validator(content["schema"]).validate(one)


@pytest.mark.parametrize(("file", "name"), [("leads", "Lead"), ("messages", "Message")])
def test_the_sample_of_an_export_is_a_line_of_it(file: str, name: str) -> None:
    [path] = [path for path in OPERATIONS if path.endswith(f"/{file}.ndjson")]
    shown = OPERATIONS[path]["responses"]["200"]["content"]["application/x-ndjson"]["example"]
    assert shown.endswith("}\n")
    line = json.loads(shown)
    assert next(iter(line)) == "customer_phone"
    if name == "Message":
        del line["customer_phone"]
    validator(SCHEMAS[name]).validate(line)


def test_the_sample_of_a_table_has_the_columns_of_a_lead() -> None:
    shown = OPERATIONS["/users/{user_id}/leads.csv"]["responses"]["200"]["content"]["text/csv"]["example"]
    header, row = csv.reader(io.StringIO(shown))
    assert header == list(csv_lines.COLUMNS)
    assert len(row) == len(header)


def test_the_samples_of_errors_have_the_keys_in_their_order() -> None:
    for _, status, answer in ANSWERS:
        if status >= "400":
            for one in answer["content"][JSON]["examples"].values():
                assert list(one["value"]) == ["error", "message", "timestamp", "correlationId"]


@pytest.mark.parametrize("document", [ON, OFF], ids=["with credentials", "open"])
def test_the_document_says_what_it_is_of(document: dict[str, Any]) -> None:
    assert set(document["info"]) == {"title", "summary", "version", "description"}
    assert SENTENCES.fullmatch(document["info"]["summary"])
    assert [server["url"] for server in document["servers"]] == ["/"]
    for term in ("tenant", "lead", "extraction", "contact", "template send"):
        assert f"**{term}**" in document["info"]["description"]
    assert all(SENTENCES.fullmatch(tag["description"]) for tag in document["tags"])


def test_credentials_are_described_where_the_api_asks_for_them() -> None:
    assert ON["security"] == [{"credentials": []}]
    assert SENTENCES.fullmatch(ON["components"]["securitySchemes"]["credentials"]["description"])
    assert OFF["security"] == []
    assert "securitySchemes" not in OFF["components"]
    assert set(HEADERS) - set(OFF["components"]["headers"]) == {"WWW-Authenticate"}
    for path, operation in OPERATIONS.items():
        of_tenant = path.startswith("/users/")
        assert operation.get("security", ON["security"]) == (ON["security"] if of_tenant else [])
        assert {"401", "403"} <= set(operation["responses"]) or not of_tenant
        assert not {"401", "403"} & set(OFF["paths"][path]["get"]["responses"])
