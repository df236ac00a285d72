"""The facts of a status, one row each: the text, the object for machines and the metrics are made from this table."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from projector.database.sql import PROJECTION_VERSION
from projector.observe.status import words
from projector.observe.status.read import COUNTED_CHANGES, Status
from projector.observe.status.results import (
    DeadLetter,
    Drift,
    KnownScheduler,
    LeftOut,
    PresentRound,
    Projection,
    RowSecurity,
    Run,
)
from projector.operate.origin.proof import Feed
from projector.report.counted import bytes_in_words, counted, counted_of

Line = tuple[str, str]
"""A label and what is said of it. The label is empty where the line goes on with the one above it."""

_SHOWN_TABLES = 6
_OUTCOMES = {
    "healed": "healed by `verify --heal`",
    "rebuilt": "corrected by a rebuild",
    "right": "found right by a later verify",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact of the status, and where it is told.

    `path` is the place of `value` in the object for machines, such as "queue.changes"; None where it has no such place.
    `number` returns what the metric shows where that is not the value: a number, a time, or None for unknown. With a
    `label` it returns one for each value of the label. `lines` are those of the text. Where `in_short` says so, the
    short text has those with a label.
    """

    path: str | None
    value: Callable[[Status], Any]
    metric: str | None = None
    help: str = ""
    number: Callable[[Status], Any] | None = None
    label: str | None = None
    is_counter: bool = False
    lines: Callable[[Status, Projection], Iterable[Line]] = lambda _status, _projection: ()
    in_short: Callable[[Status], bool] = lambda _status: False


def _read_model(_: Status, projection: Projection) -> Iterator[Line]:
    built = "never built" if projection.built_at is None else f"built {words.moment(projection.built_at)}"
    version = f"projection version {projection.version}"
    if projection.version != PROJECTION_VERSION:
        version += f", this program has {PROJECTION_VERSION}"
    yield "Read model", f"{built}, {version}"


def _unfilled(_: Status, projection: Projection) -> Iterator[Line]:
    for number, what in enumerate(projection.unfilled.values()):
        yield (
            "" if number else "Not built",
            f"{what}: the API refuses what reads it until the rebuild has ended",
        )


def _unfilled_by_kind(status: Status) -> dict[str, int]:
    """Return how many parts are not filled, by what stands before a colon in their names."""
    names = status.projection.unfilled if status.projection else {}
    return dict(Counter(name.partition(":")[0] for name in names))


def _lag(status: Status, _: Projection) -> Iterator[Line]:
    lag, waiting = status.queue.lag, words.waiting(status.queue)
    yield "Lag", "nothing waits" if lag is None else f"{words.age(lag)}, {waiting}"


def _as_of(_: Status, projection: Projection) -> Iterator[Line]:
    if projection.as_of is None or projection.as_of_age is None:
        yield "As of", "nothing yet"
    else:
        yield "As of", f"{words.moment(projection.as_of)}, {words.age(projection.as_of_age)} ago"


def _capture(status: Status, projection: Projection) -> Iterator[Line]:
    if status.capture_state == "off":
        yield "Capture", str(projection.switched_off)
    elif status.capture_state == "intact":
        yield "Capture", "intact" if projection.gap_since is None else f"intact; {projection.gap_reason}"
    elif (fills := words.filling(status)) is not None:
        yield "Capture", fills
    else:
        since = "" if projection.gap_since is None else f" since {words.moment(projection.gap_since)}"
        yield "Capture", f"gap{since}: {words.short(projection.capture_gap or projection.broken or '')}"


def _origin(status: Status, projection: Projection) -> Iterator[Line]:
    for feed in status.feeds:
        yield "Origin", _feed_in_words(feed, projection)
    for table in status.unfed_tables:
        yield "Origin", f"no subscription brings rows of {table}"


def _feed_in_words(feed: Feed, projection: Projection) -> str:
    if not feed.is_enabled:
        worker = "disabled"
    elif not feed.has_worker:
        worker = "no worker"
    else:
        behind = "" if feed.bytes_behind is None else f", {bytes_in_words(feed.bytes_behind)} behind"
        worker = f"its worker is at {feed.position}{behind}"
    errors = "never failed" if not feed.errors else f"failed {counted(feed.errors, 'time')}"
    if projection.failed_at is not None:
        errors += f", seen last {words.moment(projection.failed_at)}"
    proved = "nothing" if projection.proved_at is None else f"all until {words.moment(projection.proved_at)}"
    return f"subscription {feed.name}: {worker}; {errors}; {proved} is proved to have arrived"


