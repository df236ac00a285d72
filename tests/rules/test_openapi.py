"""The OpenAPI document explains everything in it: each part has a sentence, and an example that its schema takes."""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.plan.exports import CSV_COLUMNS
from api.plan.history import CHANGE_KEYS
from api.request.error_codes import ErrorCode
from api.request.parameters import FURTHER_FACETS, INCLUDES
from api.response.openapi import sample
from tests.rules.files import check, read
from tests.rules.openapi import openapi

ON, OFF = openapi(asks_who_calls=True), openapi(asks_who_calls=False)
SCHEMAS = ON["components"]["schemas"]
PROPERTIES = [(name, *item) for name, schema in SCHEMAS.items() for item in schema["properties"].items()]
OPERATIONS = {
    path: operation for path, operations in ON["paths"].items() for operation in operations.values()
}
PARAMETERS = [
    (path, parameter)
    for path, operation in OPERATIONS.items()
    for parameter in operation.get("parameters", [])
]
HEADERS = ON["components"]["headers"]
JSON = "application/json"
# The keys that an answer has only for `include`.
OPTIONAL = {
    "Lead": {key for keys in INCLUDES.values() for key in keys},
    "ConversationSummary": {"attributes"},
    "LeadNumbers": {"waiting", "with_reply_window"},
    "Funnel": {"by_platform", "by_agent"},
    "Ready": {"warnings"},
}
# One or more sentences: a capital letter or a code at the beginning, and a full stop at the end.
SENTENCES = re.compile(r"[A-Z`].*\w.*\.", re.DOTALL)
CHECKER = FormatChecker()


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Return the validator of a schema that may refer to others of the document."""
    return Draft202012Validator({**schema, "components": ON["components"]}, format_checker=CHECKER)


def answers() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Return each status of each operation, resolved, by path and status."""
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


def test_the_documents_are_as_the_specification_has_them() -> None:
    for document in (ON, OFF):
        assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_each_part_is_described_in_sentences() -> None:
    """Each schema, property, parameter, header, operation and answer says what it is."""
    described = {
        **{f"schema {name}": schema["description"] for name, schema in SCHEMAS.items()},
        **{f"property {name}.{key}": schema["description"] for name, key, schema in PROPERTIES},
        **{
            f"parameter {parameter['name']} of {path}": parameter["description"]
            for path, parameter in PARAMETERS
        },
        **{f"header {name}": header["description"] for name, header in HEADERS.items()},
        **{f"operation {path}": operation["description"] for path, operation in OPERATIONS.items()},
        **{f"answer {status} of {path}": answer["description"] for path, status, answer in ANSWERS},
    }
    check(
        [f"{part}: {text}" for part, text in described.items() if not SENTENCES.fullmatch(text)],
        "No sentences:",
    )


def test_a_schema_lists_its_properties_and_says_which_are_null_and_bounded() -> None:
    for name, schema in SCHEMAS.items():
        assert schema["additionalProperties"] is False, name
        required = (
            [] if name == "PartialLead" else sorted(schema["properties"].keys() - OPTIONAL.get(name, set()))
        )
        assert schema["required"] == required, name
    for name, key, described in PROPERTIES:
        kinds = described.get("type", [])
        place = f"{name}.{key}"
        assert "null" not in kinds or re.search(r"\b[Nn]ull\b", described["description"]), (
            f"{place}: when is it null?"
        )
        assert "integer" not in kinds or "minimum" in described, place
        assert not (key.endswith("_at") or key == "timestamp") or described["format"] == "date-time", place
        if key.endswith("_score"):
            least, most = (5, 15) if key == "total_score" else (1, 3)
            assert (described["minimum"], described["maximum"]) == (least, most), place
            assert f"from {least} " in described["description"], place
            assert f"to {most}" in described["description"], place


def test_the_words_of_an_answer_are_listed() -> None:
    for key, words in (
        ("platform", ["whatsapp", "instagram", "webchat", None]),
        ("sender", ["user", "agent", None]),
        ("last_message_sender", ["user", "agent", None]),
        ("status", ["sent", "pending", "failed"]),
        ("lead_status", ["Hot", "Warm", "Cold", None]),
    ):
        enums = [
            schema["enum"]
            for name, named, schema in PROPERTIES
            if named == key and name not in ("Live", "Ready")
        ]
        assert enums, key
        assert enums == [words] * len(enums), key


