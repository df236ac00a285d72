"""What keys look like."""

import re

from api.auth.key_format import PATTERN, is_key, new_key, prefix_of
from tests.support.cases import cases
from tests.support.commands import ROOT


def test_a_key_has_256_random_bits_behind_a_prefix() -> None:
    keys = [new_key() for _ in range(200)]
    assert len(set(keys)) == len({key[:18] for key in keys}) == 200
    for key in keys:
        assert is_key(key)
        assert prefix_of(key) == prefix_of(key[:18]) == key[:18]
        # 43 characters of 6 bits.
        assert len(key) == 18 + 1 + 43
    # No character of the secret is always the same.
    assert all(len({key[place] for key in keys}) > 8 for place in range(19, 62))


@cases(
    "text",
    ["", "leads_", "leads_0123456789a", "leads_0123456789abc", "leads_0123456789AB", "leads_0123456789ab_", "x",
     f"leads_0123456789ab_{'x' * 42}", f"leads_0123456789ab_{'x' * 44}", f"leads_0123456789ab_{'x' * 43}\n"],
)  # fmt: skip
def test_what_is_no_key(text: str) -> None:
    assert not is_key(text)
    assert prefix_of(text) is None


def test_the_page_has_the_pattern_for_scanners() -> None:
    page = (ROOT / "docs" / "authentication.md").read_text("utf-8")
    assert PATTERN in page
    assert re.search(PATTERN, f"a line with {new_key()} in it")
