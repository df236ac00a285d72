"""What a page may do."""

import base64
import hashlib

from api.response.content_policy import content_policy


def test_nothing_is_allowed_but_what_the_api_serves() -> None:
    policy = dict(part.split(" ", 1) for part in content_policy().split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert "img-src" not in policy


def test_a_script_in_the_page_runs_by_its_hash_alone() -> None:
    digest = base64.b64encode(hashlib.sha256(b"go()").digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in content_policy(b"go()")
    assert "unsafe" not in content_policy(b"go()")
