"""The facts of a status, one row each: the text, the object for machines and the metrics are made from this table."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from projector.database.sql import PROJECTION_VERSION
from projector.observe.status import words
from projector.observe.status.read import COUNTED_CHANGES, Document
from projector.observe.status.words import Group
from projector.report.counted import bytes_in_words, counted, counted_of

Line = tuple[str, str]
"""A label and its text. The label is empty if the line continues the one above it."""

_SHOWN_TABLES = 6
_OUTCOMES = {
    "healed": "healed by `verify --heal`",
    "rebuilt": "corrected by a rebuild",
    "right": "found right by a later verify",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact of the status, and where it is shown.

    `path` is its place in the object for machines, such as "queue.changes"; None leaves it out there. `of` is
    its place in the document if that differs, `absent` its value if nothing is installed. The metric shows
    the result of `number` for the value: a number, a time, or None for unknown; with a `label`, one number
    for each value of the label. `lines` returns the lines of the text. If `in_short` returns true for the
    value, the short text has those of them with a label.
    """

    path: str | None
    of: str = ""
    absent: Any = None
    metric: str | None = None
    help: str = ""
    number: Callable[[Any], Any] = lambda value: value
    label: str | None = None
    is_counter: bool = False
    lines: Callable[[Document], Iterable[Line]] = lambda _: ()
    in_short: Callable[[Any], bool] = lambda _: False

    def value(self, document: Document) -> Any:  # noqa: ANN401  # Whatever JSON has.
        """Return the value that a document has of it; None where it could not be read."""
        if not document:
            return self.absent
        found: Any = document
        for name in (self.of or str(self.path)).split("."):
            found = None if found is None else found[name]
        return found


def lines_of(document: Document) -> list[Line]:
    """Return the lines of all facts."""
    return [line for fact in FACTS for line in fact.lines(document)]


def short_lines_of(document: Document) -> list[Line]:
    """Return the lines of the facts that are not as always."""
    facts = [fact for fact in FACTS if fact.in_short(fact.value(document))]
    return [(label, text) for fact in facts for label, text in fact.lines(document) if label]


def _read_model(document: Document) -> Iterator[Line]:
    read = document["projection"]
    built = "never built" if read["built_at"] is None else f"built {words.moment(read['built_at'])}"
    version = f"projection version {read['built_version']}"
    if read["built_version"] != PROJECTION_VERSION:
        version += f", this program has {PROJECTION_VERSION}"
    yield "Read model", f"{built}, {version}"


def _unfilled(document: Document) -> Iterator[Line]:
    for number, what in enumerate(document["projection"]["unfilled_in_words"]):
        yield (
            "" if number else "Not built",
            f"{what}: the API refuses what reads it until the rebuild has ended",
        )


def _lag(document: Document) -> Iterator[Line]:
    queue = document["queue"]
    lag = queue["lag"]
    yield "Lag", "nothing waits" if lag is None else f"{words.age(lag)}, {words.waiting(queue)}"


def _as_of(document: Document) -> Iterator[Line]:
    read = document["projection"]
    if read["as_of"] is None:
        yield "As of", "nothing yet"
    else:
        yield "As of", f"{words.moment(read['as_of'])}, {words.age(read['as_of_age'])} ago"


def _late(document: Document) -> Iterator[Line]:
    if document["queue"]["late_tenants"]:
        yield "Mass changes", words.late(document["queue"])


def _capture(document: Document) -> Iterator[Line]:
    capture = document["capture"]
    if capture["fills"] is not None:
        yield "Capture", words.filling(capture["fills"], document["rebuild"])
    elif capture["state"] == "gap":
        since = "" if capture["gap_since"] is None else f" since {words.moment(capture['gap_since'])}"
        yield "Capture", f"gap{since}: {words.short(capture['gap'])}"
    elif capture["state"] == "off":
        yield "Capture", capture["reason"]
    else:
        yield "Capture", "intact" if capture["gap_since"] is None else f"intact; {capture['reason']}"


def _origin(document: Document) -> Iterator[Line]:
    origin = document["origin"]
    for feed in origin["subscriptions"]:
        yield "Origin", _feed_in_words(feed, origin)
    for table in origin["unfed_tables"]:
        yield "Origin", f"no subscription brings rows of {table}"


