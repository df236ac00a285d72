"""Explains a lead: as the definition computes it now, with the source rows that compete for its fields.

The steps of a sweep compute the lead on staging tables, in one snapshot with the queue and the read model. They also
take the keys of its source rows from a staging table, because projector.source_keys lacks a waiting row. Everything is
read by indexes, only staging tables are written, and no other session is blocked for long.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from textwrap import wrap
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row

from projector.capture.attributes import DECLARED_COLUMN, JSON_COLUMN
from projector.capture.gaps import open_gaps
from projector.core import pipeline, staging
from projector.core.batch import is_server_failure
from projector.core.faults import find_fault_of_keys
from projector.core.preconditions import require_built, require_tenants
from projector.core.source_reads import read_steadily, snapshot
from projector.database.kinds import key_kinds
from projector.database.rows import Connection, only_row, value, values
from projector.database.source_names import read_tables
from projector.database.sql import PROJECTION_VERSION, definition, query
from projector.report.counted import counted, escape_hidden
from projector.report.errors import BlockedError, ProjectorError, is_raised
from projector.sweep.leads import lead_arrays

CURRENT, WAITING, DEAD_LETTER, REBUILDING, GAP, DRIFT, NO_LEAD = (
    "current", "waiting", "dead_letter", "rebuilding", "capture_gap", "drift", "no_lead",
)  # fmt: skip
"""How the read model compares with the result of the rules; docs/troubleshooting.md explains each state."""

EXAMINED_CHANGES = 10_000
"""How many waiting changes, and keys of them, an explanation examines, so that a long queue does not slow it down."""

STATEMENT_TIMEOUT_SECONDS = 30
NEAREST = 5
"""How many similar phones are named."""

_SHOWN_CHARACTERS = 200
_SHOWN_JSON = 2000
_WIDTH = 80
_WAITING = query("operate", "waiting_keys").rstrip(";")
_LAST_ACTIVE_FIRST = (
    "coalesce(r.newest_message_at, r.source_last_message_at) DESC NULLS LAST, r.conversation_id"
)
_COUNTED_FIRST = "r.is_counted DESC, r.sent_at DESC, r.send_id DESC"
_FIRST_OF_EACH = re.compile(r"DISTINCT ON \(.*?\)\s")

OF_MESSAGES = (
    "refresh/3_resolve/40_read_conversations",
    "refresh/4_recompute/20_read_messages",
    "refresh/7_compare_leads/10_collect_stale_leads",
    "refresh/7_compare_leads/30_compute_conversations",
    "refresh/7_compare_leads/40_read_last_messages",
    "refresh/7_compare_leads/50_read_waiting",
)
OF_LEADS = ("refresh/4_recompute/30_compute_profiles", "refresh/7_compare_leads/70_compute_leads")
"""The steps that compute a staged lead. They are separate so that messages are shown if the profile fails."""

_KEYS = {"projector.source_keys": "pg_temp.explained_keys"}

Record = dict[str, Any]
_Found = TypeVar("_Found")


def _all_of(name: str) -> str:
    """Return a definition that takes the first row of each lead, changed so that it returns all rows in that order."""
    text, taken = _FIRST_OF_EACH.subn("", definition(name))
    if taken != 1:
        raise AssertionError(f"The definition {name} does not take the first row of each lead.")
    return text


COMPETING = {
    "extractions": ("Extractions, the one that counts first", _all_of("winning_extractions")),
    "status_changes": (
        "Changes of the status, the newest first",
        query("operate", "rank_rows", rows="new_lead_status_changes", order="r.changed_at DESC"),
    ),
    "contacts": ("Contacts, the one that counts first", _all_of("winning_contacts")),
    "messages": ("Messages, the last one first", _all_of("last_messages")),
    "conversations": (
        "Conversations, as printed",
        query("operate", "rank_rows", rows="new_lead_conversations", order=_LAST_ACTIVE_FIRST),
    ),
    "template_sends": (
        "Template sends, those that count first, then the newest",
        query("operate", "rank_rows", rows=f"({definition('template_sends')})", order=_COUNTED_FIRST),
    ),
}
"""The relations whose rows are shown, each with a heading and its rows, the winner first."""


@dataclass(frozen=True, slots=True)
class _State:
    """The state that says what a difference from the read model means: the row of `read_state`, and a gap."""

    version: str
    is_rebuilding: bool
    truncates: bool
    is_longer: bool
    gap: str | None = None


@dataclass(slots=True)
class Explanation:
    """The explanation of a lead; docs/troubleshooting.md describes the members.

    Values of fields are as the API prints them with attributes, each attribute as a field of its own; those of source
    rows are as stored. `left_out` is the number of attributes that were left out. `asked_for` is the phone as given.
    `exists` says whether the source rows make a lead now, `in_read_model` whether the read model has it. `failure` says
    which row of which relation keeps the definition from computing the lead, with PostgreSQL's error.
    """

    user_id: str
    customer_phone: str
    asked_for: str
    exists: bool = False
    in_read_model: bool = False
    state: str = CURRENT
    sentences: list[str] = field(default_factory=list)
    failure: str | None = None
    fields: list[Record] = field(default_factory=list)
    left_out: int = 0
    candidates: dict[str, Record] = field(default_factory=dict)
    waiting: list[Record] = field(default_factory=list)
    more_waiting: int = 0
    dead_letters: list[Record] = field(default_factory=list)
    nearest: list[str] = field(default_factory=list)

    @property
    def has_drifted(self) -> bool:
        """Whether the read model is wrong, which only a bug explains."""
        return self.state == DRIFT

    @property
    def is_there(self) -> bool:
        """Whether the source rows or the read model have the lead."""
        return self.exists or self.in_read_model

    @property
    def differs(self) -> bool:
        """Whether the read model differs from the result of the rules; not known if they fail."""
        return self.failure is None and (
            self.exists != self.in_read_model or any(printed["differs"] for printed in self.fields)
        )


def explain_lead(conn: Connection, user_id: str, phone: str, *, candidates: int = 3) -> Explanation:
    """Explain a lead; `phone` may be spelt in any way. For each table it shows the first row and `candidates` others.

    Raises NotInstalledError if the read model was never built, TenantNotFoundError for an unknown tenant,
    BlockedError while another session holds one of the platform's tables, and ProjectorError for a blank phone.
    """
    require_built(conn)
    prepare(conn)
    explain = snapshot(conn)(partial(explain_in, conn, user_id, phone, candidates=candidates))
    try:
        return read_steadily(conn, explain, differs=lambda explanation: explanation.has_drifted)
    except psycopg.errors.QueryCanceled as error:
        raise BlockedError(
            f"The rows of the lead could not be read in {STATEMENT_TIMEOUT_SECONDS} s. The database is very busy, an"
            " index that `migrate` asks for is missing, or a function of the mapping does not end: try again later, run"
            " migrate to see what it says, and look whether `status` names a dead letter of the lead."
        ) from error


def prepare(conn: Connection) -> None:
    """Create the staging tables of an explanation."""
    pipeline.prepare_session(conn)
    conn.execute(query("operate", "create_key_table"))


def explain_in(conn: Connection, user_id: str, phone: str, *, candidates: int) -> Explanation:
    """Explain a lead in the caller's transaction, which can then write only to the tables of `prepare`."""
    conn.execute(query("operate", "limit_transaction"), {"timeout": f"{STATEMENT_TIMEOUT_SECONDS}s"})
    canonical = value(conn, query("operate", "canonical_phone"), {"phone": phone})
    if canonical is None:
        raise ProjectorError("The phone is blank: name the lead by its customer_phone.")
    require_tenants(conn, [user_id])
    made = Explanation(user_id, canonical, phone)
    lead = {"user_id": user_id, "customer_phone": canonical, "bound": EXAMINED_CHANGES}
    state = only_row(conn, _State, query("operate", "read_state", waiting=_WAITING), lead)
    state = replace(state, gap=next((gap.reason for gap in open_gaps(conn)), None))
    keys = _own_keys(conn, lead, _read(conn, "find_keys", lead))
    every = {**lead, **_arrays(keys), "size": max(candidates, 1)}
    waiting = _try(conn, partial(_read, conn, "find_waiting", every))
    if isinstance(waiting, psycopg.Error):
        state, waiting = replace(state, is_longer=True), []
    total = waiting[0]["total"] if waiting else 0
    made.waiting = [
        {name: change[name] for name in ("kind", "key", "queued_at")} for change in waiting[:candidates]
    ]
    made.more_waiting = total - len(made.waiting)
    made.dead_letters = _read(conn, "find_dead_letters", every)
    own = {**lead, **_arrays(key for key in keys if key["is_own"])}
    _read_fields(conn, made, own)
    names = {name: f"{table.schema}.{table.name}" for table in read_tables(conn) for name in table.relations}
    for table, (_, rows) in COMPETING.items():
        competing = _try(conn, partial(_read_rows, conn, rows, candidates + 2))
        if isinstance(competing, psycopg.Error):
            competing = []
        shown = [_shortened(row) for row in competing[: candidates + 1]]
        is_more = len(competing) > len(shown)
        made.candidates[table] = {"table": names.get(table), "rows": shown, "more": is_more}
    if not made.is_there:
        variants = list(dict.fromkeys(_variants(made.customer_phone)))
        near = _read(conn, "find_nearest", {**lead, "phones": variants, "size": NEAREST})
        made.nearest = [row["customer_phone"] for row in near]
    made.state = _state(made, state, is_waiting=total > 0)
    made.sentences = list(_sentences(made, state, total, waiting))
    return made


