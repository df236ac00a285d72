"""Tells PostgreSQL the tenant of a statement in the same round trip as the statement."""

import select
from collections.abc import Sequence

from psycopg.abc import Buffer
from psycopg.pq import ConnStatus, Escaping, ExecStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

TENANT_SETTING = b"leads.user_id"

BEGIN = b"BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY"
"""How a transaction begins whose settings are its own."""

_FAILED = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE)


def run_under(
    pgconn: PGconn, tenant: str, name: bytes, values: Sequence[Buffer], local_settings: Sequence[bytes] | None
) -> PGresult:
    """Returns the result of a prepared statement under a tenant, or the first error.

    The tenant stays set in the session. With `local_settings`, which may be none, these commands and the tenant are for
    a transaction of the statement alone. After an error the session has the tenant of before. Raises OperationalError
    if the connection broke.
    """
    # SET, because an operator may have revoked set_config() from everybody: see docs/authentication.md.
    setting = b"%b = %b" % (TENANT_SETTING, Escaping(pgconn).escape_literal(tenant.encode()))
    before, after = [b"SET " + setting], []
    if local_settings is not None:
        before, after = [BEGIN, *local_settings, b"SET LOCAL " + setting], [b"COMMIT"]
    pgconn.enter_pipeline_mode()
    try:
        for command in before:
            pgconn.send_query_params(command, None)
        pgconn.send_query_prepared(name, values)
        for command in after:
            pgconn.send_query_params(command, None)
        pgconn.pipeline_sync()
        results = _results(pgconn)
        pgconn.exit_pipeline_mode()
    finally:
        if pgconn.pipeline_status != PipelineStatus.OFF:
            # Results that nobody has read would be taken for those of the next statement.
            pgconn.finish()
    failed = next((result for result in results if result.status in _FAILED), None)
    if pgconn.transaction_status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN):
        pgconn.exec_(b"ROLLBACK")
    return results[len(before)] if failed is None else failed


def _results(pgconn: PGconn) -> list[PGresult]:
    """Returns the result of each command up to the synchronization, or up to the end of the connection."""
    results: list[PGresult] = []
    while True:
        _wait_for_result(pgconn)
        result = pgconn.get_result()
        if result is not None and result.status == ExecStatus.PIPELINE_SYNC:
            return results
        # Each command ends with a result that is None.
        if result is not None:
            results.append(result)
        if pgconn.status == ConnStatus.BAD:
            return results


def _wait_for_result(pgconn: PGconn) -> None:
    """Waits until the next result is there: get_result() would wait for it while no other thread runs."""
    while True:
        is_sent = not pgconn.flush()
        if is_sent and not pgconn.is_busy():
            return
        poll = select.poll()
        poll.register(pgconn.socket, select.POLLIN if is_sent else select.POLLIN | select.POLLOUT)
        poll.poll()
        pgconn.consume_input()