def _feed_in_words(feed: Group, origin: Group) -> str:
    if not feed["is_enabled"]:
        worker = "disabled"
    elif not feed["has_worker"]:
        worker = "no worker"
    else:
        behind = "" if feed["bytes_behind"] is None else f", {bytes_in_words(feed['bytes_behind'])} behind"
        worker = f"its worker is at {feed['position']}{behind}"
    errors = "never failed" if not feed["errors"] else f"failed {counted(feed['errors'], 'time')}"
    if origin["failed_at"] is not None:
        errors += f", seen last {words.moment(origin['failed_at'])}"
    proved = "nothing" if origin["proved_at"] is None else f"all until {words.moment(origin['proved_at'])}"
    return f"subscription {feed['name']}: {worker}; {errors}; {proved} is proved to have arrived"


def _rebuild(document: Document) -> Iterator[Line]:
    rebuild, read = document["rebuild"], document["projection"]
    text = rebuild["state"]
    if text == "none":
        yield "Rebuild", "none under way"
        return
    if rebuild["seconds"] is not None and text == "running":
        text += f" for {words.age(rebuild['seconds'])}"
    if rebuild["done"] is not None:
        # As the progress of a rebuild counts: not each customer with a key is a lead.
        customers = counted_of(rebuild["leads"], rebuild["leads_total"], "customer")
        text += f", {customers}, {rebuild['percent']} %"
    if read["built_at"] is not None and read["built_version"] != PROJECTION_VERSION:
        text += f", to projection version {PROJECTION_VERSION}"
    yield "Rebuild", text


def _lock_holders(document: Document) -> Iterator[Line]:
    for number, holder in enumerate(document["rebuild"]["lock_holders"]):
        program = words.short(holder["application"]) if holder["application"] else "a program without a name"
        since = f" since {words.moment(holder['since'])} at the earliest" if holder["since"] else ""
        purposes = " and ".join(holder["purposes"])
        yield "" if number else "Locks", f"process {holder['pid']}, {program}{since}, for {purposes}"


def _runs(document: Document) -> Iterator[Line]:
    for kind, run in document["rebuild"]["runs"].items():
        text = f"{words.moment(run['started_at'])}, {run['outcome']}, {counted(run['leads'], 'lead')}"
        text += f", {counted(run['messages'], 'message')}"
        if run["changes"]:
            text += f", {counted(run['changes'], 'change')}"
        text += f" in {run['seconds']:.1f} s"
        yield f"Last {kind}"[:12], text + (f": {words.short(run['note'])}" if run["note"] else "")


def _proved_round(document: Document) -> Iterator[Line]:
    proved, text = document["verify"]["proved"], "not yet"
    if proved is not None:
        text = f"{words.moment(proved['finished_at'])}, {counted(proved['leads'], 'lead')}"
        text += f", {proved['left_out']:,} left out" if proved["left_out"] else ""
        text += f", {_differences_in_words(proved['differences'])}"
    yield "Verified", f"everything: {text}"


def _present_round(document: Document) -> Iterator[Line]:
    present, text = document["verify"]["round"], "none under way"
    if present is not None:
        leads = counted(max(present["leads_total"], present["leads"]), "lead")
        text = f"{present['percent']} % in {words.age(present['age'])}, {present['leads']:,} of about {leads}"
        text += f", {present['left_out']:,} to be looked at again" if present["left_out"] else ""
        text += f", {_differences_in_words(present['differences'])}"
    yield "Verify round", text


def _differences_in_words(differences: int) -> str:
    return counted(differences, "difference") if differences else "no difference"


def _drift(document: Document) -> Iterator[Line]:
    drift = document["verify"]["drift"]
    yield "Drift", words.differing(drift["count"]) if drift["count"] else "none"
    for item in drift["first"]:
        field = words.short(item["first_field"])
        yield "", f"{words.item(item)}: {field}, found {words.moment(item['found_at'])}"
    for ended in drift["ended"]:
        last = f"{'' if ended['items'] == 1 else 'the last '}{words.moment(ended['last_at'])}"
        yield "", f"{counted(ended['items'], 'item')} {_OUTCOMES[ended['outcome']]}, {last}"