def _rebuild(status: Status, projection: Projection) -> Iterator[Line]:
    text, run, done = status.rebuild_state, status.rebuild_run, status.rebuild_done
    if text == "none":
        yield "Rebuild", "none under way"
        return
    if run is not None and text == "running":
        text += f" for {words.age(run.seconds)}"
    if run is not None and run.leads_total and done is not None:
        # As the progress of a rebuild counts: not each customer with a key is a lead.
        text += f", {counted_of(run.leads, run.leads_total, 'customer')}, {words.percent(done)} %"
    if projection.built_at is not None and projection.version != PROJECTION_VERSION:
        text += f", to projection version {PROJECTION_VERSION}"
    yield "Rebuild", text


def _lock_holders(status: Status, _: Projection) -> Iterator[Line]:
    for number, holder in enumerate(status.lock_holders):
        program = words.short(holder.application) if holder.application else "a program without a name"
        since = f" since {words.moment(holder.since)} at the earliest" if holder.since else ""
        purposes = " and ".join(holder.purposes)
        yield "" if number else "Locks", f"process {holder.pid}, {program}{since}, for {purposes}"


def _run_in_words(run: Run) -> str:
    text = f"{words.moment(run.started_at)}, {run.outcome}, {counted(run.leads, 'lead')}"
    text += f", {counted(run.messages, 'message')}"
    if run.changes:
        text += f", {counted(run.changes, 'change')}"
    text += f" in {run.seconds:.1f} s"
    return text + (f": {words.short(run.note)}" if run.note else "")


def _proved_round(status: Status, _: Projection) -> Iterator[Line]:
    proved, text = status.proved_round, "not yet"
    if proved is not None:
        text = f"{words.moment(proved.finished_at)}, {counted(proved.leads, 'lead')}"
        text += f", {proved.left_out:,} left out" if proved.left_out else ""
        text += f", {_differences_in_words(proved.differences)}"
    yield "Verified", f"everything: {text}"


def _present_round(status: Status, _: Projection) -> Iterator[Line]:
    present, text = status.present_round, "none under way"
    if present is not None:
        leads = counted(max(present.leads_total, present.leads), "lead")
        text = (
            f"{words.percent(present.done)} % in {words.age(present.age)}, {present.leads:,} of about {leads}"
        )
        text += f", {present.left_out:,} to be looked at again" if present.left_out else ""
        text += f", {_differences_in_words(present.differences)}"
    yield "Verify round", text


def _differences_in_words(differences: int) -> str:
    return counted(differences, "difference") if differences else "no difference"


def _drift(status: Status, _: Projection) -> Iterator[Line]:
    yield "Drift", words.differing(status.drift[0].total) if status.drift else "none"
    for item in status.drift:
        yield "", f"{words.item(item)}: {words.short(item.first_field)}, found {words.moment(item.found_at)}"
    for ended in status.ended_drift:
        last = f"{'' if ended.items == 1 else 'the last '}{words.moment(ended.last_at)}"
        yield "", f"{counted(ended.items, 'item')} {_OUTCOMES[ended.outcome]}, {last}"


def _row_security(status: Status, _: Projection) -> Iterator[Line]:
    security, role = status.row_security, status.api_role
    if security is None:
        return
    if security.unprotected is not None:
        yield "Row security", f"missing: {security.unprotected}, {security.problem}"
    else:
        yield "Row security", f"on, {counted(security.tables, 'table')}"
    if role is not None and role.can_create_temporary:
        may = f"{role.name} may create temporary tables, as PUBLIC may"
        yield (
            "",
            f"{may}; unless they are needed, run REVOKE TEMPORARY ON DATABASE {security.database_name} FROM PUBLIC;",
        )


def _dead_letters(status: Status, _: Projection) -> Iterator[Line]:
    yield "Dead letters", f"{status.dead_letters[0].total:,}" if status.dead_letters else "none"
    for letter in status.dead_letters:
        tries = f"tried {counted(letter.attempts, 'time')}" if letter.attempts else "not tried alone yet"
        yield "", f"{words.item(letter)}: {words.short(letter.error)} ({tries})"


def _left_out(status: Status, _: Projection) -> Iterator[Line]:
    if (left_out := status.left_out) is not None and left_out != LeftOut():
        numbers = {"lead": left_out.leads, "conversation": left_out.conversations}
        of = " and ".join(counted(number, noun) for noun, number in numbers.items() if number)
        reasons = "beyond 64 or 8 KiB, in JSON of more than 64 KiB, or of another type than declared"
        yield "Attributes", f"some are left out of {of}: {reasons}"


def _sizes(status: Status, _: Projection) -> Iterator[Line]:
    total = sum(size.bytes for size in status.sizes)
    yield "Size", f"{bytes_in_words(total)}, of it:"
    for size in status.sizes[:_SHOWN_TABLES]:
        rows = counted(size.about_rows, "row")
        yield "", f"{size.table_name:<32}{bytes_in_words(size.bytes):>10}  about {rows}"


