"""Large answers are compressed for callers that take them so."""

import gzip
import sys

from flask.testing import FlaskClient
from werkzeug.wrappers import Response

from api.response.compression import MIN_BYTES, chosen_encoding
from tests.support.cases import cases
from tests.unit.api.conftest import Library

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TAKES = {"Accept-Encoding": "gzip, deflate, br"}
SAME = {"X-Correlation-Id": "same"}


def plain(answer: Response) -> bytes:
    encoding = answer.headers.get("Content-Encoding")
    if encoding == "zstd":
        return zstd.decompress(answer.data)
    return gzip.decompress(answer.data) if encoding == "gzip" else answer.data


@cases("encoding", ["gzip", "zstd"])
def test_an_answer_is_the_same_but_for_its_encoding(
    client: FlaskClient, library: Library, encoding: str
) -> None:
    for address in (
        library.base,
        f"{library.base}?days=4000",
        f"{library.base}/{library.phone}/messages",
        "/openapi.json",
    ):
        whole, small = (
            client.get(address, headers=SAME),
            client.get(address, headers=SAME | {"Accept-Encoding": encoding}),
        )
        assert len(whole.data) >= MIN_BYTES
        assert "Content-Encoding" not in whole.headers
        assert small.headers["Content-Encoding"] == encoding
        assert plain(small) == whole.data
        assert len(small.data) < len(whole.data)
        assert small.headers["Content-Length"] == str(len(small.data))
        assert whole.headers["Vary"] == small.headers["Vary"] == "Accept-Encoding"
        assert small.headers.get("ETag") == whole.headers.get("ETag")
        assert small.headers["Content-Type"] == whole.headers["Content-Type"]


def test_a_range_is_of_the_stored_bytes(client: FlaskClient) -> None:
    with client.get("/docs/swagger-ui-bundle.js", headers={**TAKES, "Range": "bytes=0-4999"}) as answer:
        assert (answer.status_code, len(answer.data)) == (206, 5000)
        assert "Content-Encoding" not in answer.headers


@cases(
    ("header", "wanted"),
    [
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("zstd", "zstd"),
        # As browsers send it.
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=0.9, zstd;q=0.8", "gzip"),
        ("zstd;q=0, gzip;q=0.1", "gzip"),
        ("gzip;q=0, *", "zstd"),
        ("zstd;q=0, *;q=0.5", "gzip"),
        ("deflate, gzip;q=0.5", "gzip"),
        ("*", "zstd"),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", "gzip"),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("identity;q=0, *", "zstd"),
        ("gzip;q=0", None),
        ("*;q=0", None),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("deflate, br", None),
        ("", None),
        ("gzip2", None),
        (";;,,q=1", None),
        ("deflate," * 200 + "gzip", "gzip"),
    ],
)
def test_what_a_caller_takes(client: FlaskClient, library: Library, header: str, wanted: str | None) -> None:
    assert chosen_encoding(header) == wanted
    answer = client.get(library.base, headers={"Accept-Encoding": header})
    assert answer.headers.get("Content-Encoding") == wanted
