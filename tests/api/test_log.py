"""Log lines."""

import pytest

from tests.api.conftest import Library, MakeApp


def test_requests_are_logged_on_demand(
    library: Library, make_app: MakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    for level, lines in (("INFO", 0), ("DEBUG", 1)):
        answer = make_app(library.database, log_level=level).test_client().get(f"{library.base}/1")
        found = [line for line in capsys.readouterr().err.splitlines() if '"answered"' in line]
        assert len(found) == lines
    assert answer.get_json()["correlationId"] in found[0]
    assert '"status": 404' in found[0]