def _row_security(document: Document) -> Iterator[Line]:
    security, role = document["row_security"], document["api_role"]
    if security["unprotected"] is not None:
        yield "Row security", f"missing: {security['unprotected']}, {security['problem']}"
    else:
        yield "Row security", f"on, {counted(security['tables'], 'table')}"
    if role is not None and role["can_create_temporary"]:
        may = f"{role['name']} may create temporary tables, as PUBLIC may"
        revoke = f"REVOKE TEMPORARY ON DATABASE {role['database_name']} FROM PUBLIC;"
        yield "", f"{may}; unless they are needed, run {revoke}"


def _dead_letters(document: Document) -> Iterator[Line]:
    dead_letters = document["dead_letters"]
    yield "Dead letters", f"{dead_letters['count']:,}" if dead_letters["count"] else "none"
    for row in dead_letters["first"]:
        tries = f"tried {counted(row['attempts'], 'time')}" if row["attempts"] else "not tried alone yet"
        yield "", f"{words.item(row)}: {words.short(row['error'])} ({tries})"


def _left_out(document: Document) -> Iterator[Line]:
    left_out = document["attributes_left_out"]
    if left_out is None:
        yield "Attributes", "not counted, because another session has locked the tables"
    elif any(left_out.values()):
        of = " and ".join(counted(number, noun[:-1]) for noun, number in left_out.items() if number)
        reasons = "beyond 64 or 8 KiB, in JSON of more than 64 KiB, or of another type than declared"
        yield "Attributes", f"some are left out of {of}: {reasons}"


def _sizes(document: Document) -> Iterator[Line]:
    sizes = document["tables"]["sizes"]
    yield "Size", f"{bytes_in_words(sum(size['bytes'] for size in sizes))}, of it:"
    for size in sizes[:_SHOWN_TABLES]:
        rows = counted(size["about_rows"], "row")
        yield "", f"{size['table_name']:<32}{bytes_in_words(size['bytes']):>10}  about {rows}"


def _of_runs(name: str) -> Callable[[Group], Group]:
    """Return the function that returns a column of each run by its kind."""
    return lambda runs: {kind: run[name] for kind, run in runs.items()}


def _one_of(*states: str) -> Callable[[str], dict[str, bool]]:
    return lambda state: {name: name == state for name in states}


