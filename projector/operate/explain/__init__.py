"""Explain: for each field of a lead, the source row that it comes from, the rule, and the rows that lost.

What the lead is comes from the definition, computed from the source rows in one snapshot with the queue and the read
model. It reads by index only, writes nothing and waits for nobody for long.
"""

import psycopg

from projector.core.pipeline import Connection
from projector.core.preconditions import require_built, require_installed
from projector.core.snapshots import retry_while_source_is_held, snapshot, source_files
from projector.database.sql import query
from projector.operate.explain.activity import explain_activity, idle_contact_row, uncounted_sends
from projector.operate.explain.as_json import as_dict
from projector.operate.explain.model import Explanation, Field, Row
from projector.operate.explain.nearest import find_nearest, spellings
from projector.operate.explain.profile import explain_profile
from projector.operate.explain.read import Evidence, count_leads, read_evidence
from projector.operate.explain.render import render
from projector.operate.explain.times import explain_times
from projector.operate.explain.verdict import differs, give_verdict
from projector.report.errors import BlockedError, ProjectorError, TenantNotFoundError

__all__ = ["CANDIDATES", "FIELDS", "Explanation", "as_dict", "explain_in", "explain_lead", "render"]

CANDIDATES = 3
"""So many losing rows of a table are named for each field, unless more are asked for."""

STATEMENT_TIMEOUT_SECONDS = 30

FIELDS = (
    "customer_phone", "name", "email", "company", "lead_status", "total_score", "intent_score", "urgency_score",
    "budget_score", "fit_score", "engagement_score", "platforms", "conversation_count", "total_messages",
    "template_sends_count", "last_message_at", "last_message_text", "last_message_sender", "first_contact_at",
    "has_extraction", "extraction_id", "conversations",
)  # fmt: skip
"""The keys of a lead in the order in which the API prints them."""


def explain_lead(conn: Connection, user_id: str, phone: str, *, candidates: int = CANDIDATES) -> Explanation:
    """Explain a lead; `phone` may be spelt in any way. At most `candidates` losing rows of a table are named.

    Raises NotInstalledError if the read model was never built, TenantNotFoundError for an unknown tenant,
    BlockedError while another session holds one of the platform's tables, and ProjectorError for a blank phone.
    """
    require_installed(conn)
    require_built(conn)

    def look() -> tuple[Explanation, bool]:
        before = source_files(conn)
        with snapshot(conn):
            found = explain_in(conn, user_id, phone, candidates=candidates)
        # The rows of a table that was truncated or rewritten meanwhile could not be seen.
        return found, not found.has_drifted or source_files(conn) == before

    try:
        is_sure = False
        while not is_sure:
            explanation, is_sure = retry_while_source_is_held(conn, look)
    except psycopg.errors.QueryCanceled as error:
        raise BlockedError(
            f"The rows of the lead could not be read in {STATEMENT_TIMEOUT_SECONDS} s. The database is very busy, or an"
            " index that `migrate` asks for is missing: try again later, or run migrate to see what it says."
        ) from error
    return explanation


def explain_in(conn: Connection, user_id: str, phone: str, *, candidates: int) -> Explanation:
    """Explain a lead in the caller's transaction, which from then on can write nothing."""
    conn.execute(query("explain", "limit_transaction"), {"timeout": f"{STATEMENT_TIMEOUT_SECONDS}s"})
    canonical, forms = spellings(conn, phone)
    if canonical is None:
        raise ProjectorError("The phone is blank: name the lead by its customer_phone.")
    found = read_evidence(conn, user_id, canonical, spellings=forms, size=candidates + 1)
    if not found.state.is_tenant:
        raise TenantNotFoundError(
            f"There is no tenant {user_id!r}: give the user_id as the path of the API has it, then the phone."
        )
    made = Explanation(
        user_id,
        canonical,
        phone,
        exists=bool(found.conversations or found.counted_sends),
        in_read_model=found.stored is not None,
        waiting=found.waiting[:candidates],
        dead_letters=found.letters,
        failure=found.failure,
    )
    made.more_waiting = (found.waiting[0].total if found.waiting else 0) - len(made.waiting)
    if made.exists:
        made.fields = _fields(found, candidates)
    elif not made.in_read_model:
        made.leads_of_tenant = count_leads(conn, user_id)
        made.nearest = find_nearest(conn, user_id, canonical)
    if not made.exists:
        made.without_effect = _without_effect(found, candidates)
    give_verdict(made, found)
    return made


def _fields(found: Evidence, candidates: int) -> list[Field]:
    """Each field in the order of the API, with its value: what the rules give, or where they fail, what is stored."""
    made = {
        **explain_profile(found, candidates),
        **explain_activity(found, candidates),
        **explain_times(found, candidates),
    }
    values = (found.computed if found.failure is None else found.stored) or {}
    for name in FIELDS:
        made[name].value = values.get(name)
        if found.stored is not None and differs(found):
            made[name].read_model = found.stored.get(name)
            made[name].differs = made[name].value != made[name].read_model
    return [made[name] for name in FIELDS]


def _without_effect(found: Evidence, candidates: int) -> list[Row]:
    """The rows that have the phone and make no lead, and keys that led to it and do no more."""
    contacts = [idle_contact_row(row) for row in found.contacts[:candidates]]
    tables = {"conversation": "conversations", "contact": "contacts", "template_send": "template_sends"}
    gone = [
        Row(tables[key.kind], key.key, note="it is gone, or belongs to another lead now")
        for key in found.keys
        if not key.is_own
    ]
    return [*uncounted_sends(found, candidates)[0], *contacts, *gone[:candidates]]
