"""POST /leads/lookup: what it takes, and what it counts; its leads are compared with the oracle in acceptance/."""

import json

from flask.testing import FlaskClient

from api.request.body import MAX_PHONES
from tests.support.cases import cases
from tests.unit.api.conftest import Library, MakeApp


@cases(
    ("body", "named"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"customer_phones": ["\xff"]}', "not JSON"),
        (b"[]", "customer_phones"),
        (b"{}", "customer_phones"),
        (b'{"customer_phones": "1"}', "customer_phones"),
        (b'{"customer_phones": [], "more": 1}', "customer_phones"),
        (b'{"customer_phones": ["1", 2]}', "customer_phones[1]"),
        (b'{"customer_phones": ["1", "2", null]}', "customer_phones[2]"),
        (b'{"customer_phones": ["a\\u0000"]}', "customer_phones[0]"),
        (json.dumps({"customer_phones": ["1" * 256]}).encode(), "255"),
        (json.dumps({"customer_phones": ["1"] * (MAX_PHONES + 1)}).encode(), str(MAX_PHONES)),
    ],
)
def test_another_body_is_refused(client: FlaskClient, library: Library, body: bytes, named: str) -> None:
    answer = client.post(f"{library.base}/lookup", data=body)
    assert answer.status_code == 400
    assert named in answer.get_json()["message"]


def test_it_is_one_request_in_the_order_of_the_phones(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, rate_limit="5 per minute").test_client()
    phones = [library.phone, "nobody", library.phone]
    answer = client.post(f"{library.base}/lookup?fields=customer_phone", json={"customer_phones": phones})
    assert answer.headers["X-RateLimit-Remaining"] == "4"
    assert answer.headers["X-Data-As-Of"]
    lead = {"customer_phone": library.phone}
    assert answer.get_json()["data"] == [lead, None, lead]
    most = client.post(f"{library.base}/lookup", json={"customer_phones": ["nobody"] * MAX_PHONES})
    assert most.get_json()["data"] == [None] * MAX_PHONES
    assert client.post(f"{library.base}/lookup", data=b"x" * 65_537).status_code == 413