FACTS: tuple[Fact, ...] = (
    Fact("installed", "projection.installed", absent=False),
    Fact("projection.version", absent=PROJECTION_VERSION),
    Fact("projection.built_version"),
    Fact("projection.built_at",
         metric="leads_projector_built_timestamp_seconds", help="When the last complete build ended.",
         lines=_read_model),
    Fact("projection.unfilled",
         metric="leads_unfilled_parts",
         help="Parts of the read model that no build has filled yet: attributes one by one.",
         number=lambda names: Counter(name.partition(":")[0] for name in names or ()), label="part",
         lines=_unfilled, in_short=bool),
    Fact("lag", "queue.lag",
         metric="leads_projector_lag_seconds", help="Age of the oldest change that waits; 0 while none does.",
         number=lambda lag: lag or 0.0,
         lines=_lag),
    Fact("queue.changes", absent=0,
         metric="leads_projector_queue_changes", help=f"Changes that wait, counted up to {COUNTED_CHANGES}."),
    Fact("queue.counted_up_to", absent=COUNTED_CHANGES),
    Fact("unknown_kinds", "queue.unknown_kinds", absent={},
         metric="leads_projector_unknown_changes",
         help="Changes that wait because this version does not know their kind.",
         number=lambda kinds: sum(kinds.values())),
    Fact("as_of", "projection.as_of", lines=_as_of),
    Fact("as_of_age", "projection.as_of_age",
         metric="leads_projector_data_age_seconds", help="Age of the read model, by the clock of the database."),
    Fact("late_tenants", "queue.late_tenants", absent=0, lines=_late),
    Fact("late_keys", "queue.late_keys", absent=0),
    Fact("late_seconds", "queue.late_seconds"),
    Fact("capture.state", absent="not installed", lines=_capture, in_short=lambda state: state != "intact"),
    Fact(None, "capture.phase", absent="not installed",
         metric="leads_projector_capture_state",
         help="Whether the triggers capture changes: 1 for the state that it is in.",
         number=_one_of("intact", "filling", "gap", "off", "not installed"), label="state"),
    Fact("capture.gap_since"),
    Fact("capture.reason"),
    Fact("capture.fills"),
    Fact("capture.missing_source", absent=[]),
    Fact("origin.proved_at"),
    Fact("origin.problem"),
    Fact("origin.position"),
    Fact("origin.failed_at"),
    Fact("origin.unfed_tables", absent=[]),
    Fact("origin.subscriptions", absent=[], lines=_origin),
    Fact("schedulers.running", absent=0,
         lines=lambda document: [("Scheduler", words.schedulers(document["schedulers"]))]),
    Fact("schedulers.sessions", absent=0),
    Fact("schedulers.refreshed_age",
         metric="leads_projector_refreshed_age_seconds",
         help="How long ago the last refresh ended, or the scheduler or its server began."),
    Fact("schedulers.silent", absent=[],
         metric="leads_projector_silent_schedulers",
         help="Schedulers that are connected and give no sign for three pauses of the refresh and 15 seconds.",
         number=len),
    Fact("schedulers.lost", absent=[],
         metric="leads_projector_lost_schedulers",
         help="Schedulers that ended without notice, while none that began later runs.",
         number=len),
    Fact("schedulers.cron"),
    Fact("schedulers.all_seen", absent=True),
    Fact("rebuild.state", absent="none",
         metric="leads_projector_rebuild_state", help="Whether a rebuild runs: 1 for the state that it is in.",
         number=_one_of("none", "running", "interrupted"), label="state",
         lines=_rebuild, in_short=lambda state: state != "none"),
    Fact("rebuild.leads"),
    Fact("rebuild.leads_total"),
    Fact("rebuild.percent"),
    Fact(None, "rebuild.done",
         metric="leads_projector_rebuild_done_ratio",
         help="Part of the present rebuild that is done; absent while there is none."),
    Fact("locks", "rebuild.lock_holders", absent=[], lines=_lock_holders),
    Fact("runs", "rebuild.runs", absent={},
         metric="leads_projector_last_run_timestamp_seconds", help="When the last run of a kind began.",
         number=_of_runs("started_at"), label="kind",
         lines=_runs),
    Fact(None, "rebuild.runs", absent={},
         metric="leads_projector_last_run_duration_seconds",
         help="How long the last run of a kind took, or has taken so far.",
         number=_of_runs("seconds"), label="kind"),
    Fact(None, "rebuild.runs", absent={},
         metric="leads_projector_last_run_failed", help="1 where the last run of a kind has failed.",
         number=lambda runs: {kind: run["outcome"] == "failed" for kind, run in runs.items()}, label="kind"),
    # The metrics of the verify have the names that the API gives them too.
    Fact("verify.proved_at",
         metric="leads_verify_proved_timestamp_seconds",
         help="When everything was compared with the source last.",
         lines=_proved_round),
    Fact("verify.proved"),
    Fact("verify.round", lines=_present_round),
    Fact(None, "verify.done",
         metric="leads_verify_round_done_ratio", help="Part of the present round of the verify."),
    Fact(None, "verify.left_out",
         metric="leads_verify_left_out",
         help="Leads and keys that the present round, or else the last, left out because a change waits."),
    Fact("verify.drift.count", absent=0,
         metric="leads_verify_open_differences", help="Leads, keys and statistics that differ from the source.",
         lines=_drift, in_short=bool),
    Fact("verify.drift.first", absent=[]),
    Fact("verify.drift.ended", absent=[]),
    Fact(None, "projection.found_differences", absent=0,
         metric="leads_verify_found_differences",
         help="Leads, keys and statistics that a verify found to differ.",
         is_counter=True),
    Fact("row_security", lines=_row_security),
    Fact("dead_letters.count", absent=0,
         metric="leads_projector_dead_letters", help="Keys that are set aside with an error.",
         lines=_dead_letters, in_short=bool),
    Fact("dead_letters.first", absent=[]),
    Fact("attributes_left_out",
         metric="leads_projector_attributes_left_out",
         help=f"Leads and conversations of which an attribute is left out, counted up to {COUNTED_CHANGES} each.",
         number=lambda counts: counts or {}, label="of",
         lines=_left_out, in_short=bool),
    Fact("erasures", absent={"interrupted": 0, "since": None}),
    Fact("tables", "tables.sizes", absent=[], lines=_sizes),
    Fact("warnings", absent=[],
         lines=lambda document: [("Warning", text) for text in document["warnings"]], in_short=bool),
)  # fmt: skip
"""In the order of the text."""
