"""Which lead of many stopped a rebuild: PostgreSQL names the step and the error, but not the row."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import psycopg

from projector.core.batch import first_line, is_lead_failure
from projector.database.step_failures import failing_step
from projector.report.counted import escape_hidden
from projector.report.errors import WHERE_SHOWN, RebuildFailedError, condition
from projector.report.log import digest
from projector.sweep.rebuild.leads import LeadKey


@contextmanager
def naming_the_failing_lead(
    keys: Sequence[LeadKey], work: Callable[[Sequence[LeadKey]], object]
) -> Iterator[None]:
    """Raise RebuildFailedError, which names the lead, if what is done within fails because of the data of one.

    `work` does the same for some of the keys; it is called for halves of them until one key is left.
    """
    try:
        yield
    except psycopg.Error as error:
        if not is_lead_failure(error):
            raise
        found = _find_failing_lead(keys, work)
        if found is None:
            raise
        (user_id, customer_phone), cause = found
        step = failing_step(cause)
        kind = condition(cause) if step is None else f"{condition(cause)} ({step})"
        tenant = escape_hidden(user_id)
        advice = "The read model serves what it held. Correct the source rows of this customer, and run rebuild again."
        raise RebuildFailedError(
            f"The rebuild stopped at customer {escape_hidden(customer_phone)} of tenant {tenant}:"
            f" {first_line(cause)}. {advice}",
            without_values=(
                f"The rebuild stopped at a customer of tenant {tenant} whose phone has the digest"
                f" {digest(customer_phone)}: {kind}. {advice} {WHERE_SHOWN}"
            ),
        ) from error


def _find_failing_lead(
    keys: Sequence[LeadKey], work: Callable[[Sequence[LeadKey]], object]
) -> tuple[LeadKey, psycopg.Error] | None:
    """Return a lead for which the work fails alone, and how; None if it does not fail again."""
    while len(keys) > 1:
        first, second = keys[: len(keys) // 2], keys[len(keys) // 2 :]
        keys = second if _failure(first, work) is None else first
    failure = _failure(keys, work)
    return None if failure is None else (keys[0], failure)


def _failure(keys: Sequence[LeadKey], work: Callable[[Sequence[LeadKey]], object]) -> psycopg.Error | None:
    try:
        work(keys)
    except psycopg.Error as error:
        if not is_lead_failure(error):
            raise
        return error
    return None