def test_examples_are_taken_by_their_schemas() -> None:
    for _, _, described in PROPERTIES:
        for example in [sample(described, SCHEMAS), *described.get("examples", [])]:
            validator(described).validate(example)
    for _, described in PARAMETERS:
        validator(described["schema"]).validate(described["example"])
        assert described["schema"].get("type") != "integer" or "minimum" in described["schema"]
        assert described["in"] != "path" or described["required"] is True
    for described in HEADERS.values():
        validator(described["schema"]).validate(described["example"])


def test_an_answer_has_headers_and_samples() -> None:
    for path, status, answer in ANSWERS:
        assert answer["headers"], (path, status)
        assert ("content" in answer) == (status != "304"), (path, status)
        for kind, content in answer.get("content", {}).items():
            samples = [content["example"]] if "example" in content else []
            samples += [example["value"] for example in content.get("examples", {}).values()]
            # Of a text and of the document itself there is no sample.
            assert samples or path in ("/metrics", "/openapi.json"), (path, status)
            for example in samples:
                assert kind in (JSON, "text/event-stream") or path.endswith((".csv", ".ndjson")), (
                    path,
                    status,
                )
                validator(content["schema"]).validate(example)


def test_the_facets_that_are_described_are_those_that_there_are() -> None:
    described = SCHEMAS["LeadFacets"]["properties"]["data"]
    assert list(described["properties"]) == [*FURTHER_FACETS, "agent_names"]
    facet = validator(described)
    assert facet.is_valid({"attributes.city": {"values": {"Pune": 9}, "distinct": 1}})
    assert not facet.is_valid({"attributes.city": {"Pune": 9}})
    assert not facet.is_valid({"lead_status": {"values": {"Hot": 9}, "distinct": 1}})


def test_an_attribute_is_a_scalar_or_a_list_of_scalars() -> None:
    for name in ("Lead", "ConversationSummary"):
        attributes = validator(SCHEMAS[name]["properties"]["attributes"])
        assert attributes.is_valid({"city": "Pune", "budget": 12.5, "opted_out": False, "tags": ["vip", 1]})
        for value in (None, {"of": "keys"}, [["list"]]):
            assert not attributes.is_valid({"city": value})


def test_each_code_of_an_error_is_documented() -> None:
    rows = re.findall(r"^\| (\d{3}) \| ((?:`\w+`(?:, )?)+) \|", read("docs/api.md"), re.MULTILINE)
    on_the_page = {status: set(re.findall(r"\w+", codes)) for status, codes in rows}
    assert (
        set().union(*on_the_page.values())
        == set(HEADERS["X-Error-Code"]["schema"]["examples"])
        == set(ErrorCode)
    )
    described = {
        name.removeprefix("Error"): set(answer["content"][JSON]["examples"])
        for name, answer in ON["components"]["responses"].items()
        if name != "NotModified"
    }
    # What no operation has, and what libraries refuse, is on the page alone.
    assert on_the_page == described | {
        "405": {"method_not_allowed"},
        "400": described["400"] | {"bad_request"},
    }


def test_the_sample_of_an_export_is_a_line_of_it() -> None:
    for file, name in (("leads", "Lead"), ("messages", "Message"), ("status-history", "Transition")):
        [path] = [path for path in OPERATIONS if path.endswith(f"/{file}.ndjson")]
        shown = OPERATIONS[path]["responses"]["200"]["content"]["application/x-ndjson"]["example"]
        assert shown.endswith("}\n")
        line = json.loads(shown)
        assert next(iter(line)) == "customer_phone"
        if name != "Lead":
            del line["customer_phone"]
        validator(SCHEMAS[name]).validate(line)


def test_the_sample_of_a_table_has_its_columns() -> None:
    for file, columns in (
        ("leads.csv", CSV_COLUMNS),
        ("leads/status-history.csv", ("customer_phone", *CHANGE_KEYS)),
    ):
        answer = OPERATIONS[f"/users/{{user_id}}/{file}"]["responses"]["200"]
        header, row = csv.reader(io.StringIO(answer["content"]["text/csv"]["example"]))
        assert header == list(columns)
        assert len(row) == len(header)


def test_the_documents_say_what_they_are_of() -> None:
    for document in (ON, OFF):
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
        assert not {"401", "403"} & {
            code for operation in OFF["paths"][path].values() for code in operation["responses"]
        }
