"""The headers that the OpenAPI document describes are those of the answers."""

import re

from api.response.headers import HEADERS, KNOWN, LIMITED
from tests.unit.api.conftest import Library, MakeApp, answer_keys


def test_an_answer_has_the_described_headers_and_no_other(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, rate_limit="100 per minute").test_client()
    for address in answer_keys(library):
        for headers in ({}, {"If-None-Match": "*"}):
            answer = client.get(address, headers=headers)
            described = {*LIMITED, *KNOWN, "ETag"}
            if answer.status_code == 200 and address.endswith(("leads", "messages")):
                described.add("Link")
            found = {name for name, _ in answer.headers if name in HEADERS or name.startswith(("X-", "Rate"))}
            found -= {"X-Content-Type-Options"}
            assert found <= described
            # The tenant may have no dead letter, and a list no second page.
            assert described - found <= {"X-Data-Dead-Letters", "Link"}


def test_the_example_of_a_header_looks_like_what_is_sent(library: Library, make_app: MakeApp) -> None:
    answer = make_app(library.database, rate_limit="100 per minute").test_client().get(library.base)
    for name in ("ETag", *KNOWN, *LIMITED):
        if name == "X-Data-Dead-Letters":
            continue
        forms = (
            re.sub(r"[a-z]", "a", re.sub(r"\d", "0", text))
            for text in (answer.headers[name], str(HEADERS[name].example))
        )
        first, second = (re.sub(r"[a0]+", "#", form) for form in forms)
        assert first == second