def render(explanation: Explanation) -> str:
    """Return the explanation as text: the state of the read model, the fields, and the competing rows."""
    lines: list[str] = []
    for text in _texts(explanation):
        # Escaped, so that it cannot control a terminal.
        lines += wrap(escape_hidden(text), _WIDTH, subsequent_indent="    ", break_on_hyphens=False) or [""]
    return "\n".join(lines)


def _texts(explanation: Explanation) -> Iterator[str]:
    yield f"Lead {explanation.customer_phone} of {explanation.user_id}"
    if explanation.asked_for != explanation.customer_phone:
        yield f"(asked for as {_value(explanation.asked_for)}, which is the same phone)"
    yield from explanation.sentences
    for change in explanation.waiting:
        yield f"  waits: {change['kind']} {change['key']}, queued at {change['queued_at']}"
    if explanation.more_waiting:
        yield f"  and {explanation.more_waiting:,} more"
    yield ""
    for printed in explanation.fields:
        yield f"{printed['field']}: {_value(printed['value'])}"
        if printed["differs"]:
            yield f"  READ MODEL shows {_value(printed['read_model'])}"
    for table, (heading, _) in COMPETING.items():
        rows = explanation.candidates[table]["rows"]
        if rows:
            yield ""
            of = explanation.candidates[table]["table"]
            # The heading names the table only if the platform has another name for it.
            yield f"{heading}:" if of is None or of.endswith(f".{table}") else f"{heading}, of {of}:"
        for row in rows:
            yield "- " + ", ".join(f"{name} {_value(value)}" for name, value in row.items())
        if explanation.candidates[table]["more"]:
            yield "  and more"


