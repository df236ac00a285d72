"""A value that is not allowed is refused with what is."""

from collections.abc import Callable
from math import inf

import pytest

from api.config import values as read
from tests.support.cases import cases

SEVERAL_HOSTS = (
    "postgresql://u:p@a:5432,b:5433/d",
    "postgresql://u:p@a,b/d?target_session_attrs=prefer-standby&load_balance_hosts=random",
    "host=a,b port=5432 dbname=d target_session_attrs=primary",
    "hostaddr=10.0.0.1,10.0.0.2 port=1,2 dbname=d",
)
# As an address for the projector or for `python -m api keys`, which write.
READ_WRITE = "postgresql://a,b/d?target_session_attrs=read-write"


@cases(
    ("reader", "text", "value"),
    [
        (read.switch, "ON", True),
        (read.switch, "off", False),
        (read.whole_number(1, 64), "64", 64),
        (read.seconds, "2.5", 2.5),
        (read.off_or(read.seconds, inf), "Off", inf),
        (read.one_of(("DEBUG", "INFO")), "debug", "DEBUG"),
        (read.database_url, "postgresql://u:p@h:5432/d", "postgresql://u:p@h:5432/d"),
        *((reader, url, url) for reader in (read.database_url, read.readers_url) for url in SEVERAL_HOSTS),
        (read.database_url, READ_WRITE, READ_WRITE),
        (read.off_or(read.rate_limit, ""), "OFF", ""),
        (read.rate_limit, "5 per second", "5 per second"),
        (read.storage, "valkey://h:6379", "valkey://h:6379"),
        (
            read.origins,
            " https://A.example , https://a.example:443,,http://[::1]:3000",
            ("https://a.example", "http://[::1]:3000"),
        ),
        (
            read.origins,
            "http://a.example:80,https://a.example:80",
            ("http://a.example", "https://a.example:80"),
        ),
        (read.origins, "*", ("*",)),
        (read.host_names, " Leads.Internal,, nas ", ("leads.internal", "nas")),
    ],
)
def test_a_value_is_read(reader: Callable[[str], object], text: str, value: object) -> None:
    assert reader(text) == value


@cases(
    ("reader", "text", "allowed"),
    [
        (read.switch, "yes", "on or off"),
        (read.whole_number(1, 64), "65", "a whole number from 1 to 64"),
        (read.whole_number(1, 64), "٣", "a whole number from 1 to 64"),
        (read.seconds, "0", "a number of seconds up to 86400"),
        (read.off_or(read.seconds, inf), "nan", "such as 60 or 2.5, or off"),
        (read.one_of(("DEBUG", "INFO")), "trace", "DEBUG or INFO"),
        *(
            (read.origins, text, "origins such as https://app.example.com")
            for text in (
                "app.example.com",
                "https://app.example.com/",
                "https://app.example.com/path",
                "https://*.example.com",
                "https://app.example.com:99999",
                "https://\u00fcber.example",
                "null",
                "https://a.example https://b.example",
            )
        ),
        *(
            (read.host_names, text, "names such as leads.internal")
            for text in ("*", ".internal", "nas:4000", "http://nas", "a b", "a_b", "[::1]", "\u00fcber")
        ),
        (read.database_url, "postgresql://u:p@h:99999/d", "its port a number from 1 to 65535"),
        (read.database_url, "postgresql://h/d?sslmode=maybe", "its sslmode one of disable"),
        (read.database_url, "postgresql://h/d?target_session_attrs=best", "target_session_attrs one of any"),
        (read.database_url, "postgresql://a:1,b:2/d?port=1,2,3", "one port or as many as it has hosts"),
        (
            read.readers_url,
            "postgresql://a,b/d?target_session_attrs=read-write",
            "prefer-standby, .* or primary: .* read-only",
        ),
        (read.readers_url, "postgresql://h/d?sslmode=maybe", "its sslmode one of disable"),
        (read.rate_limit, "0 per minute", "one limit such as '100 per minute'"),
        (read.rate_limit, "5 per second; 100 per minute", "one limit such as '100 per minute'"),
        (read.storage, "http://h", "memory://, redis://HOST:PORT or valkey://HOST:PORT"),
        (read.storage, "redis://h:port", "a number up to 65535"),
    ],
)
def test_a_value_is_refused(reader: Callable[[str], object], text: str, allowed: str) -> None:
    with pytest.raises(ValueError, match=allowed):
        reader(text)
