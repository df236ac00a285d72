"""The status as text for people, and as one object for machines."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from projector.database.sql import PROJECTION_VERSION
from projector.observe.status import words
from projector.observe.status.attention import find_attention
from projector.observe.status.read import COUNTED_CHANGES, Status
from projector.observe.status.results import DeadLetter, Drift, PresentRound, Projection, RowSecurity, Run
from projector.operate.origin.proof import Feed
from projector.report.counted import bytes_in_words, counted, counted_of, escape_hidden

_Line = tuple[str, str]
_SHOWN_TABLES = 6
_OUTCOMES = {
    "healed": "healed by `verify --heal`",
    "rebuilt": "corrected by a rebuild",
    "right": "found right by a later verify",
}


def as_dict(status: Status) -> dict[str, Any]:
    """Return the status for machines. Times are in UTC, ages and durations in seconds."""
    letters = [_without(letter, "total") for letter in status.dead_letters]
    projection, proved, present = status.projection, status.proved_round, status.present_round
    rebuild = status.rebuild_run
    return {
        "attention": find_attention(status),
        "installed": projection is not None,
        "as_of": projection and projection.as_of,
        "as_of_age": projection and projection.as_of_age,
        "late_tenants": status.queue.late_tenants,
        "late_keys": status.queue.late_keys,
        "late_seconds": words.late_seconds(status.queue),
        "lag": status.queue.lag,
        "queue": {"changes": status.queue.changes, "counted_up_to": COUNTED_CHANGES},
        "unknown_kinds": status.unknown_kinds,
        "capture": {
            "state": status.capture_state,
            "gap_since": projection and projection.gap_since,
            "reason": projection and (projection.switched_off or projection.gap_reason or projection.broken),
            "missing_source": status.missing_source,
        },
        "origin": {
            "proved_at": projection and projection.proved_at,
            "problem": projection and projection.feed_problem,
            "position": projection and projection.origin_position,
            "failed_at": projection and projection.failed_at,
            "unfed_tables": status.unfed_tables,
            "subscriptions": [asdict(feed) for feed in status.feeds],
        },
        "projection": {
            "version": PROJECTION_VERSION,
            "built_version": projection and projection.version,
            "built_at": projection and projection.built_at,
        },
        "schedulers": {"sessions": status.schedulers.sessions, "all_seen": status.schedulers.is_all_seen},
        "locks": [asdict(holder) for holder in status.lock_holders],
        "rebuild": {
            "state": status.rebuild_state,
            "leads": rebuild and rebuild.leads,
            "leads_total": rebuild and rebuild.leads_total,
            "percent": _rebuild_percent(status),
        },
        "runs": {run.kind: asdict(run) for run in status.runs},
        "verify": {
            "proved_at": proved and proved.finished_at,
            "proved": proved and asdict(proved),
            "round": present and {**_without(present, "done"), "percent": round(100 * present.done, 1)},
            "drift": {
                "count": status.drift[0].total if status.drift else 0,
                "first": [_without(item, "total") for item in status.drift],
                "ended": [asdict(ended) for ended in status.ended_drift],
            },
        },
        "row_security": status.row_security and _without(status.row_security, "database_name"),
        "dead_letters": {"count": status.dead_letters[0].total if letters else 0, "first": letters},
        "erasures": asdict(status.erasures),
        "tables": [asdict(size) for size in status.sizes],
        "warnings": status.warnings,
    }


def summarize(status: Status) -> str:
    """Return what a person asks first: is it running, how fresh, how many leads, and what needs attention."""
    return _in_lines(status, _first_lines)


def render(status: Status) -> str:
    """Return the status for people: a line for each fact, and what needs attention."""
    return _in_lines(status, _lines)


def _in_lines(status: Status, lines_of: Callable[[Status, Projection], Iterator[_Line]]) -> str:
    labelled = lines_of(status, status.projection) if status.projection else [("Read model", "not installed")]
    # Reasons and ids were written by others.
    facts = [*labelled, *(("Warning", text) for text in status.warnings)]
    lines = [f"{label:<13}{escape_hidden(text)}" for label, text in facts]
    attention = find_attention(status)
    if attention:
        lines += ["", "Needs attention:", *(f"  - {escape_hidden(sentence)}" for sentence in attention)]
    else:
        lines += ["", "Nothing needs attention."]
    return "\n".join(lines)


def _first_lines(status: Status, projection: Projection) -> Iterator[_Line]:
    yield "Scheduler", _schedulers_in_words(status)
    lag = status.queue.lag
    waiting = "nothing waits" if lag is None else f"{words.waiting(status.queue)}, for {words.age(lag)}"
    if projection.built_at is None:
        yield "Data", "never built"
    elif projection.as_of is None or projection.as_of_age is None:
        yield "Data", f"as of no moment yet, {waiting}"
    else:
        yield "Data", f"{words.age(projection.as_of_age)} old, {waiting}"
    leads = next((size.about_rows for size in status.sizes if size.table_name == "read_model.leads"), 0)
    # PostgreSQL has an estimate once it has analyzed the table.
    estimate = f"about {counted(leads, 'lead')}" if leads else "not counted yet"
    size = bytes_in_words(sum(size.bytes for size in status.sizes))
    yield "Leads", f"{estimate}, {counted(status.tenants, 'tenant')}, {size}"
    # The rest only where it is not as always.
    if status.queue.late_tenants:
        yield "Mass changes", words.late(status.queue)
    if status.capture_state != "intact":
        yield "Capture", _capture_in_words(status, projection)
    if status.rebuild_state != "none":
        yield "Rebuild", _rebuild_in_words(status, projection)
    if status.drift:
        yield "Drift", words.differing(status.drift[0].total)
    if status.dead_letters:
        yield "Dead letters", f"{status.dead_letters[0].total:,}"


def _lines(status: Status, projection: Projection) -> Iterator[_Line]:
    built = "never built" if projection.built_at is None else f"built {words.moment(projection.built_at)}"
    version = f"projection version {projection.version}"
    if projection.version != PROJECTION_VERSION:
        version += f", this program has {PROJECTION_VERSION}"
    yield "Read model", f"{built}, {version}"
    lag = status.queue.lag
    yield "Lag", "nothing waits" if lag is None else f"{words.age(lag)}, {words.waiting(status.queue)}"
    if projection.as_of is None or projection.as_of_age is None:
        yield "As of", "nothing yet"
    else:
        yield "As of", f"{words.moment(projection.as_of)}, {words.age(projection.as_of_age)} ago"
    if status.queue.late_tenants:
        yield "Mass changes", words.late(status.queue)
    yield "Capture", _capture_in_words(status, projection)
    for feed in status.feeds:
        yield "Origin", _feed_in_words(feed, projection)
    for table in status.unfed_tables:
        yield "Origin", f"no subscription brings rows of {table}"
    yield "Scheduler", _schedulers_in_words(status)
    yield "Rebuild", _rebuild_in_words(status, projection)
    for number, holder in enumerate(status.lock_holders):
        program = words.short(holder.application) if holder.application else "a program without a name"
        since = f" since {words.moment(holder.since)} at the earliest" if holder.since else ""
        purposes = " and ".join(holder.purposes)
        yield "" if number else "Locks", f"process {holder.pid}, {program}{since}, for {purposes}"
    for run in status.runs:
        yield f"Last {run.kind}"[:12], _run_in_words(run)
    yield from _verification_lines(status)
    yield from _row_security_lines(status)
    yield "Dead letters", f"{status.dead_letters[0].total:,}" if status.dead_letters else "none"
    for letter in status.dead_letters:
        tries = f"tried {counted(letter.attempts, 'time')}" if letter.attempts else "not tried alone yet"
        yield "", f"{words.item(letter)}: {words.short(letter.error)} ({tries})"
    total = sum(size.bytes for size in status.sizes)
    yield "Size", f"{bytes_in_words(total)}, of it:"
    for size in status.sizes[:_SHOWN_TABLES]:
        rows = counted(size.about_rows, "row")
        yield "", f"{size.table_name:<32}{bytes_in_words(size.bytes):>10}  about {rows}"


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


def _row_security_lines(status: Status) -> Iterator[_Line]:
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


def _verification_lines(status: Status) -> Iterator[_Line]:
    proved, present = status.proved_round, status.present_round
    text = "not yet"
    if proved is not None:
        text = f"{words.moment(proved.finished_at)}, {counted(proved.leads, 'lead')}"
        text += f", {proved.left_out:,} left out" if proved.left_out else ""
        text += f", {_differences_in_words(proved.differences)}"
    yield "Verified", f"everything: {text}"
    text = "none under way"
    if present is not None:
        leads = counted(max(present.leads_total, present.leads), "lead")
        text = f"{round(100 * present.done, 1)} % in {words.age(present.age)}, {present.leads:,} of about {leads}"
        text += f", {present.left_out:,} to be looked at again" if present.left_out else ""
        text += f", {_differences_in_words(present.differences)}"
    yield "Verify round", text
    yield "Drift", words.differing(status.drift[0].total) if status.drift else "none"
    for item in status.drift:
        yield "", f"{words.item(item)}: {words.short(item.first_field)}, found {words.moment(item.found_at)}"
    for ended in status.ended_drift:
        last = f"{'' if ended.items == 1 else 'the last '}{words.moment(ended.last_at)}"
        yield "", f"{counted(ended.items, 'item')} {_OUTCOMES[ended.outcome]}, {last}"


def _differences_in_words(differences: int) -> str:
    return counted(differences, "difference") if differences else "no difference"


def _without(row: DeadLetter | Drift | PresentRound | RowSecurity, name: str) -> dict[str, Any]:
    return {key: value for key, value in asdict(row).items() if key != name}


def _rebuild_percent(status: Status) -> float | None:
    return None if status.rebuild_done is None else round(100 * status.rebuild_done, 1)


def _rebuild_in_words(status: Status, projection: Projection) -> str:
    text, run, percent = status.rebuild_state, status.rebuild_run, _rebuild_percent(status)
    if text == "none":
        return "none under way"
    if run is not None and text == "running":
        text += f" for {words.age(run.seconds)}"
    if run is not None and run.leads_total and percent is not None:
        # As the progress of a rebuild counts: not each customer with a key is a lead.
        text += f", {counted_of(run.leads, run.leads_total, 'customer')}, {percent} %"
    if projection.built_at is not None and projection.version != PROJECTION_VERSION:
        text += f", to projection version {PROJECTION_VERSION}"
    return text


def _capture_in_words(status: Status, projection: Projection) -> str:
    if status.capture_state == "off":
        return str(projection.switched_off)
    if status.capture_state == "intact":
        if projection.gap_since is None:
            return "intact"
        return f"intact; {projection.gap_reason}"
    since = "" if projection.gap_since is None else f" since {words.moment(projection.gap_since)}"
    return f"gap{since}: {words.short(projection.capture_gap or projection.broken or '')}"


def _schedulers_in_words(status: Status) -> str:
    if status.schedulers.sessions:
        return f"running, {counted(status.schedulers.sessions, 'session')}"
    return "none connected" if status.schedulers.is_all_seen else "cannot be seen by this database user"


def _run_in_words(run: Run) -> str:
    text = f"{words.moment(run.started_at)}, {run.outcome}, {counted(run.leads, 'lead')}"
    text += f", {counted(run.messages, 'message')}"
    if run.changes:
        text += f", {counted(run.changes, 'change')}"
    text += f" in {run.seconds:.1f} s"
    return text + (f": {words.short(run.note)}" if run.note else "")