def _read(conn: Connection, name: str, parameters: Record, **names: str) -> list[Record]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("operate", name, waiting=_WAITING, **names), parameters).fetchall()


def _try(conn: Connection, read: Callable[[], _Found]) -> _Found | psycopg.Error:
    """Return the result of `read`, or its error if a row, the mapping or one of its functions may be the cause."""
    try:
        with conn.transaction():
            return read()
    except psycopg.Error as error:
        is_canceled = isinstance(error, psycopg.errors.QueryCanceled) and not is_raised(error)
        if is_canceled or is_server_failure(error):
            raise
        return error


def _own_keys(conn: Connection, lead: Record, keys: list[Record]) -> list[Record]:
    """Return the keys that concern the lead. If a row cannot be read, its key counts if it is known."""
    parameters = {**lead, **_arrays(keys), "known": [key["is_known"] for key in keys]}
    found = _try(conn, partial(_read, conn, "find_own_keys", parameters))
    if not isinstance(found, psycopg.Error):
        return found
    if len(keys) == 1:
        return [{**keys[0], "is_own": True}] if keys[0]["is_known"] else []
    middle = len(keys) // 2
    return _own_keys(conn, lead, keys[:middle]) + _own_keys(conn, lead, keys[middle:])


def stage_lead(conn: Connection, own: Record, elsewhere: Mapping[str, str] | None = None) -> pipeline.Run:
    """Stage a lead with its keys; return the run whose steps OF_MESSAGES and OF_LEADS compute it.

    `elsewhere` says where to find the definition if it is not installed.
    """
    staging.clear(conn, [])
    conn.execute(query("operate", "fill_key_table"), own)
    leads = lead_arrays([(own["user_id"], own["customer_phone"])], all_keys=True)
    run = pipeline.Run(conn, parameters=leads, elsewhere=_KEYS | dict(elsewhere or {}))
    run.run("sweep/2_recompute/10_stage_leads")
    return run


