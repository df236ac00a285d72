"""Which endpoint a request is for, whatever its method."""

import pytest
from flask import request

from api.addresses import find_address
from tests.api.conftest import Library, MakeApp


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE", "PROPFIND"])
def test_the_endpoint_is_found_for_every_method(library: Library, make_app: MakeApp, method: str) -> None:
    app = make_app(library.database)
    with app.test_request_context("/users/a%20b/leads/1/messages", method=method):
        rule = find_address(request)
        assert rule is not None
        assert rule.endpoint == "leads.messages_of_lead"
        assert request.view_args == {"user_id": "a b", "customer_phone": "1"}
    with app.test_request_context("/users/a", method=method):
        assert find_address(request) is None
