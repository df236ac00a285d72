"""The page to try the API needs nothing from elsewhere."""

import re

from flask.testing import FlaskClient


def test_the_page_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    for path in ("/docs", "/docs/", "/docs/index.html"):
        page = client.get(path)
        assert page.status_code == 200
        text = page.get_data(as_text=True)
        assert "/openapi.json" in text
        sources = re.findall(r'(?:src|href)="([^"]+)"', text)
        assert len(sources) >= 4
        for source in sources:
            assert source.startswith("/docs/")
            with client.get(source) as answer:
                assert answer.status_code == 200
