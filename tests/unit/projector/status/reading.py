"""Helpers of the tests of `status`."""

from projector.core.refresh import refresh
from projector.observe.status import Status, find_attention
from projector.report.progress import QUIET
from tests.support.server import Database


def refresh_now(database: Database) -> None:
    with database.connect() as conn:
        refresh(conn, retry_failed=False, progress=QUIET)


def one_sentence(status: Status) -> str:
    [sentence] = find_attention(status)
    return sentence