def _read_rows(conn: Connection, rows: str, size: int) -> list[Record]:
    return values(conn, query("operate", "read_rows", rows=rows.rstrip(";")), {"size": size})


def _read_fields(conn: Connection, made: Explanation, own: Record) -> None:
    """Read each printed field as the rules give it, or where they fail, as it is stored, and whether these differ."""
    stored = [_fields(lead) for lead in _read(conn, "print_lead", own, of="read_model.")]
    made.in_read_model = bool(stored)
    run = stage_lead(conn, own)
    failed = [*filter(None, (_try(conn, partial(run.run, *steps)) for steps in (OF_MESSAGES, OF_LEADS)))]
    if failed:
        columns = [key_kinds()[kind].id for kind in own["kinds"]]
        fault = find_fault_of_keys(conn, zip(columns, own["keys"], strict=True))
        said = failed[0].diag.message_primary or str(failed[0])
        made.failure = said.splitlines()[0] if fault is None else fault.said
        made.exists, computed = True, stored
    else:
        leads = _read(conn, "print_lead", own, of="new_")
        computed = [_fields(lead) for lead in leads]
        made.exists = bool(computed)
        made.left_out = sum(lead["left_out"] for lead in leads)
    for name in {**computed[0], **(stored[0] if stored else {})} if computed else ():
        rule = computed[0].get(name)
        printed = {"field": name, "value": rule, "differs": bool(stored) and rule != stored[0].get(name)}
        made.fields.append({**printed, "read_model": stored[0].get(name)} if printed["differs"] else printed)


def printed_lead(lead: Record) -> Record:
    """Return a lead as the API prints it with attributes, waiting and status_since."""
    document: Record = json.loads(lead["document"])
    # A corrupted document may have none.
    for conversation in document.get("conversations", ()):
        attributes = (lead["of_conversations"] or {}).get(conversation["conversation_id"])
        if attributes is not None:
            conversation["attributes"] = attributes
    return {**document, "attributes": lead["attributes"] or {}, **lead["moments"]}


def _fields(lead: Record) -> Record:
    """Return the printed fields of a lead, each attribute as a field of its own."""
    document = printed_lead(lead)
    attributes = {f"attributes.{name}": of for name, of in document.pop("attributes").items()}
    moments = {name: document.pop(name) for name in lead["moments"]}
    return document | attributes | moments


def _arrays(keys: Iterable[Record]) -> Record:
    chosen = list(keys)
    return {"kinds": [key["kind"] for key in chosen], "keys": [key["key"] for key in chosen]}


def _shortened(row: Record) -> Record:
    """Return a row without its lead, with each attribute as a column, and with long values cut."""
    columns = row | (row.get(DECLARED_COLUMN) or {})
    if columns.get(JSON_COLUMN) is None:
        columns.pop(JSON_COLUMN, None)
    return {
        name: _cut(value, _SHOWN_JSON if name == JSON_COLUMN else _SHOWN_CHARACTERS)
        for name, value in columns.items()
        if name not in ("user_id", "customer_phone", "newest_agent_message_at", DECLARED_COLUMN)
    }


def _cut(value: object, length: int) -> object:
    """Return a value, or the beginning of its text if it is longer."""
    text = value if isinstance(value, str) else _value(value)
    return value if len(text) <= length else f"{text[:length]}…"


def _variants(phone: str) -> Iterator[str]:
    """Return other phones that may be meant: with or without a country code or leading zeros, or with one typo."""
    yield from (phone.lower(), phone.upper(), phone.lstrip("0"), phone[1:], phone[2:], phone[3:])
    if len(phone) > 20:  # noqa: PLR2004  # No phone is longer.
        return
    for code in range(1, 1000):
        yield f"{code}{phone}"
        yield f"{code}{phone.lstrip('0')}"
    for place in range(len(phone) + 1):
        before, after = phone[:place], phone[place + 1 :]
        yield before + after
        yield before + after[:1] + phone[place : place + 1] + after[1:]
        for digit in "0123456789":
            yield before + digit + after
            yield before + digit + phone[place:]