def _warnings(status: Status) -> list[str]:
    """Return those of `assess`, and which schedulers are gone while others run."""
    lost = [] if status.no_scheduler_runs else status.lost_schedulers
    others = [
        f"Another scheduler goes on, but {words.lost(scheduler)}: start it again." for scheduler in lost
    ]
    return [*others, *status.warnings]


def _without(
    row: DeadLetter | Drift | KnownScheduler | PresentRound | RowSecurity, name: str
) -> dict[str, Any]:
    return {key: value for key, value in asdict(row).items() if key != name}


def _one_of(state: str, *states: str) -> dict[str, bool]:
    return {name: name == state for name in states}


FACTS: tuple[Fact, ...] = (
    Fact("installed", lambda status: status.projection is not None),
    Fact("projection.version", lambda _: PROJECTION_VERSION),
    Fact("projection.built_version", lambda status: status.projection and status.projection.version),
    Fact("projection.built_at", lambda status: status.projection and status.projection.built_at,
         metric="leads_projector_built_timestamp_seconds", help="When the last complete build ended.",
         lines=_read_model),
    Fact("projection.unfilled", lambda status: status.projection and [*status.projection.unfilled],
         metric="leads_unfilled_parts",
         help="Parts of the read model that no build has filled yet: attributes one by one.",
         number=_unfilled_by_kind, label="part",
         lines=_unfilled, in_short=lambda status: bool(status.projection and status.projection.unfilled)),
    Fact("lag", lambda status: status.queue.lag,
         metric="leads_projector_lag_seconds", help="Age of the oldest change that waits; 0 while none does.",
         number=lambda status: status.queue.lag or 0.0,
         lines=_lag),
    Fact("queue.changes", lambda status: status.queue.changes,
         metric="leads_projector_queue_changes", help=f"Changes that wait, counted up to {COUNTED_CHANGES}."),
    Fact("queue.counted_up_to", lambda _: COUNTED_CHANGES),
    Fact("unknown_kinds", lambda status: status.unknown_kinds,
         metric="leads_projector_unknown_changes",
         help="Changes that wait because this version does not know their kind.",
         number=lambda status: sum(status.unknown_kinds.values())),
    Fact("as_of", lambda status: status.projection and status.projection.as_of, lines=_as_of),
    Fact("as_of_age", lambda status: status.projection and status.projection.as_of_age,
         metric="leads_projector_data_age_seconds", help="Age of the read model, by the clock of the database."),
    Fact("late_tenants", lambda status: status.queue.late_tenants,
         lines=lambda status, _: [("Mass changes", words.late(status.queue))] if status.queue.late_tenants else []),
    Fact("late_keys", lambda status: status.queue.late_keys),
    Fact("late_seconds", lambda status: words.late_seconds(status.queue)),
    Fact("capture.state", lambda status: status.capture_state,
         metric="leads_projector_capture_state",
         help="Whether the triggers capture changes: 1 for the state that it is in.",
         # A gap that a migrate has opened is planned, and no reason to alarm anybody.
         number=lambda status: _one_of(
             "filling" if status.fills else status.capture_state, "intact", "filling", "gap", "off", "not installed",
         ),
         label="state",
         lines=_capture, in_short=lambda status: status.capture_state != "intact"),
    Fact("capture.gap_since", lambda status: status.projection and status.projection.gap_since),
    Fact("capture.reason",
         lambda status: status.projection and (
             status.projection.switched_off or status.projection.gap_reason or status.projection.broken
         )),
    Fact("capture.fills", lambda status: status.fills),
    Fact("capture.missing_source", lambda status: status.missing_source),
    Fact("origin.proved_at", lambda status: status.projection and status.projection.proved_at),
    Fact("origin.problem", lambda status: status.projection and status.projection.feed_problem),
    Fact("origin.position", lambda status: status.projection and status.projection.origin_position),
    Fact("origin.failed_at", lambda status: status.projection and status.projection.failed_at),
    Fact("origin.unfed_tables", lambda status: status.unfed_tables),
    Fact("origin.subscriptions", lambda status: [asdict(feed) for feed in status.feeds], lines=_origin),
    Fact("schedulers.sessions", lambda status: status.schedulers.sessions,
         lines=lambda status, _: [("Scheduler", words.schedulers(status))]),
    Fact("schedulers.lost",
         lambda status: [_without(known, "is_gone") for known in status.lost_schedulers],
         metric="leads_projector_lost_schedulers",
         help="Schedulers that ended without notice, while none that began later runs.",
         number=lambda status: len(status.lost_schedulers)),
    Fact("schedulers.cron", lambda status: status.cron and asdict(status.cron)),
    Fact("schedulers.all_seen", lambda status: status.schedulers.is_all_seen),
    Fact("rebuild.state", lambda status: status.rebuild_state,
         metric="leads_projector_rebuild_state", help="Whether a rebuild runs: 1 for the state that it is in.",
         number=lambda status: _one_of(status.rebuild_state, "none", "running", "interrupted"), label="state",
         lines=_rebuild, in_short=lambda status: status.rebuild_state != "none"),
    Fact("rebuild.leads", lambda status: status.rebuild_run and status.rebuild_run.leads),
    Fact("rebuild.leads_total", lambda status: status.rebuild_run and status.rebuild_run.leads_total),
    Fact("rebuild.percent",
         lambda status: None if status.rebuild_done is None else words.percent(status.rebuild_done),
         metric="leads_projector_rebuild_done_ratio",
         help="Part of the present rebuild that is done; absent while there is none.",
         number=lambda status: status.rebuild_done),
    Fact("locks", lambda status: [asdict(holder) for holder in status.lock_holders], lines=_lock_holders),
    Fact("runs", lambda status: {run.kind: asdict(run) for run in status.runs},
         metric="leads_projector_last_run_timestamp_seconds", help="When the last run of a kind began.",
         number=lambda status: {run.kind: run.started_at for run in status.runs}, label="kind",
         lines=lambda status, _: [(f"Last {run.kind}"[:12], _run_in_words(run)) for run in status.runs]),
    Fact(None, lambda status: {run.kind: run.seconds for run in status.runs},
         metric="leads_projector_last_run_duration_seconds",
         help="How long the last run of a kind took, or has taken so far.",
         label="kind"),
    Fact(None, lambda status: {run.kind: run.outcome == "failed" for run in status.runs},
         metric="leads_projector_last_run_failed", help="1 where the last run of a kind has failed.",
         label="kind"),
    # The metrics of the verify have the names that the API gives them too.
    Fact("verify.proved_at", lambda status: status.proved_round and status.proved_round.finished_at,
         metric="leads_verify_proved_timestamp_seconds",
         help="When everything was compared with the source last.",
         lines=_proved_round),
    Fact("verify.proved", lambda status: status.proved_round and asdict(status.proved_round)),
    Fact("verify.round",
         lambda status: status.present_round and {
             **_without(status.present_round, "done"), "percent": words.percent(status.present_round.done),
         },
         metric="leads_verify_round_done_ratio", help="Part of the present round of the verify.",
         number=lambda status: status.present_round and status.present_round.done,
         lines=_present_round),
    Fact(None, lambda status: getattr(status.present_round or status.proved_round, "left_out", None),
         metric="leads_verify_left_out",
         help="Leads and keys that the present round, or else the last, left out because a change waits."),
    Fact("verify.drift.count", lambda status: status.drift[0].total if status.drift else 0,
         metric="leads_verify_open_differences", help="Leads, keys and statistics that differ from the source.",
         lines=_drift, in_short=lambda status: bool(status.drift)),
    Fact("verify.drift.first", lambda status: [_without(item, "total") for item in status.drift]),
    Fact("verify.drift.ended", lambda status: [asdict(ended) for ended in status.ended_drift]),
    Fact(None, lambda status: status.projection.found_differences if status.projection else 0,
         metric="leads_verify_found_differences",
         help="Leads, keys and statistics that a verify found to differ.",
         is_counter=True),
    Fact("row_security", lambda status: status.row_security and _without(status.row_security, "database_name"),
         lines=_row_security),
    Fact("dead_letters.count", lambda status: status.dead_letters[0].total if status.dead_letters else 0,
         metric="leads_projector_dead_letters", help="Keys that are set aside with an error.",
         lines=_dead_letters, in_short=lambda status: bool(status.dead_letters)),
    Fact("dead_letters.first", lambda status: [_without(letter, "total") for letter in status.dead_letters]),
    Fact("attributes_left_out", lambda status: status.left_out and asdict(status.left_out),
         metric="leads_projector_attributes_left_out",
         help=f"Leads and conversations of which an attribute is left out, counted up to {COUNTED_CHANGES} each.",
         number=lambda status: asdict(status.left_out) if status.left_out else {},
         label="of",
         lines=_left_out, in_short=lambda _: True),
    Fact("erasures", lambda status: asdict(status.erasures)),
    Fact("tables", lambda status: [asdict(size) for size in status.sizes], lines=_sizes),
    Fact("warnings", _warnings,
         lines=lambda status, _: [("Warning", text) for text in _warnings(status)],
         in_short=lambda status: bool(_warnings(status))),
)  # fmt: skip
"""In the order of the text."""