def _state(made: Explanation, state: _State, *, is_waiting: bool) -> str:
    # The first that holds: no refresh can apply what fails, waiting changes explain a difference, and drift has no
    # explanation.
    reasons = (
        (DEAD_LETTER, bool(made.dead_letters) or made.failure is not None),
        (WAITING, is_waiting or state.truncates),
        (NO_LEAD, not made.is_there),
        (CURRENT, not made.differs),
        (WAITING, state.is_longer),
        (REBUILDING, state.is_rebuilding or state.version != PROJECTION_VERSION),
        (GAP, state.gap is not None),
        (DRIFT, True),
    )
    return next(reason for reason, holds in reasons if holds)


def _sentences(made: Explanation, state: _State, total: int, waiting: list[Record]) -> Iterator[str]:
    yield from _on_existence(made)
    if state.truncates:
        yield "A source table was truncated, and that waits in the queue: the next refresh follows."
    if total:
        yield (
            f"{counted(total, 'change')} of this lead {'waits' if total == 1 else 'wait'} in the queue, since"
            f" {waiting[0]['queued_at']}. If the next refresh does not take {'it' if total == 1 else 'them'}, `status`"
            " says why."
        )
    if state.is_longer:
        yield (
            f"More than {counted(EXAMINED_CHANGES, 'change')} wait, or changes.sql fails for one, and not all were"
            " looked at: a change of this lead may wait among the others."
        )
    if made.failure is not None:
        yield (
            f"The lead cannot be computed from its source rows: {made.failure}. The values below are those of the read"
            " model. Correct the row, or the mapping, then run `refresh --retry-failed`."
        )
    if made.left_out:
        yield (
            f"{counted(made.left_out, 'attribute')} {'is' if made.left_out == 1 else 'are'} left out: beyond 64 or"
            " 8 KiB, in JSON of more than 64 KiB, of another type than the mapping declares, or declared of leads and"
            " given by a conversation, or the reverse."
        )
    for letter in made.dead_letters:
        said = f"The key {letter['kind']} {letter['key']} is set aside: {letter['error'].rstrip('.')}."
        if letter["attempts"] == 0:
            tried = "a running projector tries it within seconds."
            yield f"{said} It was set aside at {letter['first_failed_at']}, and {tried}"
        else:
            yield (
                f"{said} It failed first at {letter['first_failed_at']}, {counted(letter['attempts'], 'attempt')} so"
                f" far; the next one is at {letter['retry_at']}. Correct the cause, then run `refresh --retry-failed`."
            )
    yield from _on_difference(made, state)


def _on_existence(made: Explanation) -> Iterator[str]:
    if made.exists and not made.in_read_model:
        yield "The source rows make this lead, and the read model does not have it."
    elif made.in_read_model and not made.exists:
        yield "The source rows make this lead no more, and the read model still has it."
    elif not made.is_there:
        yield "The tenant has no such lead."
        if any(table["rows"] for table in made.candidates.values()):
            yield (
                "It has rows with this phone, but none that makes a lead: that takes a conversation, or a template"
                " send that went out."
            )
        else:
            yield (
                "No conversation, contact or template send of the tenant has this phone in the mapping. Messages count"
                " only with a conversation that conversations.sql gives, with the tenant and the phone."
            )
        if made.nearest:
            yield f"Near this phone: {', '.join(made.nearest)}."


def _on_difference(made: Explanation, state: _State) -> Iterator[str]:
    if not made.differs:
        if made.in_read_model and made.failure is None:
            yield "The read model shows what the rules give now."
        return
    names = [printed["field"] for printed in made.fields if printed["differs"]]
    if names:
        yield f"The read model differs from what the rules give now in {', '.join(names)}."
    if made.state == REBUILDING:
        yield "A rebuild is under way, or still to come, and corrects that; `status` shows how far it is."
    elif made.state == GAP:
        yield f"Changes may have been missed: {str(state.gap).rstrip('.')}. `status` says what to do."
    elif made.state == DRIFT:
        yield (
            f"Nothing of the lead waits, so this is drift, a bug: run `verify --user {made.user_id} --heal` to correct"
            " it, and report it."
        )


def _value(value: object) -> str:
    """Return a value as JSON in one line."""
    return json.dumps(value, ensure_ascii=False)
